// Memory on a device that arrays share with other libraries there. The other library is a stream of
// its own with the backend's plain copies.
#include "lazuli/exchange.h"

#include <gtest/gtest.h>

#include "base/flags.h"
#include "core/node.h"
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

Buffer* buffer_of(const array& a) { return a.node()->value->layout.buffer; }
Backend& device() { return *find_backend(gpu); }

std::vector<float> values_of(const array& a) {
  array dense = contiguous(a, false, cpu);
  const float* first = std::as_const(dense).data<float>();
  return {first, first + dense.size()};
}

// Another library on the device.
class Library {
 public:
  Stream stream = new_stream(gpu);
  std::uintptr_t handle() const { return native_stream(stream); }
  void write(void* place, const std::vector<float>& values) const {
    device().upload(place, values.data(), values.size() * sizeof(float), stream.index);
  }
  // After its own work.
  std::vector<float> read(const void* place, size_t count) const {
    std::vector<float> values(count);
    Work all(stream.index, device().open_ticket(stream.index));
    device().download(values.data(), place, count * sizeof(float), all);
    return values;
  }
};

// Device memory that the library owns.
struct Owned {
  size_t bytes;
  void* place;
  bool given_back = false;
  explicit Owned(size_t count)
      : bytes((count * sizeof(float) + 63) / 64 * 64), place(device().allocate(bytes)) {}
  ~Owned() { device().free(place, bytes); }
  Deleter deleter() {
    return [this](void* memory) {
      EXPECT_EQ(memory, place);
      given_back = true;
    };
  }
};

array on_gpu(Shape shape, unsigned seed) {
  array x = exp(filled(std::move(shape), float32, -1, 1, seed), gpu);
  x.eval();
  return x;
}

// What nobody waits for is not done yet.
array long_work(array x) {
  for (int k = 0; k < 12; ++k) x = sin(tan(x, gpu), gpu);
  return x;
}

TEST(Exchange, TellsWhetherElementsShareAPlace) {
  EXPECT_FALSE(may_overlap({}, {}));
  EXPECT_FALSE(may_overlap({3, 4}, {4, 1}));
  EXPECT_FALSE(may_overlap({3, 4}, {1, 3}));
  EXPECT_FALSE(may_overlap({3, 4}, {-8, 2}));
  EXPECT_FALSE(may_overlap({1, 4}, {0, 1}));
  EXPECT_FALSE(may_overlap({0, 4}, {0, 0}));
  EXPECT_TRUE(may_overlap({3, 4}, {0, 1}));
  EXPECT_TRUE(may_overlap({3, 2}, {1, 1}));
  EXPECT_TRUE(may_overlap({3, 4}, {3, -1}));
}

TEST(Exchange, TellsWhereAValueLies) {
  array x = filled({16}, float32, -1, 1, 1), y = exp(x, gpu);
  EXPECT_EQ(device_of(x), cpu);
  EXPECT_EQ(device_of(y), gpu);
  EXPECT_EQ(device_of(x), cpu);  // on both, but not computed there
  values_of(y);
  EXPECT_EQ(device_of(y), gpu);
  y.data<float>()[0] = 1;
  EXPECT_EQ(device_of(y), cpu);
  EXPECT_EQ(device_of(array(2.0f)), cpu);
  EXPECT_EQ(dlpack_type(cpu), 1);
  EXPECT_NE(dlpack_type(gpu), 1);
  EXPECT_EQ(native_stream(default_stream(cpu)), 0u);
}

TEST(Exchange, TheConsumersStreamWaitsForTheValue) {
  Library library;
  for (unsigned seed = 0; seed < 10; ++seed) {
    array y = long_work(on_gpu({1 << 16}, seed));
    DeviceExport exported(y, gpu);
    exported.order_before(library.handle());
    EXPECT_EQ(exported.data(), buffer_of(y)->device);
    ASSERT_EQ(library.read(exported.data(), y.size()), values_of(y)) << seed;
  }
}

