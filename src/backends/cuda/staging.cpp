#include "backends/cuda/staging.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include "base/thread_pool.h"

namespace lazuli::cuda {
namespace {

// To the GPU, below this the driver's own staging is as good. To the host never: a copy into
// pageable memory waits for work of other streams too.
constexpr size_t small_bytes = 64 << 10;
constexpr size_t piece_bytes = 8 << 20;
constexpr int pieces_count = 4;

CUdeviceptr address(const void* device) { return reinterpret_cast<CUdeviceptr>(device); }

// Pinned memory in pieces that take turns. One for the process: its users queue up.
class Staging {
 public:
  static Staging& instance() {
    static Staging* staging = new Staging;
    return *staging;
  }

  void to_gpu(Queue& queue, char* device, const char* host, size_t bytes) {
    std::lock_guard lock(mutex_);
    for (size_t at = 0; at < bytes; at += piece_bytes) {
      size_t count = std::min(piece_bytes, bytes - at);
      Piece& piece = next();
      copy(piece.memory, host + at, count);
      LAZULI_CUDA(cuMemcpyHtoDAsync, address(device + at), piece.memory, count, queue.stream());
      LAZULI_CUDA(cuEventRecord, piece.free, queue.stream());
    }
  }

  void to_host(Queue& queue, char* host, const char* device, size_t bytes) {
    std::lock_guard lock(mutex_);
    size_t pieces = (bytes + piece_bytes - 1) / piece_bytes;
    std::vector<Piece*> used(pieces);
    auto fetch = [&](size_t k) {
      size_t count = std::min(piece_bytes, bytes - k * piece_bytes);
      used[k] = &next();
      LAZULI_CUDA(cuMemcpyDtoHAsync, used[k]->memory, address(device + k * piece_bytes), count,
                  queue.stream());
      LAZULI_CUDA(cuEventRecord, used[k]->free, queue.stream());
    };
    size_t ahead = std::min<size_t>(pieces, pieces_count - 1);
    for (size_t k = 0; k < ahead; ++k) fetch(k);
    for (size_t k = 0; k < pieces; ++k) {
      LAZULI_CUDA(cuEventSynchronize, used[k]->free);
      copy(host + k * piece_bytes, used[k]->memory, std::min(piece_bytes, bytes - k * piece_bytes));
      if (k + ahead < pieces) fetch(k + ahead);
    }
  }

 private:
  struct Piece {
    char* memory = nullptr;
    CUevent free = nullptr;
  };

  Staging() {
    for (Piece& piece : pieces_) {
      void* memory = nullptr;
      LAZULI_CUDA(cuMemHostAlloc, &memory, piece_bytes, host_portable);
      piece.memory = static_cast<char*>(memory);
      LAZULI_CUDA(cuEventCreate, &piece.free, event_without_timing);
    }
  }

  // The piece used longest ago, when its last copy has ended.
  Piece& next() {
    Piece& piece = pieces_[turn_++ % pieces_count];
    LAZULI_CUDA(cuEventSynchronize, piece.free);
    return piece;
  }

  // One core does not keep up with the bus.
  static void copy(char* to, const char* from, size_t bytes) {
    constexpr size_t part = 512 << 10;
    if (bytes <= part) {
      std::memcpy(to, from, bytes);
      return;
    }
    size_t parts = (bytes + part - 1) / part;
    ThreadPool::instance().run(static_cast<int64_t>(parts), [&](int64_t k) {
      size_t first = static_cast<size_t>(k) * part;
      std::memcpy(to + first, from + first, std::min(part, bytes - first));
    });
  }

  std::mutex mutex_;
  Piece pieces_[pieces_count];
  size_t turn_ = 0;
};

}  // namespace

void copy_to_gpu(Queue& queue, void* device, const void* host, size_t bytes) {
  if (bytes == 0) return;
  if (bytes <= small_bytes) {
    LAZULI_CUDA(cuMemcpyHtoDAsync, address(device), host, bytes, queue.stream());
  } else {
    Staging::instance().to_gpu(queue, static_cast<char*>(device), static_cast<const char*>(host),
                               bytes);
  }
}

void copy_to_host(Queue& queue, void* host, const void* device, size_t bytes) {
  if (bytes == 0) return;
  Staging::instance().to_host(queue, static_cast<char*>(host), static_cast<const char*>(device),
                              bytes);
  throw_faults();
}

}  // namespace lazuli::cuda
