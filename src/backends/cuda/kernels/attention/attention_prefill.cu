// Attention of many queries: softmax(q k^T * scale + mask) v for half types with float sums.
// attention.cuh has shapes and layout; head sizes are multiples of 8, up to Size, and all rows are
// read 16 bytes at a time.
//
// A block of 4 warps takes 64 * Tiles queries of a head and passes over blocks of 64 keys: scores
// on tensor cores, the softmax so far (peak, total), weights times values on tensor cores. The next
// block of keys travels while weights are applied, its values while scores are made. Blocks of keys
// that a causal mask hides are left out. The form is FlashAttention-2's (Dao 2023).
//
// Floor: 2 * rows * keys * (size + value_size) flops, half of that behind a causal mask.
#include "attention.cuh"
#include "tiles.cuh"

constexpr int warps = 4, block_keys = 64;

// A matrix of rows of Size halves in shared memory: 16-byte pieces of a row are swapped by its
// number, so that eight rows of one column lie in different banks.
template <class T, int Size>
struct Rows {
  static constexpr int stride = (Size + 63) / 64 * 64;
  T* at;
  __device__ __forceinline__ T* piece(int row, int number) const {
    return at + row * stride + (number ^ (row & 7)) * 8;
  }
  // Starts copying `count` rows; those from `rows` on and pieces from `size` on become zero.
  __device__ __forceinline__ void copy(const T* from, int64_t from_stride, int count, int rows,
                                       int size) const {
    constexpr int pieces = Size / 8;
    for (int i = threadIdx.x; i < count * pieces; i += warps * 32) {
      int row = i / pieces, number = i % pieces;
      bool inside = row < rows && number * 8 < size;
      copy_async(piece(row, number), inside ? from + row * from_stride + number * 8 : from,
                 inside ? 16 : 0);
    }
  }
  // The left matrix of a product: rows [row, row + 16), columns [16 step, 16 step + 16).
  __device__ __forceinline__ void left(uint32_t (&to)[4], int row, int step) const {
    int lane = lane_index();
    load_matrices<false>(to, piece(row + lane % 16, 2 * step + lane / 16));
  }
  // Right matrices for the columns that rows [row, row + 8) and [row + 8, row + 16) are.
  __device__ __forceinline__ void right(uint32_t (&to)[4], int row, int step) const {
    int lane = lane_index();
    load_matrices<false>(to, piece(row + lane / 16 * 8 + lane % 8, 2 * step + lane / 8 % 2));
  }
  // Right matrices of rows [row, row + 16) and two times 8 columns from 16 step on.
  __device__ __forceinline__ void right_transposed(uint32_t (&to)[4], int row, int step) const {
    int lane = lane_index();
    load_matrices<true>(to, piece(row + lane % 16, 2 * step + lane / 16));
  }
};

// 16 queries of a warp: rows g and g + 8 of a lane.
template <class T, int Size>
struct Queries {
  float sums[Size / 8][4], scores[block_keys / 8][4];
  float peak[2], total[2];
  MaskRow mask[2];

  __device__ __forceinline__ void start(const Attention& a, int example, int head, int first) {
    for (int i = 0; i < 2; ++i) {
      int query = min(first + lane_index() / 4 + 8 * i, a.queries - 1);
      mask[i] = mask_row(a, example, head, query);
      peak[i] = a.sinks ? a.sinks[head * a.sinks_stride] * log2_e : -op::highest<float>();
      // Of a sink, one of the lanes that share a row.
      total[i] = peak[i] != -op::highest<float>() && lane_index() % 4 == 0 ? 1 : 0;
    }
#pragma unroll
    for (int n = 0; n < Size / 8; ++n) {
      for (int j = 0; j < 4; ++j) sums[n][j] = 0;
    }
  }

  // Whether every score of a block of keys counts as it is.
  __device__ __forceinline__ static bool plain(const Attention& a, int first, int key) {
    if (a.kind > 1 || a.scale <= 0 || key + block_keys > a.keys) return false;
    return a.kind == 0 || key + block_keys - 1 <= first + a.keys - a.queries;
  }

