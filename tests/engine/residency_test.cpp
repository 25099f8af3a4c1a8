// Values on a device with memory of its own: how often they move, and who sees which copy.
#include <gtest/gtest.h>

#include "base/flags.h"
#include "core/node.h"
#include "lazuli/interrupt.h"
#include "runtime/allocator.h"
#include "runtime/registry.h"
#include "runtime/residency.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::filled;

// Before the first array asks which devices there are.
[[maybe_unused]] const int with_fake_device = flags().fake_device |= !flags().gpu;

const Device gpu(Device::gpu);
const Device cpu(Device::cpu);

struct Moves {
  ResidencyStatistics start = residency_statistics();
  uint64_t up() const { return residency_statistics().uploads - start.uploads; }
  uint64_t down() const { return residency_statistics().downloads - start.downloads; }
};

Buffer* buffer_of(const array& a) { return a.node()->value->layout.buffer; }

TEST(Residency, AHostBuiltArrayMovesOnceAndStays) {
  array x = filled({100}, float32, -1, 1, 1);
  Moves moves;
  for (int i = 0; i < 5; ++i) exp(x, gpu).eval();
  EXPECT_EQ(moves.up(), 1u);
  EXPECT_EQ(moves.down(), 0u);
}

TEST(Residency, ResultsStayOnTheDeviceUntilTheHostReads) {
  array x = filled({100}, float32, -1, 1, 2);
  array y = exp(x, gpu);
  y.eval();
  EXPECT_EQ(buffer_of(y)->host, nullptr);
  Moves moves;
  array z = add(y, y, gpu);
  z.eval();
  EXPECT_EQ(moves.up() + moves.down(), 0u);
  const array& read = z;
  EXPECT_EQ(read.data<float>()[7], 2 * testing::values_of(y)[7].real());
  read.data<float>();
  EXPECT_EQ(moves.down(), 2u);  // y and z, once each
  multiply(z, y, gpu).eval();
  EXPECT_EQ(moves.up(), 0u);
}

TEST(Residency, AValueIsAvailableWhenItsDeviceHasMadeIt) {
  array x = filled({600, 600}, float32, -1e-2, 1e-2, 3), y = x;
  for (int i = 0; i < 20; ++i) y = matmul(y, x, gpu);
  async_eval({y});
  EXPECT_FALSE(y.is_available());
  y.eval();
  EXPECT_TRUE(y.is_available());
  EXPECT_TRUE(array(3.0f).is_available());
}

TEST(Residency, APlanBelongsToItsStream) {
  array x = filled({100}, float32, -1, 1, 8);
  array here = tanh(x, cpu), there = tanh(x, gpu);
  here.eval();
  there.eval();
  EXPECT_NE(buffer_of(here)->host, nullptr);
  EXPECT_EQ(buffer_of(there)->host, nullptr);
}

TEST(Residency, WritingOnTheHostMakesItsCopyTheOnlyOne) {
  array y = add(zeros({8}), array(1.0f), gpu);
  y.eval();
  y.data<float>()[3] = 5.0f;
  Moves moves;
  array total = sum(y, gpu);
  EXPECT_EQ(total.item<float>(), 12.0f);
  EXPECT_EQ(moves.up(), 1u);
}

TEST(Residency, DevicesUseEachOthersResults) {
  array x = filled({3, 50}, float32, -1, 1, 3);
  array a = exp(x, gpu);
  array b = multiply(a, x, cpu);
  array c = softmax(transpose(b, gpu), 0, false, gpu);
  EXPECT_TRUE(testing::agrees({a, b, c, matmul(c, b, gpu)}));
}

TEST(Residency, ViewsShareTheirBufferOnTheDevice) {
  array x = filled({6, 4}, float32, -1, 1, 4);
  array y = exp(x, gpu);
  array part = slice(y, {1, 0}, {5, 3}, gpu);
  eval(y, part);
  Moves moves;
  EXPECT_TRUE(testing::agrees({add(part, part, gpu)}));
  EXPECT_LE(moves.down(), 2u);
  EXPECT_EQ(buffer_of(y), buffer_of(part));
}

