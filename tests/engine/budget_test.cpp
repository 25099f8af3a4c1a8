// A device whose memory is too small for all that is asked of it: arrays move to the host and back.
#include <gtest/gtest.h>

#include "base/flags.h"
#include "engine/random_graph.h"

#include "runtime/registry.h"
#include "runtime/residency.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::filled;

const Device gpu(Device::gpu);
const Device cpu(Device::cpu);
constexpr size_t mebibyte = size_t{1} << 20;

// Room for so many more bytes on the GPU, for a scope.
class Room {
 public:
  explicit Room(size_t bytes) {
    clear_cache(gpu);
    before_ = set_memory_limit(get_active_memory(gpu) + bytes, gpu);
  }
  ~Room() { set_memory_limit(before_, gpu); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

 private:
  size_t before_;
};

uint64_t moved_away() { return residency_statistics().moved_away; }

// A model of layers of a mebibyte each.
struct Model {
  std::vector<array> weights;
  explicit Model(size_t layers) {
    for (size_t k = 0; k < layers; ++k) {
      weights.push_back(filled({512, 512}, float32, -0.1, 0.1, static_cast<unsigned>(k)));
    }
  }
  array operator()(array x, StreamOrDevice s) const {
    for (const array& w : weights) x = add(tanh(matmul(x, w, s), s), x, s);
    return x;
  }
};

TEST(Budget, AModelOfOneAndAHalfTimesItGivesTheSame) {
  Model model(12);
  array x = filled({4, 512}, float32, -1, 1, 100);
  array whole = model(x, gpu);
  whole.eval();
  uint64_t before = moved_away();
  // Its weights are on the GPU: they make room for each other.
  move_away(*find_backend(gpu), 12 * mebibyte);
  Room room(8 * mebibyte);
  for (int pass = 0; pass < 3; ++pass) {
    array again = model(x, gpu);
    again.eval();
    EXPECT_LE(get_active_memory(gpu), get_memory_limit(gpu));
    EXPECT_TRUE(array_equal(again, whole, false, cpu).item<bool>());
  }
  EXPECT_GE(moved_away(), before + 12);
}

TEST(Budget, ResultsThatAreHeldMoveToTheHost) {
  Room room(4 * mebibyte);
  uint64_t before = moved_away();
  std::vector<array> results;
  for (int k = 0; k < 12; ++k) {
    array value = full({512, 512}, static_cast<float>(k), float32, gpu);
    results.push_back(add(value, array(1.0f), gpu));
    results.back().eval();
  }
  EXPECT_GE(moved_away(), before + 8);
  for (int k = 0; k < 12; ++k) {
    EXPECT_EQ(sum(results[static_cast<size_t>(k)], gpu).item<float>(), (k + 1) * 512.0f * 512.0f);
  }
}

TEST(Budget, StreamsSideBySideShareIt) {
  Model model(6);
  array x = filled({4, 512}, float32, -1, 1, 101), y = filled({4, 512}, float32, -1, 1, 102);
  array x_whole = model(x, gpu), y_whole = model(y, gpu);
  eval(x_whole, y_whole);
  Room room(5 * mebibyte);
  Stream first = new_stream(gpu), second = new_stream(gpu);
  for (int pass = 0; pass < 3; ++pass) {
    array a = model(x, first), b = model(y, second);
    eval(a, b);
    EXPECT_TRUE(array_equal(a, x_whole, false, cpu).item<bool>());
    EXPECT_TRUE(array_equal(b, y_whole, false, cpu).item<bool>());
  }
}

TEST(Budget, WhatDoesNotFitIsAnErrorAfterWhichAllGoesOn) {
  Model model(3);
  array x = filled({4, 512}, float32, -1, 1, 103);
  array whole = model(x, gpu);
  whole.eval();
  {
    Room room(mebibyte / 2);
    array large = exp(filled({1024, 1024}, float32, -1, 1, 104), gpu);
    EXPECT_THROW(large.eval(), MemoryError);
    EXPECT_EQ(sum(ones({10}, float32, gpu), gpu).item<float>(), 10.0f);
  }
  array again = model(x, gpu);
  EXPECT_TRUE(array_equal(again, whole, false, cpu).item<bool>());
}

TEST(Budget, RandomGraphsGiveTheSameWhereTheyFit) {
  StreamContext scope{StreamOrDevice(gpu)};
  uint64_t before = moved_away();
  auto graphs = static_cast<uint64_t>(std::min(flags().test_graphs, 2000));
  for (uint64_t seed = 0; seed < graphs; ++seed) {
    auto graph = testing::build(seed, 0);
    Room room(768);
    try {
      ASSERT_TRUE(testing::agrees(graph.outputs, 60)) << "seed " << seed;
    } catch (const MemoryError&) {
      // A step alone needs more.
    }
  }
  EXPECT_GE(moved_away(), before + graphs / 40);
}

TEST(Budget, BelongsToADevice) {
  size_t host = get_memory_limit(cpu), device = get_memory_limit(gpu);
  EXPECT_EQ(set_memory_limit(device / 2, gpu), device);
  EXPECT_EQ(get_memory_limit(cpu), host);
  EXPECT_EQ(set_memory_limit(device, gpu), device / 2);
  EXPECT_THROW(get_memory_limit(Device(Device::gpu, 7)), DeviceError);
  size_t before = get_active_memory(gpu), here = get_active_memory(cpu);
  array x = filled({512, 512}, float32, -1, 1, 105);
  array y = exp(x, gpu);
  y.eval();
  EXPECT_GE(get_active_memory(gpu), before + 2 * mebibyte);
  EXPECT_LE(get_active_memory(cpu), here + mebibyte + 4096);
}

}  // namespace
}  // namespace lazuli
