#include <gtest/gtest.h>
#include "backends/cuda/driver.h"
TEST(EmulatedCuda, isFound) {
  ASSERT_TRUE(lazuli::cuda::find_driver()) << lazuli::cuda::missing_driver();
}