  // Scores of keys from `key` on become weights.
  __device__ __forceinline__ void soften(const Attention& a, int key, bool is_plain) {
    float unit = is_plain ? a.scale * log2_e : 1.0f, here[2];
    if (!is_plain) {
#pragma unroll
      for (int n = 0; n < block_keys / 8; ++n) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          int at = key + n * 8 + lane_index() % 4 * 2 + j % 2;
          float& score = scores[n][j];
          score = at < a.keys ? masked(a, mask[j / 2], score, at) : -op::highest<float>();
        }
      }
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      here[i] = -op::highest<float>();
#pragma unroll
      for (int n = 0; n < block_keys / 8; ++n) {
        here[i] = fmaxf(here[i], fmaxf(scores[n][2 * i], scores[n][2 * i + 1]));
      }
      here[i] = fmaxf(here[i], shuffle_xor(here[i], 1));
      here[i] = fmaxf(here[i], shuffle_xor(here[i], 2));
      float next = fmaxf(peak[i], here[i] * unit), base = base_of(next);
      float factor = exp2f(peak[i] - base), sum = 0;
      peak[i] = next;
#pragma unroll
      for (int n = 0; n < block_keys / 8; ++n) {
#pragma unroll
        for (int j = 2 * i; j < 2 * i + 2; ++j) {
          scores[n][j] = exp2f(scores[n][j] * unit - base);
          sum += scores[n][j];
        }
      }
      total[i] = total[i] * factor + sum;
#pragma unroll
      for (int n = 0; n < Size / 8; ++n) {
        sums[n][2 * i] *= factor;
        sums[n][2 * i + 1] *= factor;
      }
    }
  }

  __device__ __forceinline__ void store(const Attention& a, int example, int head, int first) {
    for (int i = 0; i < 2; ++i) {
      total[i] += shuffle_xor(total[i], 1);
      total[i] += shuffle_xor(total[i], 2);
      int query = first + lane_index() / 4 + 8 * i;
      if (query >= a.queries) continue;
      int64_t row = (static_cast<int64_t>(example) * a.heads + head) * a.queries + query;
      T* out = static_cast<T*>(a.out) + row * a.value_size;
#pragma unroll
      for (int n = 0; n < Size / 8; ++n) {
        int column = n * 8 + lane_index() % 4 * 2;
        if (column >= a.value_size) continue;
        *reinterpret_cast<uint32_t*>(out + column) =
            pack_pair<T>(sums[n][2 * i] / total[i], sums[n][2 * i + 1] / total[i]);
      }
    }
  }
};

template <class T, int Size, int Tiles>
__device__ __forceinline__ void make_scores(Queries<T, Size> (&of)[Tiles],
                                            const Rows<T, Size>& queries, const Rows<T, Size>& keys,
                                            int row) {
#pragma unroll
  for (int i = 0; i < Tiles; ++i) {
#pragma unroll
    for (int n = 0; n < block_keys / 8; ++n) {
      for (int j = 0; j < 4; ++j) of[i].scores[n][j] = 0;
    }
  }
#pragma unroll
  for (int step = 0; step < Size / 16; ++step) {
    uint32_t a[Tiles][4];
#pragma unroll
    for (int i = 0; i < Tiles; ++i) queries.left(a[i], row + 16 * i, step);
#pragma unroll
    for (int n = 0; n < block_keys / 8; n += 2) {
      uint32_t b[4];
      keys.right(b, n * 8, step);
#pragma unroll
      for (int i = 0; i < Tiles; ++i) {
        multiply_tile<T>(of[i].scores[n], a[i][0], a[i][1], a[i][2], a[i][3], b[0], b[1]);
        multiply_tile<T>(of[i].scores[n + 1], a[i][0], a[i][1], a[i][2], a[i][3], b[2], b[3]);
      }
    }
  }
}

