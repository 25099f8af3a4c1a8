// The GPU: its context, its facts, and a queue for each of the runtime's streams.
#pragma once

#include <array>
#include <atomic>
#include <exception>
#include <mutex>
#include <string>

#include "backends/cuda/driver.h"
#include "backends/cuda/launches.h"

namespace lazuli::cuda {

// A CUDA stream with its tickets: `seal` ends one and starts the next. An event is kept for the
// last few; whoever waits for an older one waits for the oldest kept, which is later.
class Queue {
 public:
  Queue();
  // The driver's stream, with every launch so far submitted to it.
  CUstream stream();
  // Submits them where nobody can be told of an error: who waits for the stream next is.
  void submit_quietly() noexcept;
  void launch(CUfunction function, const LaunchShape& shape, void* const* arguments,
              std::span<const uint32_t> sizes);
  // As those of Launches.
  template <class Change>
  bool extend_last(CUfunction function, Change change) {
    std::lock_guard lock(launch_mutex_);
    return launches_.extend_last(function, change);
  }
  bool replace_last(CUfunction function, CUfunction by, const LaunchShape& shape,
                    void* const* arguments, std::span<const uint32_t> sizes) {
    std::lock_guard lock(launch_mutex_);
    return launches_.replace_last(function, by, shape, arguments, sizes);
  }
  // How many launches it has been given so far, joined ones once.
  uint64_t launched() const { return launches_.added(); }
  void start_timing();
  double stop_timing();  // seconds

  uint64_t ticket() const {
    return open_.load(std::memory_order_relaxed);
  }  // of work submitted now
  uint64_t seal();
  bool is_done(uint64_t ticket);
  // Whether somebody has seen that it is.
  bool was_done(uint64_t ticket) const { return ticket <= done_.load(std::memory_order_acquire); }
  void wait_on_host(uint64_t ticket);
  void wait_for(Queue& other, uint64_t ticket);
  // The same for streams of other libraries: this one waits, or that one does.
  void wait_for_native(CUstream other);
  void order_native_after(CUstream other, uint64_t ticket);
  // Returns when the ticket's work has ended; errors are left to whoever waits next.
  void settle(uint64_t ticket) noexcept;

 private:
  static constexpr size_t kept = 64;

  CUevent event_of(uint64_t ticket);

  CUstream stream_ = nullptr;
  std::exception_ptr error_;  // of a quiet submission
  CUevent timing_[2] = {};
  std::mutex launch_mutex_;
  Launches launches_;
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
  double hertz = 0, memory_bytes_per_second = 0;  // at the highest clocks
};

// The first GPU. Makes its context current for the calling thread, once a thread. DeviceError in a
// forked child: a context does not survive a fork.
const Gpu& gpu();

// The runtime's streams, and one of the backend's own for large copies to the GPU.
constexpr int upload_stream_index = 256, streams_max = 257;

// The queue of a stream.
Queue& queue_of(int stream);
// The queues there are; nullptr where there is none yet.
Queue* existing_queue(int stream);

// A word on the host that kernels may write to: a kernel that meets what it cannot do (an index out
// of range) writes `fault_of(op, ...)` there and goes on with something harmless. Whoever waits for
// the GPU next throws the error.
uint32_t* fault_word();
enum class Fault : uint32_t { index_out_of_range = 1 };
inline uint32_t fault_of(uint32_t op, Fault fault) {
  return op << 8 | static_cast<uint32_t>(fault);
}
void throw_faults();

}  // namespace lazuli::cuda
