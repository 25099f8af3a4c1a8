// What the attention kernels are given; attention.cuh has the same for the device.
#pragma once

#include "backends/cuda/kernels/function_table.h"

namespace lazuli::cuda {

// Tables by the dtypes of queries, keys and values.
constexpr size_t attention_types = 27;

struct Attention {
  const void *q, *k, *v, *mask;
  const float* sinks;
  void* out;
  int64_t q_strides[3], k_strides[3], v_strides[3], mask_strides[4];
  int64_t sinks_stride;
  float scale;
  int kind;
  int heads, group, queries, keys, size, value_size;
  int settled;
};

// The dtype of an output: what those of queries, keys and values promote to.
inline Dtype::Val attention_dtype(Dtype::Val q, Dtype::Val k, Dtype::Val v) {
  return promote_types(promote_types(dtype_of(q), dtype_of(k)), dtype_of(v));
}

struct AttentionCall {
  Attention a;
  int stream;
  int64_t batch;
  Dtype::Val q, k, v, out;

  // Among the combinations of dtypes of queries, keys and values.
  size_t types_slot() const { return (float_slot(q) * 3 + float_slot(k)) * 3 + float_slot(v); }
  int64_t rows() const { return int64_t{a.group} * a.queries; }
  int64_t key_heads() const { return batch * (a.heads / a.group); }
  // Whether all operands are of one half type, with rows that are read 16 bytes at a time.
  bool has_aligned_halves() const;
  // Whether rows of keys and values are read four elements at a time.
  bool has_aligned_fours() const;
};

// Few queries. False, and nothing is queued, where it does not apply.
bool attend_few(const AttentionCall& call);
// Many queries of half types without a mask or with the causal one, by cuDNN.
bool attend_by_dnn(const AttentionCall& call);
uint64_t attention_runs_by_dnn();  // so far
// Many queries, half types.
bool attend_many(const AttentionCall& call);

}  // namespace lazuli::cuda