TEST(Exchange, WhatTheConsumerWritesIsSeenThereAndOnTheHost) {
  Library library;
  array x = on_gpu({8}, 2);
  values_of(x);  // a copy on the host, which is of the past soon
  {
    DeviceExport exported(x, gpu);
    exported.order_before(library.handle());
    library.write(exported.data(), std::vector<float>(8, 3.0f));
    synchronize(library.stream);
    EXPECT_EQ(values_of(x), std::vector<float>(8, 3.0f));
    EXPECT_EQ(sum(x, gpu).item<float>(), 24.0f);
    library.write(exported.data(), std::vector<float>(8, 4.0f));
  }
  // The end of the export orders by itself.
  EXPECT_EQ(sum(x, gpu).item<float>(), 32.0f);
  EXPECT_EQ(values_of(x), std::vector<float>(8, 4.0f));
  ResidencyStatistics before = residency_statistics();
  values_of(x);
  EXPECT_EQ(residency_statistics().downloads, before.downloads);
}

TEST(Exchange, AnExportStaysInItsPlaceAndIsNotTakenOver) {
  array x = on_gpu({4096}, 3);
  std::vector<float> wanted = values_of(x);
  auto exported = std::make_unique<DeviceExport>(x, gpu);
  void* place = exported->data();
  move_away(device(), ~size_t{0} >> 1);
  EXPECT_EQ(buffer_of(x)->device, place);
  x = add(x, array(1.0f), gpu);
  x.eval();
  EXPECT_NE(buffer_of(x)->device, place);
  EXPECT_EQ(Library().read(place, 4096), wanted);
  array y = slice_update(x, zeros({3}, float32, gpu), {0}, {3}, gpu);
  exported.reset();
  y.eval();
  EXPECT_GT(move_away(device(), ~size_t{0} >> 1), 0u);
}

TEST(Exchange, MemoryIsUsedAgainAfterTheConsumersWork) {
  Library library;
  for (unsigned seed = 0; seed < 50; ++seed) {
    array x = on_gpu({1024}, seed), kept = copy(x, gpu);
    std::vector<float> wanted = values_of(kept);
    auto exported = std::make_unique<DeviceExport>(x, gpu);
    exported->order_before(library.handle());
    array mine = import_memory(exported->data(), {1024}, float32, library.stream, [](void*) {});
    array late = sin(arccos(tanh(mine, library.stream), library.stream), library.stream);
    async_eval({late});
    x = array(0.0f);
    exported.reset();
    array other = full({1024}, 7.0f, float32, gpu);
    array next = add(other, array(1.0f), gpu);
    next.eval();
    ASSERT_EQ(values_of(late), values_of(sin(arccos(tanh(kept, gpu), gpu), gpu))) << seed;
  }
}

TEST(Exchange, ImportedMemoryIsReadWhereItLies) {
  Library library;
  Owned owned(24);
  std::vector<float> values(24);
  for (size_t k = 0; k < values.size(); ++k) values[k] = static_cast<float>(k);
  size_t before = get_active_memory(gpu);
  {
    library.write(owned.place, values);
    array x = import_memory(owned.place, {4, 6}, float32, library.stream, owned.deleter());
    EXPECT_EQ(device_of(x), gpu);
    EXPECT_EQ(get_active_memory(gpu), before);
    EXPECT_EQ(sum(x, gpu).item<float>(), 276.0f);  // on another stream
    EXPECT_EQ(values_of(transpose(x, gpu))[1], 6.0f);
    EXPECT_EQ(sum(x, cpu).item<float>(), 276.0f);
    array y = multiply(x, x, gpu);
    EXPECT_TRUE(testing::agrees({y, slice(x, {1, 1}, {3, 4}, gpu)}));
    move_away(device(), ~size_t{0} >> 1);
    EXPECT_EQ(buffer_of(x)->device, owned.place);
    EXPECT_FALSE(owned.given_back);
  }
  EXPECT_TRUE(owned.given_back);
}

