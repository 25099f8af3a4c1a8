#include "backends/cpu/kernels/packed/packed_dequantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "backends/reference/packed.h"
#include "kernels/packed_random.h"
#include "lazuli/error.h"

namespace lazuli {
namespace {

struct Fixture {
  PackedFormat format;
  std::vector<std::byte> blocks;
  std::vector<float> values;  // what PyPI gguf gives
};

std::vector<Fixture> fixtures() {
  std::ifstream file(LAZULI_SOURCE_DIR "/tests/kernels/packed_fixture.bin", std::ios::binary);
  std::vector<Fixture> all;
  uint32_t head[2];
  while (file.read(reinterpret_cast<char*>(head), sizeof head)) {
    Fixture f{packed_format_from_gguf(head[0]).value(), {}, {}};
    const PackedFormatInfo& info = packed_format_info(f.format);
    f.blocks.resize(static_cast<size_t>(info.block_bytes) * head[1]);
    f.values.resize(static_cast<size_t>(info.block_elements) * head[1]);
    file.read(reinterpret_cast<char*>(f.blocks.data()),
              static_cast<std::streamsize>(f.blocks.size()));
    file.read(reinterpret_cast<char*>(f.values.data()),
              static_cast<std::streamsize>(f.values.size() * sizeof(float)));
    EXPECT_TRUE(file.good());
    all.push_back(std::move(f));
  }
  return all;
}

// Bits equal, or both NaN.
::testing::AssertionResult same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << "sizes differ";
  for (size_t i = 0; i < a.size(); ++i) {
    bool same = std::memcmp(&a[i], &b[i], sizeof(float)) == 0;
    if (same || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    return ::testing::AssertionFailure() << "element " << i << ": " << a[i] << " and " << b[i];
  }
  return ::testing::AssertionSuccess();
}

TEST(PackedDequantize, ReferenceIsBitEqualToGguf) {
  std::vector<Fixture> all = fixtures();
  ASSERT_EQ(all.size(), static_cast<size_t>(packed_format_count));
  for (const Fixture& f : all) {
    std::vector<float> out(f.values.size());
    reference::dequantize(f.format, f.blocks.data(), static_cast<int64_t>(out.size()), out.data());
    EXPECT_TRUE(same_bits(out, f.values)) << packed_format_info(f.format).name;
  }
}

TEST(PackedDequantize, KernelIsBitEqualToGguf) {
  std::vector<Fixture> all = fixtures();
  test::for_each_target([&](const char* target) {
    for (const Fixture& f : all) {
      std::vector<float> out(f.values.size());
      cpu::packed_dequantize(f.format, f.blocks.data(), static_cast<int64_t>(out.size()),
                             out.data(), float32);
      EXPECT_TRUE(same_bits(out, f.values)) << packed_format_info(f.format).name << target;
    }
  });
}

// The values as `T`, rounded from the reference.
template <class T>
void expect_rounded(PackedFormat format, Dtype dtype, const char* target) {
  int64_t elements = 256 * 300;
  std::vector<std::byte> w = test::random_packed(format, 1, elements, 7);
  std::vector<float> reference(static_cast<size_t>(elements));
  reference::dequantize(format, w.data(), elements, reference.data());
  std::vector<T> out(static_cast<size_t>(elements));
  cpu::packed_dequantize(format, w.data(), elements, out.data(), dtype);
  int64_t wrong = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    T rounded(reference[i]);
    wrong += std::memcmp(&out[i], &rounded, sizeof(T)) != 0;
  }
  EXPECT_EQ(wrong, 0) << packed_format_info(format).name << " " << dtype_name(dtype) << " "
                      << target;
}

TEST(PackedDequantize, HalfTypesRoundFromFloat) {
  test::for_each_target([&](const char* target) {
    for (PackedFormat format : test::all_packed_formats()) {
      expect_rounded<float>(format, float32, target);
      expect_rounded<bfloat16_t>(format, bfloat16, target);
      expect_rounded<float16_t>(format, float16, target);
    }
  });
}

TEST(PackedDequantize, GatherTakesRowsByIndex) {
  constexpr int64_t rows = 37, columns = 512;
  for (PackedFormat format : test::all_packed_formats()) {
    std::vector<std::byte> w = test::random_packed(format, rows, columns, 9);
    std::vector<float> all(rows * columns);
    reference::dequantize(format, w.data(), rows * columns, all.data());
    std::vector<int32_t> indices = {0, 36, -1, 5, 5, -37, 17};
    std::vector<float> out(indices.size() * columns);
    cpu::packed_gather({format, w.data(), rows, columns, indices.data(), int32,
                        static_cast<int64_t>(indices.size()), out.data(), float32});
    std::vector<float> expected;
    for (int32_t index : indices) {
      auto row = all.begin() + (index < 0 ? index + rows : index) * columns;
      expected.insert(expected.end(), row, row + columns);
    }
    EXPECT_TRUE(same_bits(out, expected)) << packed_format_info(format).name;
  }
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

TEST(PackedDequantize, ErrorsNameTheMistake) {
  std::vector<std::byte> w = test::random_packed(PackedFormat::q8_0, 2, 32, 1);
  std::vector<float> out(64);
  int64_t index = 2;
  cpu::PackedGather gather{PackedFormat::q8_0, w.data(), 2, 32, &index, int64, 1,
                           out.data(),         float32};
  EXPECT_EQ(message_of([&] { cpu::packed_gather(gather); }),
            "[packed_take] index 2 at position 0 is outside a matrix of 2 rows");
  EXPECT_THROW(cpu::packed_gather(gather), IndexError);
  gather.index_dtype = float32;
  EXPECT_THROW(cpu::packed_gather(gather), ArgumentError);
  EXPECT_THROW(cpu::packed_dequantize(PackedFormat::q8_0, w.data(), 33, out.data(), float32),
               ArgumentError);
  EXPECT_EQ(message_of([&] {
              cpu::packed_dequantize(PackedFormat::q8_0, w.data(), 32, out.data(), int32);
            }),
            "packed_dequantize: packed weights become float32, bfloat16 or float16, not int32; "
            "convert the result with astype");
}

}  // namespace
}  // namespace lazuli
