// A queue of work on the fake device: a thread of its own does it later, in order.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <vector>

#include "core/buffer.h"

namespace lazuli {

class FakeQueue {
 public:
  FakeQueue();

  void submit(std::function<void()> item);
  uint64_t open_ticket();
  void seal();
  bool is_done(uint64_t ticket);
  // Until the work of the ticket has ended; of the open one, all that was submitted. Throws what
  // that work has thrown.
  void wait(uint64_t ticket);

  // How many items must be done before the ticket's work is.
  uint64_t items_of(uint64_t ticket);
  void wait_for_items(uint64_t count);

 private:
  // An interrupt ends it.
  void wait_on_host(uint64_t count);
  void work();

  std::mutex mutex_;
  std::condition_variable wake_, advanced_;
  std::deque<std::function<void()>> items_;
  std::vector<uint64_t> sealed_at_{0};  // by ticket: items submitted when it was sealed
  uint64_t submitted_ = 0, done_ = 0;
  std::exception_ptr error_;
};

}  // namespace lazuli
