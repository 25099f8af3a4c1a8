// The chains of the elementwise rows, as bench/peers/rows.py has them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "lazuli/lazuli.h"

namespace lazuli::bench {

constexpr int64_t elements = int64_t{1} << 24;
constexpr int64_t side = 4096;

// A half of the dtype of `like`: a float would promote half types.
inline array one_half(const array& like) { return array(0.5f, like.dtype()); }

inline array chain_tanh(const array& a, const array& b) {
  return tanh(a * b + a) * sigmoid(b) - a * one_half(a) + b;
}

inline array chain_8(const array& a, const array& b) {
  array y = (a + b) * a;
  y = (maximum(y, b) + a) * b;
  return (maximum(y, a) + b) * a;
}

// Normal values from a fixed seed, evaluated. Long arrays repeat their first 2^16 values: drawing
// them all takes longer than what is measured.
inline array random_array(Shape shape, Dtype dtype, uint32_t seed) {
  int64_t count = 1;
  for (auto extent : shape) count *= extent;
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  size_t drawn = std::min(values.size(), size_t{1} << 16);
  for (size_t i = 0; i < drawn; ++i) values[i] = normal(engine);
  for (size_t i = drawn; i < values.size(); ++i) values[i] = values[i - drawn];
  array made(values.begin(), std::move(shape), dtype);
  made.eval();
  return made;
}

struct NamedDtype {
  const char* name;
  Dtype dtype;
};
inline const NamedDtype float_dtypes[] = {{"f32", float32}, {"bf16", bfloat16}, {"f16", float16}};

}  // namespace lazuli::bench