TEST(Residency, AnExportIsReadAnewByEveryStep) {
  array x = exp(filled({16}, float32, 0, 1, 5), gpu);
  x.eval();
  {
    HostExport exported(x);
    Moves moves;
    exp(x, gpu).eval();
    static_cast<float*>(exported.data())[0] = 3.0f;
    EXPECT_EQ(slice(multiply(x, array(2.0f), gpu), {0}, {1}, gpu).item<float>(), 6.0f);
    EXPECT_EQ(moves.up(), 2u);
  }
  Moves moves;
  eval(exp(x, gpu));
  eval(exp(x, gpu));
  EXPECT_EQ(moves.up(), 1u);
}

TEST(Residency, BuffersAreTakenOverOnTheDevice) {
  array x = add(zeros({1 << 12}, float32, gpu), array(1.0f), gpu);
  x.eval();
  void* place = buffer_of(x)->device;
  array y = multiply(x, array(2.0f), gpu);
  x = array(0.0f);
  y.eval();
  EXPECT_EQ(buffer_of(y)->device, place);
  array z = slice_update(y, ones({3}, float32, gpu), {0}, {3}, gpu);
  y = array(0.0f);
  z.eval();
  EXPECT_EQ(buffer_of(z)->device, place);
  EXPECT_EQ(sum(z, gpu).item<float>(), 2 * 4093 + 3.0f);
}

TEST(Residency, MemoryOfTheDeviceIsGivenBack) {
  Allocator& memory = allocator_of(*find_backend(gpu));
  size_t before = memory.active();
  {
    array x = filled({1 << 14}, float32, -1, 1, 6);
    array y = exp(x, gpu);
    y.eval();
    EXPECT_GE(memory.active(), before + 2 * (1 << 16));
  }
  EXPECT_EQ(memory.active(), before);
}

TEST(Prefetch, MovesEachArrayOnceAndTellsHowFar) {
  array x = filled({100}, float32, -1, 1, 5), y = filled({0, 3}, float32, -1, 1, 6);
  array z = filled({50}, float32, -1, 1, 7);
  std::vector<size_t> heard;
  Moves moves;
  prefetch({x, y, z}, gpu, [&](size_t done, size_t all) {
    EXPECT_EQ(all, 600u);
    heard.push_back(done);
  });
  EXPECT_EQ(heard, (std::vector<size_t>{400, 400, 600}));
  EXPECT_EQ(moves.up(), 3u);
  exp(x, gpu).eval();
  prefetch({x, z}, gpu);
  EXPECT_EQ(moves.up(), 3u);
  prefetch({}, gpu, [&](size_t done, size_t all) { EXPECT_EQ(done, all); });
  EXPECT_THROW(prefetch({x}, Device(Device::gpu, 7)), DeviceError);
}

TEST(Prefetch, MayBeInterrupted) {
  array x = filled({100}, float32, -1, 1, 8), y = filled({100}, float32, -1, 1, 9);
  Moves moves;
  auto interrupt = [](size_t, size_t) { request_interrupt(); };
  EXPECT_THROW(prefetch({x, y}, gpu, interrupt), InterruptedError);
  EXPECT_EQ(moves.up(), 1u);
  prefetch({x, y}, gpu);
  EXPECT_EQ(moves.up(), 2u);
}

TEST(Devices, StreamsBelongToThem) {
  EXPECT_EQ(device_count(Device::gpu), 1);
  EXPECT_EQ(why_unavailable(gpu), "");
  EXPECT_NE(why_unavailable(Device(Device::gpu, 7)).find("gpu:0"), std::string::npos);
  Stream stream = new_stream(gpu);
  array x = exp(ones({4}), stream);
  EXPECT_EQ(x.stream(), stream);
  EXPECT_EQ(x.stream().device, gpu);
  x.eval();
  {
    StreamContext scope{StreamOrDevice(gpu)};
    EXPECT_EQ(default_device(), gpu);
    EXPECT_EQ(exp(x).stream().device, gpu);
  }
  EXPECT_EQ(default_device().type, flags().gpu ? Device::gpu : Device::cpu);
  EXPECT_THROW(new_stream(Device(Device::gpu, 7)), DeviceError);
  EXPECT_FALSE(std::get<std::string>(device_info(gpu)["device_name"]).empty());
  EXPECT_GT(std::get<size_t>(device_info(cpu)["memory_size"]), size_t{1} << 28);
  EXPECT_THROW(device_info(Device(Device::gpu, 7)), DeviceError);
}

}  // namespace
}  // namespace lazuli
