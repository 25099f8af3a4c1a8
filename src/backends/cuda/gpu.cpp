#include "backends/cuda/gpu.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <new>
#include <thread>
#include <utility>

#include "lazuli/error.h"
#include "lazuli/interrupt.h"
#include "ops/table/op.h"

namespace lazuli::cuda {
namespace {

int attribute(CUdevice device, int which) {
  int value = 0;
  LAZULI_CUDA(cuDeviceGetAttribute, &value, which, device);
  return value;
}

// The name of the architecture with the features of that chip alone, where there are any.
std::string architecture_of(int major, int minor) {
  std::string name = "sm_" + std::to_string(major) + std::to_string(minor);
  return major >= 9 ? name + "a" : name;
}

Gpu* find_gpu() {
  auto* gpu = new Gpu;
  LAZULI_CUDA(cuDeviceGet, &gpu->device, 0);
  char name[256] = {};
  LAZULI_CUDA(cuDeviceGetName, name, sizeof name, gpu->device);
  gpu->name = name;
  LAZULI_CUDA(cuDeviceTotalMem, &gpu->memory_bytes, gpu->device);
  int major = attribute(gpu->device, device_major), minor = attribute(gpu->device, device_minor);
  gpu->capability = major * 10 + minor;
  gpu->architecture = architecture_of(major, minor);
  gpu->multiprocessors = attribute(gpu->device, device_multiprocessors);
  gpu->l2_bytes = attribute(gpu->device, device_l2_bytes);
  gpu->shared_bytes_max = attribute(gpu->device, device_shared_bytes_max);
  gpu->hertz = 1e3 * attribute(gpu->device, device_clock_khz);
  // Two transfers a clock.
  gpu->memory_bytes_per_second = 2e3 * attribute(gpu->device, device_memory_clock_khz) *
                                 attribute(gpu->device, device_bus_bits) / 8;
  LAZULI_CUDA(cuDevicePrimaryCtxRetain, &gpu->context, gpu->device);
  return gpu;
}

}  // namespace

const Gpu& gpu() {
  static const Gpu* once = find_gpu();
  static const pid_t owner = ::getpid();
  thread_local bool entered = false;
  if (!entered) {
    if (::getpid() != owner) {
      throw DeviceError(
          "[cuda] The GPU was used before this process was forked; start it anew instead "
          "(multiprocessing's 'spawn').");
    }
    LAZULI_CUDA(cuCtxSetCurrent, once->context);
    entered = true;
  }
  return *once;
}

namespace {

// Asks again and again, as the driver's own wait does, but an interrupt ends it. The work goes on.
void wait_for_event(CUevent event) {
  for (int64_t times = 1;; ++times) {
    CUresult state = driver().cuEventQuery(event);
    if (state != cuda_error_not_ready) return check(state, "cuEventQuery");
    if (times % 256 != 0) continue;
    check_interrupt();
    std::this_thread::yield();
  }
}

}  // namespace

Queue::Queue() : launches_(gpu().capability >= 90) {
  LAZULI_CUDA(cuStreamCreate, &stream_, stream_non_blocking);
  for (CUevent& event : events_) LAZULI_CUDA(cuEventCreate, &event, event_without_timing);
}

CUstream Queue::stream() {
  std::lock_guard lock(launch_mutex_);
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  launches_.submit(stream_);
  return stream_;
}

void Queue::submit_quietly() noexcept {
  std::lock_guard lock(launch_mutex_);
  try {
    launches_.submit(stream_);
  } catch (...) {
    error_ = std::current_exception();
  }
}

void Queue::launch(CUfunction function, const LaunchShape& shape, void* const* arguments,
                   std::span<const uint32_t> sizes) {
  std::lock_guard lock(launch_mutex_);
  launches_.add(function, shape, arguments, sizes);
  if (launches_.is_full()) launches_.submit(stream_);
}

void Queue::start_timing() {
  if (!timing_[0]) {
    for (CUevent& event : timing_) LAZULI_CUDA(cuEventCreate, &event, 0);
  }
  LAZULI_CUDA(cuEventRecord, timing_[0], stream());
}

double Queue::stop_timing() {
  LAZULI_CUDA(cuEventRecord, timing_[1], stream());
  LAZULI_CUDA(cuEventSynchronize, timing_[1]);
  float milliseconds = 0;
  LAZULI_CUDA(cuEventElapsedTime, &milliseconds, timing_[0], timing_[1]);
  return 1e-3 * static_cast<double>(milliseconds);
}

uint64_t Queue::seal() {
  std::lock_guard lock(mutex_);
  uint64_t ticket = open_.load(std::memory_order_relaxed);
  LAZULI_CUDA(cuEventRecord, events_[ticket % kept], stream());
  open_.store(ticket + 1, std::memory_order_release);
  return ticket;
}

// An event that completes no sooner than the ticket. The caller holds the mutex.
CUevent Queue::event_of(uint64_t ticket) {
  uint64_t open = open_.load(std::memory_order_relaxed);
  if (ticket < open) {
    uint64_t oldest = open > kept ? open - kept : 1;
    return events_[std::max(ticket, oldest) % kept];
  }
  // Not sealed yet: all that has been submitted so far.
  LAZULI_CUDA(cuEventRecord, events_[open % kept], stream());
  return events_[open % kept];
}

bool Queue::is_done(uint64_t ticket) {
  if (ticket <= done_.load(std::memory_order_acquire)) return true;
  std::lock_guard lock(mutex_);
  if (ticket >= open_.load(std::memory_order_relaxed)) return false;
  CUresult state = driver().cuEventQuery(event_of(ticket));
  if (state == cuda_error_not_ready) return false;
  check(state, "cuEventQuery");
  if (ticket > done_.load(std::memory_order_relaxed)) done_.store(ticket);
  return true;
}

void Queue::wait_on_host(uint64_t ticket) {
  if (ticket <= done_.load(std::memory_order_acquire)) return;
  CUevent event;
  bool sealed;
  {
    std::lock_guard lock(mutex_);
    sealed = ticket < open_.load(std::memory_order_relaxed);
    event = event_of(ticket);
  }
  wait_for_event(event);
  throw_faults();
  uint64_t before = done_.load(std::memory_order_relaxed);
  while (sealed && ticket > before && !done_.compare_exchange_weak(before, ticket)) {
  }
}

void Queue::wait_for(Queue& other, uint64_t ticket) {
  if (ticket <= other.done_.load(std::memory_order_acquire)) return;
  std::lock_guard lock(other.mutex_);
  LAZULI_CUDA(cuStreamWaitEvent, stream(), other.event_of(ticket), 0);
}

void Queue::wait_for_native(CUstream other) {
  CUevent event = nullptr;
  LAZULI_CUDA(cuEventCreate, &event, event_without_timing);
  CUresult result = driver().cuEventRecord(event, other);
  if (result == cuda_success) result = driver().cuStreamWaitEvent(stream(), event, 0);
  driver().cuEventDestroy(event);  // it goes when the wait has ended
  check(result, "cuStreamWaitEvent");
}

void Queue::order_native_after(CUstream other, uint64_t ticket) {
  if (ticket <= done_.load(std::memory_order_acquire)) return;
  std::lock_guard lock(mutex_);
  LAZULI_CUDA(cuStreamWaitEvent, other, event_of(ticket), 0);
}

void Queue::settle(uint64_t ticket) noexcept {
  if (ticket <= done_.load(std::memory_order_acquire)) return;
  submit_quietly();
  try {
    CUevent event;
    {
      std::lock_guard lock(mutex_);
      event = event_of(ticket);
    }
    driver().cuEventSynchronize(event);
  } catch (...) {
    // A context that has failed runs nothing any more.
  }
}

namespace {
std::array<std::atomic<Queue*>, streams_max> queues{};
}

Queue* existing_queue(int stream) {
  return queues[static_cast<size_t>(stream)].load(std::memory_order_acquire);
}

Queue& queue_of(int stream) {
  static std::mutex mutex;
  if (Queue* queue = existing_queue(stream)) return *queue;
  gpu();
  std::lock_guard lock(mutex);
  if (!existing_queue(stream)) queues[static_cast<size_t>(stream)].store(new Queue);
  return *existing_queue(stream);
}

uint32_t* fault_word() {
  static uint32_t* word = [] {
    void* made = nullptr;
    gpu();
    LAZULI_CUDA(cuMemHostAlloc, &made, sizeof(uint32_t), host_portable | host_mapped);
    return new (made) uint32_t(0);
  }();
  return word;
}

void throw_faults() {
  std::atomic_ref<uint32_t> word(*fault_word());
  if (word.load(std::memory_order_relaxed) == 0) return;
  uint32_t fault = word.exchange(0);
  std::string op = op_info(static_cast<Op>(fault >> 8)).name;
  throw IndexError("[" + op + "] An index is out of range.");
}

}  // namespace lazuli::cuda
