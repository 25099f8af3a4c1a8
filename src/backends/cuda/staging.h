// Copies between pageable host memory and the GPU through pinned memory, in pieces: while one piece
// travels, the next is copied by the host.
#pragma once

#include <cstddef>

#include "backends/cuda/gpu.h"

namespace lazuli::cuda {

// Below this the driver's own staging is as good for a copy to the GPU, and waits for nothing.
constexpr size_t small_copy_bytes = 64 << 10;

// The host's bytes have been read when it returns; the GPU has them for work queued later.
void copy_to_gpu(Queue& queue, void* device, const void* host, size_t bytes);
// After the queue's work so far; the host has the bytes when it returns.
void copy_to_host(Queue& queue, void* host, const void* device, size_t bytes);

}  // namespace lazuli::cuda
