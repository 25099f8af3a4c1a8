#include "runtime/stream.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/flags.h"
#include "core/node.h"
#include "lazuli/error.h"
#include "runtime/registry.h"

namespace lazuli {
namespace {

constexpr int streams_max = 255;  // a node keeps its stream in a byte

class Queue {
 public:
  void submit(Task task) {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    if (!started_) {
      started_ = true;
      std::thread([this] { work(); }).detach();
    }
    wake_.notify_one();
  }

  bool run_if_idle(const Task& task) {
    {
      std::lock_guard lock(mutex_);
      if (busy_ || !tasks_.empty()) return false;
      busy_ = true;
    }
    task();
    leave();
    return true;
  }

  void drain() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return !busy_ && tasks_.empty(); });
  }

 private:
  void leave() {
    std::lock_guard lock(mutex_);
    busy_ = false;
    if (!tasks_.empty()) wake_.notify_one();
    if (tasks_.empty()) idle_.notify_all();
  }

  void work() {
    for (;;) {
      Task task;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return !busy_ && !tasks_.empty(); });
        task = std::move(tasks_.front());
        tasks_.pop_front();
        busy_ = true;
      }
      task();
      task = nullptr;
      leave();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<Task> tasks_;
  bool busy_ = false;
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

Backend& existing(const Device& device) {
  Backend* backend = find_backend(device);
  if (!backend) throw DeviceError("[device] There is no " + to_string(device) + " here.");
  return *backend;
}

int first_stream(const Device& device) {
  Backend* wanted = &existing(device);
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
bool run_if_idle(int stream, const Task& task) {
  return Streams::all().queue(stream).run_if_idle(task);
}
void drain(int stream) { Streams::all().queue(stream).drain(); }
Backend& backend_of(int stream) { return Streams::all().backend(stream); }
Stream stream_at(int index) { return Stream(index, backend_of(index).device); }

const Device& default_device() { return *default_device_value().load(std::memory_order_relaxed); }
void set_default_device(const Device& device) {
  existing(device);
  default_device_value().store(device.type == Device::cpu ? &cpu_device : &gpu_device);
}
bool is_available(const Device& device) { return find_backend(device) != nullptr; }
int device_count(Device::DeviceType type) {
  auto is_type = [type](const Backend* backend) { return backend->device.type == type; };
  return static_cast<int>(std::ranges::count_if(backends(), is_type));
}

Stream default_stream(Device device) { return current_stream(existing(device).device); }
void set_default_stream(Stream stream) {
  existing(stream.device);
  default_streams[static_cast<int>(stream.device.type)] = stream.index;
}

Stream new_stream(Device device) { return Stream(Streams::all().add(&existing(device)), device); }

Stream to_stream(StreamOrDevice s) {
  if (std::holds_alternative<Stream>(s)) return std::get<Stream>(s);
  if (std::holds_alternative<Device>(s)) return default_stream(std::get<Device>(s));
  return current_stream(default_device());
}

void synchronize(Stream stream) { drain(stream.index); }
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
