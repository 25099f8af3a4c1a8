#include "backends/fake/fake_queue.h"

#include <chrono>
#include <random>
#include <thread>
#include <utility>

#include "base/signals.h"
#include "lazuli/interrupt.h"

namespace lazuli {

FakeQueue::FakeQueue() {
  SignalsBlocked blocked;
  std::thread([this] { work(); }).detach();
}

void FakeQueue::submit(std::function<void()> item) {
  std::lock_guard lock(mutex_);
  items_.push_back(std::move(item));
  ++submitted_;
  wake_.notify_one();
}

uint64_t FakeQueue::open_ticket() {
  std::lock_guard lock(mutex_);
  return sealed_at_.size();
}

void FakeQueue::seal() {
  std::lock_guard lock(mutex_);
  sealed_at_.push_back(submitted_);
}

uint64_t FakeQueue::items_of(uint64_t ticket) {
  std::lock_guard lock(mutex_);
  return ticket < sealed_at_.size() ? sealed_at_[ticket] : submitted_;
}

bool FakeQueue::is_done(uint64_t ticket) {
  std::lock_guard lock(mutex_);
  return ticket < sealed_at_.size() && sealed_at_[ticket] <= done_;
}

void FakeQueue::wait_for_items(uint64_t count) {
  std::unique_lock lock(mutex_);
  advanced_.wait(lock, [&] { return done_ >= count; });
}

void FakeQueue::wait_on_host(uint64_t count) {
  std::unique_lock lock(mutex_);
  while (!advanced_.wait_for(lock, std::chrono::milliseconds(10), [&] { return done_ >= count; })) {
    check_interrupt();
  }
}

void FakeQueue::wait(uint64_t ticket) {
  wait_on_host(items_of(ticket));
  std::lock_guard lock(mutex_);
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

// Now and then an item starts late, so that work which nobody waits for shows.
void FakeQueue::work() {
  std::minstd_rand random(1);
  for (;;) {
    std::function<void()> item;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !items_.empty(); });
      item = std::move(items_.front());
      items_.pop_front();
    }
    if (random() % 64 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    std::exception_ptr error;
    try {
      item();
    } catch (...) {
      error = std::current_exception();
    }
    item = nullptr;
    std::lock_guard lock(mutex_);
    if (error && !error_) error_ = error;
    ++done_;
    advanced_.notify_all();
  }
}

}  // namespace lazuli
