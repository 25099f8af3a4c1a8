// What the attention kernels are given; attention.cuh has the same for the device.
#pragma once

#include "backends/cuda/kernel.h"

namespace lazuli::cuda {

struct Attention {
  const void *q, *k, *v, *mask;
  const float* sinks;
  void* out;
  int64_t q_strides[3], k_strides[3], v_strides[3], mask_strides[4];
  int64_t sinks_stride;
  float scale;
  int kind;
  int heads, group, queries, keys, size, value_size;
};

struct AttentionCall {
  Attention a;
  int stream;
  int64_t batch;
  Dtype::Val q, k, v, out;

  int64_t rows() const { return int64_t{a.group} * a.queries; }
  int64_t key_heads() const { return batch * (a.heads / a.group); }
  // Whether all operands are of one half type, with rows that are read 16 bytes at a time.
  bool has_aligned_halves() const;
  // Whether rows of keys and values are read four elements at a time.
  bool has_aligned_fours() const;
};

// Few queries. False, and nothing is queued, where it does not apply.
bool attend_few(const AttentionCall& call);
// Many queries, half types.
bool attend_many(const AttentionCall& call);

}  // namespace lazuli::cuda