TEST(Exchange, TheOwnersWritesAreSeen) {
  Library library;
  Owned owned(8);
  library.write(owned.place, std::vector<float>(8, 1.0f));
  array x = import_memory(owned.place, {8}, float32, library.stream, owned.deleter());
  EXPECT_EQ(values_of(x), std::vector<float>(8, 1.0f));
  library.write(owned.place, std::vector<float>(8, 2.0f));
  synchronize(library.stream);
  EXPECT_EQ(values_of(x), std::vector<float>(8, 2.0f));
  EXPECT_EQ(sum(x, cpu).item<float>(), 16.0f);
  EXPECT_EQ(sum(x, gpu).item<float>(), 16.0f);
}

TEST(Exchange, ImportedMemoryIsGivenBackAfterTheWorkThatReadsIt) {
  Library library;
  Owned owned(1 << 16);
  const std::vector<float> values(1 << 16, 0.5f), others(1 << 16, 9.0f);
  for (int k = 0; k < 10; ++k) {
    library.write(owned.place, values);
    bool given_back = false;
    Deleter deleter = [&](void* place) {
      library.write(place, others);
      synchronize(library.stream);
      given_back = true;
    };
    array x = import_memory(owned.place, {1 << 16}, float32, library.stream, deleter);
    array y = add(long_work(exp(on_gpu({1 << 16}, 6), gpu)), x, gpu), z = subtract(y, x, gpu);
    async_eval({y, z});
    x = array(0.0f);
    eval(y, z);
    ASSERT_TRUE(given_back);
    ASSERT_NEAR(values_of(subtract(y, z, gpu))[77], 0.5f, 1e-5);
  }
}

TEST(Exchange, AnImportIsExportedAgain) {
  Library library;
  Owned owned(8);
  library.write(owned.place, std::vector<float>(8, 1.0f));
  array x = import_memory(owned.place, {8}, float32, library.stream, owned.deleter());
  array part = slice(x, {2}, {8}, {2}, gpu);
  part.eval();
  DeviceExport exported(part, gpu);
  EXPECT_EQ(exported.data(), static_cast<float*>(owned.place) + 2);
  EXPECT_EQ(exported.strides(), Strides{2});
  x = part = array(0.0f);
  EXPECT_FALSE(owned.given_back);
}

TEST(Exchange, TheOtherSideGetsACopy) {
  array x = on_gpu({8}, 4);
  std::vector<float> wanted = values_of(x);
  {
    DeviceExport there(x, gpu);
    HostExport here(x);
    static_cast<float*>(here.data())[0] = 9.0f;
    EXPECT_EQ(values_of(x), wanted);
    EXPECT_EQ(device_of(x), gpu);
  }
  HostExport here(x);
  DeviceExport there(x, gpu);
  Library library;
  there.order_before(library.handle());
  EXPECT_EQ(library.read(there.data(), 8), wanted);
  static_cast<float*>(here.data())[0] = 9.0f;
  EXPECT_EQ(sum(slice(x, {0}, {1}, gpu), gpu).item<float>(), 9.0f);
}

TEST(Exchange, HostValuesAndConstantsGoToTheDevice) {
  array x = filled({8}, float32, -1, 1, 5);
  Library library;
  DeviceExport exported(x, gpu), constant(array(2.5f), gpu);
  exported.order_before(library.handle());
  constant.order_before(library.handle());
  EXPECT_EQ(library.read(exported.data(), 8), values_of(x));
  EXPECT_EQ(library.read(constant.data(), 1), std::vector<float>{2.5f});
  // Memory of somebody else is copied: nothing may be written there.
  float memory[4] = {1, 2, 3, 4};
  array wrapped(memory, {4}, float32, [](void*) {});
  DeviceExport other(wrapped, gpu);
  other.order_before(library.handle());
  library.write(other.data(), std::vector<float>(4, 7.0f));
  synchronize(library.stream);
  EXPECT_EQ(sum(wrapped, gpu).item<float>(), 10.0f);
}

TEST(Exchange, TheHostHasNoDeviceMemoryToShare) {
  float value = 1;
  EXPECT_THROW(DeviceExport(array(1.0f), cpu), DeviceError);
  EXPECT_THROW(import_memory(&value, {1}, float32, default_stream(cpu), [](void*) {}), DeviceError);
  EXPECT_THROW(dlpack_type(Device(Device::gpu, 7)), DeviceError);
}

}  // namespace
}  // namespace lazuli
