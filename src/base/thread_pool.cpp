#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/signals.h"
#include "lazuli/interrupt.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lazuli {
namespace {

constexpr auto spin_time = std::chrono::microseconds(80);

inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int cores_by_affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) {
    return std::max(1u, std::thread::hardware_concurrency());
  }
  return std::max(1, CPU_COUNT(&set));
}

// The cgroup v2 quota in cores, or a large number where there is none.
double cores_by_quota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 1e9;
  return std::atof(quota.c_str()) / period;
}

int usable_cores() {
  double quota = std::ceil(cores_by_quota());
  return std::max(1, static_cast<int>(std::min<double>(cores_by_affinity(), quota)));
}

thread_local bool inside_task = false;

}  // namespace

struct ThreadPool::State {
  // The tasks of a thread, of which others take what it has not begun. Threads begin with the same
  // tasks in one job after another, so that what the last job wrote lies in their own caches.
  struct alignas(64) Range {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  explicit State(int threads, int at_most)
      : limit(at_most), ranges(new Range[static_cast<size_t>(threads)]), cores(threads) {}

  // One job at a time: workers join while it is open.
  std::mutex job_mutex;
  void (*call)(void*, int64_t) = nullptr;
  void* task = nullptr;
  int limit;
  int sharers = 1;  // threads that have a range of the job
  std::unique_ptr<Range[]> ranges;
  // What waiting workers read, what dealing writes and what leaving writes lie apart, so that none
  // of them takes the line of another away.
  alignas(64) std::atomic<uint32_t> generation{0};
  std::atomic<bool> open{false};
  std::atomic<int> asleep{0};
  alignas(64) std::atomic<int> inside{0};
  std::mutex error_mutex;
  std::exception_ptr error;
  int cores;

  void deal(int64_t count) {
    sharers = static_cast<int>(std::min<int64_t>(limit, count));
    for (int k = 0; k < sharers; ++k) {
      ranges[k].next.store(count * k / sharers, std::memory_order_relaxed);
      ranges[k].end = count * (k + 1) / sharers;
    }
  }

  void work(int self) {
    inside_task = true;
    for (int k = 0; k < sharers; ++k) work_on(ranges[(self + k) % sharers]);
    inside_task = false;
  }

  void work_on(Range& range) {
    for (int64_t i; (i = range.next.fetch_add(1, std::memory_order_relaxed)) < range.end;) {
      try {
        check_interrupt();
        call(task, i);
      } catch (...) {
        std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
        for (int k = 0; k < sharers; ++k) {
          ranges[k].next.store(ranges[k].end, std::memory_order_relaxed);
        }
      }
    }
  }

  uint32_t wait_for_job(uint32_t seen) {
    auto until = std::chrono::steady_clock::now() + spin_time;
    for (int i = 0;; ++i) {
      uint32_t now = generation.load(std::memory_order_acquire);
      if (now != seen) return now;
      relax();
      if ((i & 63) == 63 && std::chrono::steady_clock::now() > until) break;
    }
    asleep.fetch_add(1);
    generation.wait(seen);
    asleep.fetch_sub(1);
    return generation.load(std::memory_order_acquire);
  }

  void worker(int self) {
    uint32_t seen = 0;
    for (;;) {
      seen = wait_for_job(seen);
      inside.fetch_add(1);
      if (open.load() && self < sharers) work(self);
      inside.fetch_sub(1, std::memory_order_release);
    }
  }

  void start_workers() {
    SignalsBlocked blocked;  // they go to the program's own threads
    for (int i = 1; i < cores; ++i) {
      try {
        std::thread([this, i] { worker(i); }).detach();
      } catch (const std::system_error&) {
        // A limit on processes or address space: what there is computes, in more time.
        limit = cores = i;
      }
    }
  }
};

namespace {
ThreadPool* forked_pool_to_rebuild = nullptr;
}

ThreadPool::ThreadPool() {
  int cores = usable_cores();
  state_ = new State(cores, cores);
  state_->start_workers();
}

ThreadPool& ThreadPool::instance() {
  // Lives to the end of the process; a forked child has no workers and builds a new state.
  static ThreadPool* pool = [] {
    auto* made = new ThreadPool;
    forked_pool_to_rebuild = made;
    pthread_atfork(nullptr, nullptr, [] {
      auto* old = forked_pool_to_rebuild->state_;
      auto* fresh = new State(old->cores, old->limit);
      forked_pool_to_rebuild->state_ = fresh;
      inside_task = false;
      fresh->start_workers();
    });
    return made;
  }();
  return *pool;
}

int ThreadPool::threads() const { return state_->limit; }

bool ThreadPool::is_awake() const { return state_->asleep.load(std::memory_order_relaxed) == 0; }

void ThreadPool::set_threads(int count) {
  std::lock_guard lock(state_->job_mutex);
  state_->limit = std::clamp(count, 1, state_->cores);
}

void ThreadPool::run_erased(int64_t count, void (*call)(void*, int64_t), void* task) {
  State& s = *state_;
  std::unique_lock lock(s.job_mutex, std::defer_lock);
  if (count <= 1 || s.limit == 1 || inside_task || !lock.try_lock()) {
    for (int64_t i = 0; i < count; ++i) {
      if (count > 1) check_interrupt();
      call(task, i);
    }
    return;
  }
  s.call = call;
  s.task = task;
  s.error = nullptr;
  s.deal(count);
  s.open.store(true);
  s.generation.fetch_add(1);
  if (s.asleep.load() > 0) s.generation.notify_all();
  s.work(0);
  s.open.store(false);
  for (int i = 0; s.inside.load(std::memory_order_acquire) != 0; ++i) {
    relax();
    if ((i & 1023) == 1023) sched_yield();
  }
  if (s.error) std::rethrow_exception(std::exchange(s.error, nullptr));
}

}  // namespace lazuli
