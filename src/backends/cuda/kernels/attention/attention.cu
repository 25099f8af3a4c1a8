// Attention of any dtypes, head sizes and masks: softmax(q k^T * scale + mask) v in float32.
// attention.cuh has shapes and layout.
//
// A block of 128 threads takes 16 rows of a head of keys and 256 columns of its values. 32 keys at
// a time: scores in pieces of 64 of the head's size, the softmax so far (peak, total), weights
// times values in pieces of 64 columns; pieces pass through shared memory.
// What stands where attention_decode and attention_prefill do not apply.
//
// Floor: 2 * rows * keys * (size + value_size) flops.
#include "attention.cuh"

constexpr int tile_rows = 16, tile_keys = 32, piece = 64, columns_max = 256;

struct Row {
  float peak, total, factor;
};

// rows[tile_rows] of `from` [count, stride], columns [first, first + piece) of `size`; zeros
// outside.
template <class T>
__device__ __forceinline__ void load_piece(float (*to)[piece + 1], int rows, const T* from,
                                           int64_t stride, int count, int first, int size) {
  for (int e = threadIdx.x; e < rows * piece; e += 128) {
    int row = e / piece, column = first + e % piece;
    bool inside = row < count && column < size;
    to[row][e % piece] = inside ? static_cast<float>(from[row * stride + column]) : 0;
  }
}

template <class Q>
__device__ __forceinline__ void load_queries(const Attention& a, float (*to)[piece + 1],
                                             int example, int head, int first_row, int first) {
  const Q* q = static_cast<const Q*>(a.q) + example * a.q_strides[0];
  for (int e = threadIdx.x; e < tile_rows * piece; e += 128) {
    int row = first_row + e / piece, column = first + e % piece;
    float value = 0;
    if (row < a.group * a.queries && column < a.size) {
      value = static_cast<float>(q[(head * a.group + row % a.group) * a.q_strides[1] +
                                   row / a.group * a.q_strides[2] + column]);
    }
    to[e / piece][e % piece] = value;
  }
}

// Grid: x counts tiles of rows of heads of examples, y groups of columns.
template <class Q, class K, class V, class Out>
__global__ void __launch_bounds__(128) attention(__grid_constant__ const Attention a) {
  start_after_earlier();
  __shared__ float queries[tile_rows][piece + 1], keys[tile_keys][piece + 1];
  __shared__ float weights[tile_rows][tile_keys + 1];
  __shared__ Row rows[tile_rows];
  int of = a.heads / a.group, all_rows = a.group * a.queries;
  int tiles = (all_rows + tile_rows - 1) / tile_rows;
  int example = blockIdx.x / tiles / of, head = blockIdx.x / tiles % of;
  int first_row = blockIdx.x % tiles * tile_rows, first_column = blockIdx.y * columns_max;
  const K* k = static_cast<const K*>(a.k) + example * a.k_strides[0] + head * a.k_strides[1];
  const V* v = static_cast<const V*>(a.v) + example * a.v_strides[0] + head * a.v_strides[1];
  // Thread i makes the scores of row i / 8 and keys i % 8 + 8j, and has the sums of its columns
  // i % 64 + 64c for rows i / 64 + 2j.
  int score_row = threadIdx.x / 8, score_key = threadIdx.x % 8;
  int own_row = min(first_row + score_row, all_rows - 1);
  int own_head = head * a.group + own_row % a.group;
  MaskRow mask = mask_row(a, example, own_head, own_row / a.group);
  if (score_key == 0) {
    bool sink = a.sinks != nullptr;
    float at = sink ? a.sinks[own_head * a.sinks_stride] * log2_e : -op::highest<float>();
    rows[score_row] = {at, at == -op::highest<float>() ? 0.0f : 1.0f, 0};
  }
  float sums[4][8] = {};
  int last_row = min(first_row + tile_rows, all_rows) - 1, end = a.keys;
  // With more queries than keys there are rows that see none.
  if (a.kind == 1 && a.queries <= a.keys) {
    end = min(end, last_row / a.group + a.keys - a.queries + 1);
  }
  for (int key = 0; key < end; key += tile_keys) {
    float scores[4] = {};
    for (int at = 0; at < a.size; at += piece) {
      __syncthreads();
      load_queries<Q>(a, queries, example, head, first_row, at);
      load_piece(keys, tile_keys, k + key * a.k_strides[2], a.k_strides[2], end - key, at, a.size);
      __syncthreads();
      for (int d = 0; d < piece; ++d) {
        for (int j = 0; j < 4; ++j) {
          scores[j] += queries[score_row][d] * keys[score_key + 8 * j][d];
        }
      }
    }
    float here = -op::highest<float>();
    for (int j = 0; j < 4; ++j) {
      int at = key + score_key + 8 * j;
      scores[j] = at < end ? masked(a, mask, scores[j], at) : -op::highest<float>();
      here = fmaxf(here, scores[j]);
    }
    for (int step = 1; step < 8; step *= 2) here = fmaxf(here, shuffle_xor(here, step));
    float before = rows[score_row].peak, peak = fmaxf(before, here), total = 0;
    for (int j = 0; j < 4; ++j) {
      float weight = exp2f(scores[j] - base_of(peak));
      weights[score_row][score_key + 8 * j] = weight;
      total += weight;
    }
    for (int step = 1; step < 8; step *= 2) total += shuffle_xor(total, step);
    __syncwarp();
    if (score_key == 0) {
      float factor = exp2f(before - base_of(peak));
      rows[score_row] = {peak, rows[score_row].total * factor + total, factor};
    }
    for (int c = 0; c < 4; ++c) {
      int column = first_column + c * piece;
      __syncthreads();
      if (column >= a.value_size) break;
      load_piece(keys, tile_keys, v + key * a.v_strides[2], a.v_strides[2], end - key, column,
                 a.value_size);
      __syncthreads();
      for (int j = 0; j < 8; ++j) sums[c][j] *= rows[threadIdx.x / 64 + 2 * j].factor;
      for (int s = 0; s < tile_keys; ++s) {
        float value = keys[s][threadIdx.x % 64];
        for (int j = 0; j < 8; ++j) sums[c][j] += weights[threadIdx.x / 64 + 2 * j][s] * value;
      }
    }
  }
  __syncthreads();
  for (int c = 0; c < 4; ++c) {
    int column = first_column + c * piece + threadIdx.x % 64;
    for (int j = 0; j < 8; ++j) {
      int row = first_row + threadIdx.x / 64 + 2 * j;
      if (row >= all_rows || column >= a.value_size) continue;
      int64_t at =
          (static_cast<int64_t>(example) * a.heads + head * a.group + row % a.group) * a.queries +
          row / a.group;
      static_cast<Out*>(a.out)[at * a.value_size + column] =
          Out(sums[c][j] / rows[row - first_row].total);
    }
  }
}
