// The thread pool's promises: each index once, errors rethrown, nesting and contention without
// deadlock, limits obeyed.
#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "lazuli/error.h"
#include "lazuli/interrupt.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LAZULI_UNDER_TSAN 1
#endif
#endif

namespace lazuli {
namespace {

// Restores the number of threads that a test changes.
class ThreadPoolTest : public testing::Test {
 protected:
  ThreadPool& pool = ThreadPool::instance();
  int threads_before = pool.threads();
  void TearDown() override { pool.set_threads(threads_before); }

  // How often a run over `count` indices called each of them.
  std::vector<int> calls(int64_t count) {
    std::vector<std::atomic<int>> counters(static_cast<size_t>(count));
    pool.run(count, [&](int64_t i) { counters[static_cast<size_t>(i)].fetch_add(1); });
    return {counters.begin(), counters.end()};
  }
};

TEST_F(ThreadPoolTest, CallsEachIndexOnce) {
  for (int64_t count : {0, 1, 2, 3, 7, 64, 1000, 100000}) {
    std::vector<int> seen = calls(count);
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), count);
  }
}

TEST_F(ThreadPoolTest, WritesOfTasksAreSeenAfterRun) {
  std::vector<int64_t> values(4096);
  for (int64_t round = 1; round <= 200; ++round) {
    pool.run(64, [&](int64_t block) {
      for (int64_t i = 64 * block; i < 64 * (block + 1); ++i) values[i] = round * i;
    });
    for (int64_t i = 0; i < 4096; ++i) ASSERT_EQ(values[i], round * i);
  }
}

TEST_F(ThreadPoolTest, RethrowsATasksErrorAndStaysUsable) {
  for (int round = 0; round < 50; ++round) {
    try {
      pool.run(100, [](int64_t i) {
        if (i == 37) throw std::runtime_error("task 37");
      });
      FAIL() << "no error";
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(std::string(error.what()), "task 37");
    }
    std::vector<int> seen = calls(100);
    ASSERT_EQ(std::count(seen.begin(), seen.end(), 1), 100);
  }
}

TEST_F(ThreadPoolTest, AnInterruptEndsAJob) {
  for (int threads : {1, pool.threads()}) {
    pool.set_threads(threads);
    std::atomic<int> calls{0};
    auto task = [&](int64_t) {
      if (++calls == 10) request_interrupt();
    };
    EXPECT_THROW(pool.run(1'000'000, task), InterruptedError);
    EXPECT_LT(calls.load(), 500'000);
    pool.run(100, [&](int64_t) { ++calls; });
    EXPECT_GE(calls.load(), 110);
  }
}

TEST_F(ThreadPoolTest, ErrorOfASingleTaskIsRethrown) {
  EXPECT_THROW(pool.run(1, [](int64_t) { throw std::invalid_argument("one"); }),
               std::invalid_argument);
  std::vector<int> seen = calls(10);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), 10);
}

TEST_F(ThreadPoolTest, ARunInsideATaskStaysOnItsThread) {
  std::atomic<int> inner_calls{0};
  std::atomic<int> strangers{0};
  pool.run(16, [&](int64_t) {
    auto self = std::this_thread::get_id();
    pool.run(8, [&](int64_t) {
      inner_calls.fetch_add(1);
      if (std::this_thread::get_id() != self) strangers.fetch_add(1);
    });
  });
  EXPECT_EQ(inner_calls.load(), 128);
  EXPECT_EQ(strangers.load(), 0);
}

TEST_F(ThreadPoolTest, ManyThreadsMayRunAtOnce) {
  std::atomic<int64_t> total{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        pool.run(10, [&](int64_t i) { total.fetch_add(i); });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total.load(), 8 * 200 * 45);
}

TEST_F(ThreadPoolTest, LimitIsClampedAndObeyed) {
  pool.set_threads(0);
  EXPECT_EQ(pool.threads(), 1);
  std::set<std::thread::id> used;
  pool.run(1000, [&](int64_t) { used.insert(std::this_thread::get_id()); });
  EXPECT_EQ(used, std::set{std::this_thread::get_id()});
  pool.set_threads(1 << 20);
  EXPECT_GE(pool.threads(), threads_before);
  EXPECT_LE(pool.threads(), static_cast<int>(std::thread::hardware_concurrency()));
}

TEST_F(ThreadPoolTest, UsesTheOtherCores) {
  if (pool.threads() < 2) GTEST_SKIP() << "one core only";
  std::mutex mutex;
  std::set<std::thread::id> used;
  // Tasks that last a millisecond leave a sleeping worker the time to wake.
  for (int round = 0; round < 100 && used.size() < 2; ++round) {
    pool.run(8, [&](int64_t) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::lock_guard lock(mutex);
      used.insert(std::this_thread::get_id());
    });
  }
  EXPECT_GE(used.size(), 2u);
}

TEST_F(ThreadPoolTest, TakesWhatASlowThreadHasNotBegun) {
  if (pool.threads() < 2) GTEST_SKIP() << "one core only";
  using Clock = std::chrono::steady_clock;
  std::atomic<int> others{0};
  auto deadline = Clock::now() + std::chrono::seconds(20);
  pool.run(100, [&](int64_t i) {
    if (i != 0) others.fetch_add(1);
    while (i == 0 && others.load() < 99 && Clock::now() < deadline) std::this_thread::yield();
    if (i == 0) {
      EXPECT_EQ(others.load(), 99);
    }
  });
}

TEST_F(ThreadPoolTest, WorksAfterTheWorkersFellAsleep) {
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::vector<int> seen = calls(1000);
    ASSERT_EQ(std::count(seen.begin(), seen.end(), 1), 1000);
  }
}

TEST_F(ThreadPoolTest, AForkedChildRunsToo) {
#ifdef LAZULI_UNDER_TSAN
  GTEST_SKIP() << "the thread sanitizer allows no threads in a forked child";
#endif
  std::vector<int> before = calls(100);
  ASSERT_EQ(std::count(before.begin(), before.end(), 1), 100);
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::vector<int> seen = calls(1000);
    _exit(std::count(seen.begin(), seen.end(), 1) == 1000 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace lazuli
