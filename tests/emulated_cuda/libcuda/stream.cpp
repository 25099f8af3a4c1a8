#include "emulated_cuda/libcuda/stream.h"

#include <atomic>
#include <thread>

#include "emulated_cuda/libcuda/block.h"
#include "emulated_cuda/libcuda/facts.h"
#include "emulated_cuda/libcuda/faults.h"

namespace emulated {

void Recording::reach() {
  std::lock_guard lock(mutex_);
  reached_ = true;
  time_ = Clock::now();
  changed_.notify_all();
}
bool Recording::is_reached() const {
  std::lock_guard lock(mutex_);
  return reached_;
}
void Recording::wait() const {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return reached_; });
}
Recording::Clock::time_point Recording::time() const {
  std::lock_guard lock(mutex_);
  return time_;
}

namespace {
std::atomic<int> failed{0};
std::atomic<unsigned> streams_made{0};
constexpr int delay_microseconds_max = 300;
}  // namespace

int context_error() { return failed.load(); }
void fail_context(int error) {
  int none = 0;
  failed.compare_exchange_strong(none, error);
}

// Streams live to the end of the process, and so do their threads.
Stream::Stream() : random_(++streams_made) { std::thread(&Stream::run, this).detach(); }

void Stream::push(Item item) {
  std::lock_guard lock(mutex_);
  items_.push_back(std::move(item));
  changed_.notify_one();
}

void Stream::submit(std::function<int()> work) { push({std::move(work), true}); }

void Stream::record(std::shared_ptr<Recording> recording) {
  push({[recording] {
          recording->reach();
          return 0;
        },
        false});
}

void Stream::wait_for(std::shared_ptr<Recording> recording) {
  push({[recording] {
          recording->wait();
          return 0;
        },
        false});
}

void Stream::synchronize() {
  auto recording = std::make_shared<Recording>();
  record(recording);
  recording->wait();
}

void Stream::run() {
  BlockRunner::create_mine();
  catch_faults_on_this_thread();
  while (true) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !items_.empty(); });
    Item item = std::move(items_.front());
    items_.pop_front();
    lock.unlock();
    if (has_random_delays()) {
      std::this_thread::sleep_for(std::chrono::microseconds(random_() % delay_microseconds_max));
    }
    if (item.needs_context && context_error() != 0) continue;
    if (int error = item.work()) fail_context(error);
  }
}

}  // namespace emulated
