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
#include <thread>
#include <utility>
#include <vector>

#include "base/signals.h"

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
  // One job at a time. `ticket` is (generation << 1 | open): workers join while it is open.
  std::mutex job_mutex;
  void (*call)(void*, int64_t) = nullptr;
  void* task = nullptr;
  int64_t count = 0;
  int limit = 1;
  // What waiting workers read, what dealing writes and what leaving writes lie apart, so that none
  // of them takes the line of another away.
  alignas(64) std::atomic<uint32_t> generation{0};
  std::atomic<bool> open{false};
  std::atomic<int> asleep{0};
  alignas(64) std::atomic<int64_t> next{0};
  alignas(64) std::atomic<int> inside{0};
  std::atomic<int> joined{0};
  std::mutex error_mutex;
  std::exception_ptr error;
  int cores = 1;

  void work() {
    inside_task = true;
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      try {
        call(task, i);
      } catch (...) {
        std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
        next.store(count, std::memory_order_relaxed);
      }
    }
    inside_task = false;
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

  void worker() {
    uint32_t seen = 0;
    for (;;) {
      seen = wait_for_job(seen);
      inside.fetch_add(1);
      if (open.load() && joined.fetch_add(1) < limit - 1) work();
      inside.fetch_sub(1, std::memory_order_release);
    }
  }

  void start_workers() {
    SignalsBlocked blocked;  // they go to the program's own threads
    for (int i = 1; i < cores; ++i) std::thread([this] { worker(); }).detach();
  }
};

namespace {
ThreadPool* forked_pool_to_rebuild = nullptr;
}

ThreadPool::ThreadPool() : state_(new State) {
  state_->cores = usable_cores();
  state_->limit = state_->cores;
  state_->start_workers();
}

ThreadPool& ThreadPool::instance() {
  // Lives to the end of the process; a forked child has no workers and builds a new state.
  static ThreadPool* pool = [] {
    auto* made = new ThreadPool;
    forked_pool_to_rebuild = made;
    pthread_atfork(nullptr, nullptr, [] {
      auto* old = forked_pool_to_rebuild->state_;
      auto* fresh = new State;
      fresh->cores = old->cores;
      fresh->limit = old->limit;
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
    for (int64_t i = 0; i < count; ++i) call(task, i);
    return;
  }
  s.call = call;
  s.task = task;
  s.count = count;
  s.error = nullptr;
  s.joined.store(0);
  s.next.store(0);
  s.open.store(true);
  s.generation.fetch_add(1);
  if (s.asleep.load() > 0) s.generation.notify_all();
  s.work();
  s.open.store(false);
  for (int i = 0; s.inside.load(std::memory_order_acquire) != 0; ++i) {
    relax();
    if ((i & 1023) == 1023) sched_yield();
  }
  if (s.error) std::rethrow_exception(std::exchange(s.error, nullptr));
}

}  // namespace lazuli
