#include "backends/cuda/staging.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include "base/thread_pool.h"

namespace lazuli::cuda {
namespace {

constexpr int pieces_count = 4;

CUdeviceptr address(const void* device) { return reinterpret_cast<CUdeviceptr>(device); }

// Pinned memory in pieces that take turns. Its users queue up.
class Staging {
 public:
  explicit Staging(size_t bytes) : piece_bytes(bytes) {
    for (Piece& piece : pieces_) {
      void* memory = nullptr;
      LAZULI_CUDA(cuMemHostAlloc, &memory, piece_bytes, host_portable);
      piece.memory = static_cast<char*>(memory);
      LAZULI_CUDA(cuEventCreate, &piece.free, event_without_timing);
    }
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

  const size_t piece_bytes;
  std::mutex mutex_;
  Piece pieces_[pieces_count];
  size_t turn_ = 0;
};

// One for each direction, and one for small reads: none waits for the others' copies.
constexpr size_t large_piece = 8 << 20;
Staging& staging_to_gpu() {
  static Staging* staging = new Staging(large_piece);
  return *staging;
}
Staging& staging_to_host(size_t bytes) {
  static Staging* small = new Staging(small_copy_bytes);
  if (bytes <= small_copy_bytes) return *small;
  static Staging* large = new Staging(large_piece);
  return *large;
}

}  // namespace

void copy_to_gpu(Queue& queue, void* device, const void* host, size_t bytes) {
  if (bytes == 0) return;
  if (bytes <= small_copy_bytes) {
    LAZULI_CUDA(cuMemcpyHtoDAsync, address(device), host, bytes, queue.stream());
  } else {
    staging_to_gpu().to_gpu(queue, static_cast<char*>(device), static_cast<const char*>(host),
                            bytes);
  }
}

void copy_to_host(Queue& queue, void* host, const void* device, size_t bytes) {
  if (bytes == 0) return;
  staging_to_host(bytes).to_host(queue, static_cast<char*>(host), static_cast<const char*>(device),
                                 bytes);
  throw_faults();
}

}  // namespace lazuli::cuda
