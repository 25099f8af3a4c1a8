#include "runtime/stream.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/flags.h"
#include "base/signals.h"
#include "base/thread_pool.h"
#include "core/node.h"
#include "lazuli/error.h"
#include "runtime/registry.h"

namespace lazuli {
namespace {

constexpr int streams_max = 255;  // a node keeps its stream in a byte

// Counts what runs or waits. A caller that finds nothing enters by itself, without the lock; the
// mark `entered` keeps the stream's own thread out until it leaves.
class Queue {
 public:
  void submit(Task task) {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    count_.fetch_add(1);
    if (!started_) {
      start();
    }
    wake_.notify_one();
  }

  bool enter_if_idle() {
    uint32_t idle = 0;
    return count_.compare_exchange_strong(idle, entered + 1);
  }
  void leave() { finished(entered + 1); }

  void drain() {
    waiters_.fetch_add(1);
    {
      std::unique_lock lock(mutex_);
      idle_.wait(lock, [this] { return count_.load() == 0; });
    }
    waiters_.fetch_sub(1);
  }

 private:
  static constexpr uint32_t entered = uint32_t{1} << 31;

  void start() try {
    SignalsBlocked blocked;  // they go to the program's own threads
    std::thread([this] { work(); }).detach();
    started_ = true;
  } catch (const std::system_error& error) {
    tasks_.pop_back();
    count_.fetch_sub(1);
    throw RuntimeError(std::string("The thread of a stream cannot be made: ") + error.what() +
                       ". The limit on processes (ulimit -u) or on address space (ulimit -v) "
                       "may be too small.");
  }

  void finished(uint32_t share) {
    uint32_t left = count_.fetch_sub(share) - share;
    if (left == 0 && waiters_.load() == 0) return;
    std::lock_guard lock(mutex_);
    wake_.notify_one();
    idle_.notify_all();
  }

  void work() {
    for (;;) {
      Task task;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return !tasks_.empty() && count_.load() < entered; });
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
      task = nullptr;
      finished(1);
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<Task> tasks_;
  std::atomic<uint32_t> count_{0};
  std::atomic<int> waiters_{0};
  bool started_ = false;
};

// The streams: one of each device from the start, in the order of the devices. They live to the end
// of the process.
class Streams {
 public:
  static Streams& all() {
    static Streams* streams = new Streams;
    return *streams;
  }

  int add(Backend* backend) {
    std::lock_guard lock(mutex_);
    int index = count_;
    if (index > streams_max) {
      throw DeviceError("[new_stream] There are " + std::to_string(index) +
                        " streams already; no more can be made.");
    }
    places_[index] = {new Queue, backend};
    count_ = index + 1;
    return index;
  }
  Queue& queue(int stream) { return *places_[stream].queue; }
  Backend& backend(int stream) { return *places_[stream].backend; }

 private:
  struct Place {
    Queue* queue = nullptr;
    Backend* backend = nullptr;
  };
  Streams() {
    for (Backend* backend : backends()) add(backend);
  }

  std::mutex mutex_;
  Place places_[streams_max + 1];
  int count_ = 0;
};

const Device cpu_device(Device::cpu), gpu_device(Device::gpu);
std::atomic<const Device*>& default_device_value() {
  static std::atomic<const Device*> value(flags().gpu ? &gpu_device : &cpu_device);
  return value;
}

// Of the calling thread, by type of device: the stream that was made first, unless another was set.
thread_local int default_streams[2] = {-1, -1};

int first_stream(const Device& device) {
  Backend* wanted = &backend_at(device, "device");
  int index = 0;
  while (&Streams::all().backend(index) != wanted) ++index;
  return index;
}

Stream current_stream(const Device& device) {
  int& index = default_streams[static_cast<int>(device.type)];
  if (index < 0) index = first_stream(device);
  return Stream(index, device);
}

}  // namespace

void submit(int stream, Task task) { Streams::all().queue(stream).submit(std::move(task)); }
bool enter_if_idle(int stream) { return Streams::all().queue(stream).enter_if_idle(); }
void leave(int stream) { Streams::all().queue(stream).leave(); }
void drain(int stream) { Streams::all().queue(stream).drain(); }
bool backend_has_kernel(Op op, int stream) { return backend_of(stream).has_kernel(op); }
Backend& backend_of(int stream) { return Streams::all().backend(stream); }
Stream stream_at(int index) { return Stream(index, backend_of(index).device); }

const Device& default_device() { return *default_device_value().load(std::memory_order_relaxed); }
void set_default_device(const Device& device) {
  backend_at(device, "device");
  default_device_value().store(device.type == Device::cpu ? &cpu_device : &gpu_device);
}
bool is_available(const Device& device) { return find_backend(device) != nullptr; }
std::string why_unavailable(const Device& device) {
  if (is_available(device)) return "";
  if (device.type == Device::cpu) return "All cores together are cpu:0.";
  if (missing_gpu().empty()) return "Only the first GPU is used, gpu:0.";
  return missing_gpu();
}
int device_count(Device::DeviceType type) {
  auto is_type = [type](const Backend* backend) { return backend->device.type == type; };
  return static_cast<int>(std::ranges::count_if(backends(), is_type));
}

DeviceInfo device_info(const Device& device) {
  const Backend& backend = backend_at(device, "device");
  DeviceInfo info = {{"device_name", backend.name()},
                     {"architecture", backend.architecture()},
                     {"memory_size", backend.memory_bytes()}};
  if (device.type == Device::cpu) {
    info["threads"] = static_cast<size_t>(ThreadPool::instance().threads());
  }
  return info;
}

Stream default_stream(Device device) { return current_stream(backend_at(device, "device").device); }
void set_default_stream(Stream stream) {
  backend_at(stream.device, "device");
  default_streams[static_cast<int>(stream.device.type)] = stream.index;
}

Stream new_stream(Device device) {
  return Stream(Streams::all().add(&backend_at(device, "device")), device);
}

Stream to_stream(StreamOrDevice s) {
  if (std::holds_alternative<Stream>(s)) return std::get<Stream>(s);
  if (std::holds_alternative<Device>(s)) return default_stream(std::get<Device>(s));
  return current_stream(default_device());
}

void synchronize(Stream stream) {
  drain(stream.index);
  Backend& backend = backend_of(stream.index);
  backend.wait_on_host(Work(stream.index, backend.open_ticket(stream.index)));
}
void synchronize() { synchronize(default_stream(default_device())); }

StreamContext::StreamContext(StreamOrDevice s)
    : stream_(default_stream(to_stream(s).device)), device_(default_device()) {
  Stream chosen = to_stream(s);
  set_default_device(chosen.device);
  set_default_stream(chosen);
}
StreamContext::~StreamContext() {
  set_default_stream(stream_);
  set_default_device(device_);
}

std::string to_string(const Device& device) {
  return std::string(device.type == Device::cpu ? "cpu" : "gpu") + ":" +
         std::to_string(device.index);
}
std::string to_string(const Stream& stream) {
  return "stream " + std::to_string(stream.index) + " of " + to_string(stream.device);
}

}  // namespace lazuli