template <class T, int Size, int Tiles>
__device__ __forceinline__ void add_values(Queries<T, Size> (&of)[Tiles],
                                           const Rows<T, Size>& values) {
#pragma unroll
  for (int step = 0; step < block_keys / 16; ++step) {
    uint32_t a[Tiles][4];
#pragma unroll
    for (int i = 0; i < Tiles; ++i) {
      const float (&left)[4] = of[i].scores[2 * step], (&right)[4] = of[i].scores[2 * step + 1];
      a[i][0] = pack_pair<T>(left[0], left[1]);
      a[i][1] = pack_pair<T>(left[2], left[3]);
      a[i][2] = pack_pair<T>(right[0], right[1]);
      a[i][3] = pack_pair<T>(right[2], right[3]);
    }
#pragma unroll
    for (int n = 0; n < Size / 8; n += 2) {
      uint32_t b[4];
      values.right_transposed(b, step * 16, n / 2);
#pragma unroll
      for (int i = 0; i < Tiles; ++i) {
        multiply_tile<T>(of[i].sums[n], a[i][0], a[i][1], a[i][2], a[i][3], b[0], b[1]);
        multiply_tile<T>(of[i].sums[n + 1], a[i][0], a[i][1], a[i][2], a[i][3], b[2], b[3]);
      }
    }
  }
}

// Grid: x counts blocks of queries, the last first (behind a causal mask they take longest), y
// heads, z examples. Dynamic shared memory: queries, keys and values.
template <class T, int Size, int Tiles>
__global__ void __launch_bounds__(128) attention_prefill(__grid_constant__ const Attention a) {
  start_after_earlier();
  constexpr int block_queries = 64 * Tiles;
  extern __shared__ float4 dynamic_shared[];
  using Matrix = Rows<T, Size>;
  Matrix queries{reinterpret_cast<T*>(dynamic_shared)};
  Matrix keys{queries.at + block_queries * Matrix::stride};
  Matrix values{keys.at + block_keys * Matrix::stride};
  int head = blockIdx.y, example = blockIdx.z, of = head / a.group;
  int first = (gridDim.x - 1 - blockIdx.x) * block_queries, row = threadIdx.x / 32 * 16 * Tiles;
  const T* q = static_cast<const T*>(a.q) + example * a.q_strides[0] + head * a.q_strides[1];
  const T* k = static_cast<const T*>(a.k) + example * a.k_strides[0] + of * a.k_strides[1];
  const T* v = static_cast<const T*>(a.v) + example * a.v_strides[0] + of * a.v_strides[1];
  int end = a.keys, last = min(first + block_queries, a.queries) - 1;
  // With more queries than keys there are rows that see none.
  if (a.kind == 1 && a.queries <= a.keys) end = min(end, last + a.keys - a.queries + 1);
  queries.copy(q + first * a.q_strides[2], a.q_strides[2], block_queries, a.queries - first,
               a.size);
  keys.copy(k, a.k_strides[2], block_keys, end, a.size);
  commit_copies();
  Queries<T, Size> mine[Tiles];
#pragma unroll
  for (int i = 0; i < Tiles; ++i) mine[i].start(a, example, head, first + row + 16 * i);
  for (int key = 0; key < end; key += block_keys) {
    wait_for_copies<0>();
    __syncthreads();
    values.copy(v + key * a.v_strides[2], a.v_strides[2], block_keys, end - key, a.value_size);
    commit_copies();
    make_scores<T, Size, Tiles>(mine, queries, keys, row);
#pragma unroll
    for (int i = 0; i < Tiles; ++i) {
      int from = first + row + 16 * i;
      mine[i].soften(a, key, Queries<T, Size>::plain(a, from, key));
    }
    wait_for_copies<0>();
    __syncthreads();
    int next = key + block_keys;
    if (next < end) {
      keys.copy(k + next * a.k_strides[2], a.k_strides[2], block_keys, end - next, a.size);
    }
    commit_copies();
    add_values<T, Size, Tiles>(mine, values);
  }
#pragma unroll
  for (int i = 0; i < Tiles; ++i) mine[i].store(a, example, head, first + row + 16 * i);
}
