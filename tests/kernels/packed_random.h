// Random packed weights and a loop over Highway's targets, for the tests of packed kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "hwy/targets.h"
#include "lazuli/half.h"
#include "lazuli/packed_format.h"

namespace lazuli::test {

inline std::vector<PackedFormat> all_packed_formats() {
  std::vector<PackedFormat> all;
  for (int i = 0; i < packed_format_count; ++i) all.push_back(static_cast<PackedFormat>(i));
  return all;
}

// Where the f16 scales lie in a block.
inline std::vector<int> scale_offsets(PackedFormat format) {
  switch (format) {
    case PackedFormat::q4_0:
    case PackedFormat::q5_0:
    case PackedFormat::q8_0: return {0};
    case PackedFormat::q4_1:
    case PackedFormat::q5_1:
    case PackedFormat::q4_k:
    case PackedFormat::q5_k: return {0, 2};
    case PackedFormat::q2_k: return {80, 82};
    case PackedFormat::q3_k: return {108};
    case PackedFormat::q6_k: return {208};
  }
  return {};
}

inline void set_half(std::byte* at, float value) {
  float16_t half = value;
  std::memcpy(at, &half.bits, 2);
}

// [rows, columns] of random integers under scales of about 0.02, of either sign.
inline std::vector<std::byte> random_packed(PackedFormat format, int64_t rows, int64_t columns,
                                            uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  std::vector<std::byte> bytes(static_cast<size_t>(rows * packed_row_bytes(format, columns)));
  for (std::byte& b : bytes) b = static_cast<std::byte>(random() & 255);
  auto size = static_cast<size_t>(packed_format_info(format).block_bytes);
  for (size_t block = 0; block < bytes.size(); block += size) {
    for (int at : scale_offsets(format)) {
      set_half(bytes.data() + block + static_cast<size_t>(at), normal(random));
    }
  }
  return bytes;
}

// Calls body(name) with Highway's choice set to each target this machine can run, then resets it.
// Targets that the library was not compiled for run its baseline.
template <class Body>
void for_each_target(const Body& body) {
  int64_t supported = hwy::SupportedTargets();
  for (int64_t rest = supported; rest != 0; rest &= rest - 1) {
    int64_t target = rest & -rest;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    body(hwy::TargetName(target));
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace lazuli::test
