// The GPU: its context, its facts, and a queue for each of the runtime's streams.
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <string>

#include "backends/cuda/driver.h"

namespace lazuli::cuda {

// A CUDA stream with its tickets: `seal` ends one and starts the next. An event is kept for the
// last few; whoever waits for an older one waits for the oldest kept, which is later.
class Queue {
 public:
  Queue();
  CUstream stream() const { return stream_; }

  uint64_t ticket() const { return open_.load(std::memory_order_relaxed); }  // of work submitted now
  uint64_t seal();
  bool is_done(uint64_t ticket);
  void wait_on_host(uint64_t ticket);
  void wait_for(Queue& other, uint64_t ticket);

 private:
  static constexpr size_t kept = 64;

  CUevent event_of(uint64_t ticket);

  CUstream stream_ = nullptr;
  std::array<CUevent, kept> events_{};
  std::atomic<uint64_t> open_{1};  // the ticket that is being filled
  std::atomic<uint64_t> done_{0};  // all up to this one have completed
  std::mutex mutex_;
};

struct Gpu {
  CUdevice device = 0;
  CUcontext context = nullptr;
  std::string name, architecture;  // such as "sm_90a"
  size_t memory_bytes = 0;
  int multiprocessors = 0, l2_bytes = 0, shared_bytes_max = 0;
  int capability = 0;  // 90 for 9.0
};

// The first GPU. Makes its context current for the calling thread, once a thread. DeviceError in a
// forked child: a context does not survive a fork.
const Gpu& gpu();

// The queue of a stream of the runtime.
Queue& queue_of(int stream);

}  // namespace lazuli::cuda
