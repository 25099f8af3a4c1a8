// Streams: each has a thread that does its work in order. Events: what was recorded last.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>

namespace emulated {

// A point in a stream's work that is reached once.
class Recording {
 public:
  typedef std::chrono::steady_clock Clock;
  void reach();
  bool is_reached() const;
  void wait() const;
  Clock::time_point time() const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool reached_ = false;
  Clock::time_point time_;
};

struct Event {
  explicit Event(bool is_timed) : timed(is_timed) {}
  const bool timed;
  std::mutex mutex;
  std::shared_ptr<Recording> latest;  // empty: never recorded, which counts as reached
};

// 0 until a kernel has failed; from then on all calls give that error, as a CUDA context does.
int context_error();
void fail_context(int error);

class Stream {
 public:
  Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Work gives an error or 0; once the context has failed it is left out.
  void submit(std::function<int()> work);
  void record(std::shared_ptr<Recording> recording);
  void wait_for(std::shared_ptr<Recording> recording);
  void synchronize();

 private:
  struct Item {
    std::function<int()> work;
    bool needs_context;
  };
  void push(Item item);
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  std::minstd_rand random_;
};

}  // namespace emulated
