#include "runtime/stream.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "lazuli/error.h"

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

struct Registry {
  std::mutex mutex;
  std::vector<Queue*> queues;  // live to the end of the process
  std::atomic<int> count{1};
  Registry() { queues.reserve(streams_max + 1), queues.push_back(new Queue); }
};
Registry& registry() {
  static Registry* r = new Registry;
  return *r;
}

Queue& queue(int stream) { return *registry().queues[static_cast<size_t>(stream)]; }

Device default_device_value(Device::cpu);
thread_local int default_stream_index = 0;

void check_exists(const Device& device) {
  if (!is_available(device)) {
    throw DeviceError("[device] There is no " + to_string(device) + " here.");
  }
}

}  // namespace

void submit(int stream, Task task) { queue(stream).submit(std::move(task)); }
bool run_if_idle(int stream, const Task& task) { return queue(stream).run_if_idle(task); }
void drain(int stream) { queue(stream).drain(); }

const Device& default_device() { return default_device_value; }
void set_default_device(const Device& device) {
  check_exists(device);
  default_device_value = device;
}
bool is_available(const Device& device) { return device.type == Device::cpu && device.index == 0; }
int device_count(Device::DeviceType type) { return type == Device::cpu ? 1 : 0; }

Stream default_stream(Device device) {
  check_exists(device);
  return Stream(default_stream_index, device);
}
void set_default_stream(Stream stream) {
  check_exists(stream.device);
  default_stream_index = stream.index;
}

Stream new_stream(Device device) {
  check_exists(device);
  Registry& r = registry();
  std::lock_guard lock(r.mutex);
  int index = r.count.load();
  if (index > streams_max) {
    throw DeviceError("[new_stream] There are " + std::to_string(index) +
                      " streams already; no more can be made.");
  }
  r.queues.push_back(new Queue);
  r.count.store(index + 1);
  return Stream(index, device);
}

Stream to_stream(StreamOrDevice s) {
  if (std::holds_alternative<Stream>(s)) return std::get<Stream>(s);
  if (std::holds_alternative<Device>(s)) return default_stream(std::get<Device>(s));
  return default_stream(default_device_value);
}

void synchronize(Stream stream) { drain(stream.index); }
void synchronize() { synchronize(default_stream(default_device())); }

StreamContext::StreamContext(StreamOrDevice s)
    : stream_(default_stream(default_device())), device_(default_device()) {
  Stream chosen = to_stream(s);
  set_default_device(chosen.device);
  set_default_stream(chosen);
}
StreamContext::~StreamContext() {
  set_default_device(device_);
  set_default_stream(stream_);
}

std::string to_string(const Device& device) {
  return std::string(device.type == Device::cpu ? "cpu" : "gpu") + ":" +
         std::to_string(device.index);
}
std::string to_string(const Stream& stream) {
  return "stream " + std::to_string(stream.index) + " of " + to_string(stream.device);
}

}  // namespace lazuli
