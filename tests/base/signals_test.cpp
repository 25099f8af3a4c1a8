#include "base/signals.h"

#include <gtest/gtest.h>
#include <sys/time.h>

#include <thread>

#include "lazuli/ops.h"

namespace lazuli {
namespace {

volatile sig_atomic_t seen = 0;
void count(int) { seen = seen + 1; }

TEST(Signals, WaitUntilTheScopeEnds) {
  auto before = signal(SIGUSR1, count);
  seen = 0;
  {
    SignalsBlocked blocked;
    raise(SIGUSR1);
    EXPECT_EQ(seen, 0);
  }
  EXPECT_EQ(seen, 1);
  signal(SIGUSR1, before);
}

// A timer that fires all the time must not disturb products.
TEST(Signals, ProductsAreRightBetweenThem) {
  auto before = signal(SIGALRM, count);
  seen = 0;
  itimerval often{{0, 500}, {0, 500}}, never{};
  setitimer(ITIMER_REAL, &often, nullptr);
  array x = full({256, 256}, 1.0f / 256), y = x;
  for (int i = 0; i < 200; ++i) y = matmul(y, x);
  float value = sum(y).item<float>();
  setitimer(ITIMER_REAL, &never, nullptr);
  EXPECT_FLOAT_EQ(value, 256.0f);
  EXPECT_GT(seen, 0);
  signal(SIGALRM, before);
}

}  // namespace
}  // namespace lazuli
