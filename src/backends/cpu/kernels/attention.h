// What the attention kernel's loops are given.
#pragma once

#include <cstdint>

#include "lazuli/dtype.h"

namespace lazuli::cpu {

struct AttentionOperand {
  const char* data;
  Dtype::Val dtype;
  int64_t strides[4];  // in elements

  template <class T>
  const T* at(int64_t i, int64_t j, int64_t k) const {
    return reinterpret_cast<const T*>(data) + i * strides[0] + j * strides[1] + k * strides[2];
  }
};

// queries [B, N, T, size], keys [B, M, S, size], values [B, M, S, value_size], each with its last
// axis together in memory. The rows of one head of keys are its queries: row r is query r / group
// of head r % group of the N / M = group heads that share it.
struct Attention {
  AttentionOperand q, k, v, mask;  // mask: boolean or float32, to [B, N, T, S] by strides of 0
  enum class Mask : uint8_t { none, causal, boolean, additive } kind;
  const float* sinks;  // [N] or null
  char* out;           // [B, N, T, value_size], dense
  Dtype::Val out_dtype;
  float scale;
  int64_t batch, heads, group, queries, keys, size, value_size;

  int64_t rows() const { return group * queries; }
};

// Rows of one head of keys against some of its keys: what is known of each row's softmax so far.
struct AttentionPart {
  int64_t example, head;  // of keys
  int64_t row_first, row_count;
  int64_t key_first, key_last;
  float* peaks;   // [row_count]
  float* totals;  // [row_count]: sum of exp(score - peak)
  float* sums;    // [row_count, value_size padded to whole vectors]: the same times values
};

}  // namespace lazuli::cpu
