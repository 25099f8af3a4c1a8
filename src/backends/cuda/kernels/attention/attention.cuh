// What the attention kernels are given (kernels/attention.h has the same for the host) and what
// they do alike.
#pragma once

#include "math.cuh"

// Queries [B, N, T, size], keys [B, M, S, size], values [B, M, S, value_size], the last axis of
// each together; out [B, N, T, value_size] dense. The rows of one head of keys are its queries: row
// r is query r / group of head r % group of the group = N / M heads that share it.
struct Attention {
  const void *q, *k, *v, *mask;
  const float* sinks;  // [N] or null
  void* out;
  int64_t q_strides[3], k_strides[3], v_strides[3], mask_strides[4];  // in elements
  int64_t sinks_stride;
  float scale;
  int kind;  // of the mask: 0 none, 1 causal, 2 boolean, 3 additive (float)
  int heads, group, queries, keys, size, value_size;
  int settled;  // whether keys and values may be read before earlier kernels are done
};

constexpr float log2_e = 1.4426950408889634f;
// What a mask hides. Finite, so that a row without any key weighs all of them alike.
constexpr float hidden_score = -3.4028234663852886e38f;

// One row of scores: where its mask lies and the last key it sees.
struct MaskRow {
  int64_t at;
  int last;
};

__device__ __forceinline__ MaskRow mask_row(const Attention& a, int example, int head, int query) {
  int last = a.kind == 1 ? query + a.keys - a.queries : a.keys - 1;
  return {example * a.mask_strides[0] + head * a.mask_strides[1] + query * a.mask_strides[2], last};
}

// A product of a query and a key as the power of two that its weight is.
__device__ __forceinline__ float masked(const Attention& a, const MaskRow& row, float product,
                                        int key) {
  float score = product * (a.scale * log2_e);
  if (key > row.last) return hidden_score;
  if (a.kind == 2) {
    bool seen = static_cast<const bool*>(a.mask)[row.at + key * a.mask_strides[3]];
    return seen ? score : hidden_score;
  }
  if (a.kind == 3) {
    score += log2_e * static_cast<const float*>(a.mask)[row.at + key * a.mask_strides[3]];
  }
  return score;
}

// 2^x, of x that is so small zero.
__device__ __forceinline__ float power_of_two(float x) {
#ifdef LAZULI_EMULATED_GPU
  return exp2f(x);
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}

// What weights are measured from: a row that has seen nothing keeps weights of zero.
__device__ __forceinline__ float base_of(float peak) {
  return peak == -op::highest<float>() ? 0 : peak;
}
