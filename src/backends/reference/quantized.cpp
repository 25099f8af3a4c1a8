#include "backends/reference/quantized.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace lazuli::reference {

namespace {

struct Group {
  float scale;
  float bias;
};

// The end of the range that is larger in magnitude is kept exact: it gets a level of its own, which
// the scale is adjusted to. With one bit the two levels are the two ends.
Group fit_group(const float* w, int count, int bits) {
  float low = *std::min_element(w, w + count), high = *std::max_element(w, w + count);
  for (int i = 0; i < count; ++i) {
    if (std::isnan(w[i])) return {w[i], w[i]};
  }
  const float least_scale = 1e-7f;
  if (bits == 1) return {std::max(high - low, least_scale), low};
  bool low_is_edge = std::abs(low) > std::abs(high);
  float scale = std::max((high - low) / static_cast<float>((1 << bits) - 1), least_scale);
  if (!low_is_edge) scale = -scale;
  float edge = low_is_edge ? low : high;
  float level = std::nearbyint(edge / scale);
  if (level == 0) return {scale, 0};
  return {edge / level, edge};
}

uint32_t level_of(float w, const Group& g, int bits) {
  float level = std::nearbyint((w - g.bias) / g.scale);
  float most = static_cast<float>((1 << bits) - 1);
  if (!(level > 0)) return 0;
  return static_cast<uint32_t>(std::min(level, most));
}

uint32_t level_at(const uint32_t* row, int64_t index, int bits) {
  uint32_t level = 0;
  for (int b = 0; b < bits; ++b) {
    int64_t bit = index * bits + b;
    level |= (row[bit / 32] >> (bit % 32) & 1) << b;
  }
  return level;
}

}  // namespace

void quantize(const float* w, const QuantizedShape& s, uint32_t* w_q, float* scales,
              float* biases) {
  std::fill(w_q, w_q + s.rows * s.row_words(), 0u);
  for (int64_t row = 0; row < s.rows; ++row) {
    uint32_t* words = w_q + row * s.row_words();
    for (int64_t g = 0; g < s.row_groups(); ++g) {
      const float* values = w + row * s.columns + g * s.group;
      Group group = fit_group(values, s.group, s.bits);
      scales[row * s.row_groups() + g] = group.scale;
      biases[row * s.row_groups() + g] = group.bias;
      for (int64_t i = 0; i < s.group; ++i) {
        uint32_t level = level_of(values[i], group, s.bits);
        for (int b = 0; b < s.bits; ++b) {
          int64_t bit = (g * s.group + i) * s.bits + b;
          words[bit / 32] |= (level >> b & 1) << (bit % 32);
        }
      }
    }
  }
}

void dequantize(const uint32_t* w_q, const float* scales, const float* biases,
                const QuantizedShape& s, double* out) {
  for (int64_t row = 0; row < s.rows; ++row) {
    for (int64_t i = 0; i < s.columns; ++i) {
      int64_t group = row * s.row_groups() + i / s.group;
      double level = level_at(w_q + row * s.row_words(), i, s.bits);
      out[row * s.columns + i] = level * scales[group] + biases[group];
    }
  }
}

void quantized_matmul(const float* x, int64_t m, const uint32_t* w_q, const float* scales,
                      const float* biases, const QuantizedShape& s, bool transpose, double* out) {
  std::vector<double> w(static_cast<size_t>(s.rows * s.columns));
  dequantize(w_q, scales, biases, s, w.data());
  int64_t n = transpose ? s.rows : s.columns, k = transpose ? s.columns : s.rows;
  int64_t step = transpose ? 1 : s.columns, next = transpose ? s.columns : 1;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l) sum += x[i * k + l] * w[j * next + l * step];
      out[i * n + j] = sum;
    }
  }
}

}  // namespace lazuli::reference
