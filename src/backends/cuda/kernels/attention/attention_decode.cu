// Attention of few queries: softmax(q k^T * scale + mask) v for the rows of one head of keys, half
// types with float sums. attention.cuh has shapes and layout; head sizes are multiples of 8, up to
// Size, and all rows are read 16 bytes at a time.
//
// A block takes Rows rows of a head and a stretch of its keys, a warp 16 keys at a time: scores =
// q k^T and sums^T = v^T weights^T on tensor cores, both straight from memory. Each warp keeps the
// peak and total of its rows' softmax so far; warps, then stretches (attention_join) come together.
//
// Floor: the bytes of keys and values, read once for each Rows rows.
#include "attention_parts.cuh"
#include "tiles.cuh"

constexpr int keys_per_tile = 16;

// Sums in the order of a warp's registers: number e / 32 of lane e % 32.
template <int Rows>
struct TilePlaces {
  static __device__ __forceinline__ int row(int e) {
    return e / 128 % (Rows / 8) * 8 + e % 4 * 2 + (e / 32 & 1);
  }
  static __device__ __forceinline__ int column(int e) {
    int pair = e / 128 / (Rows / 8);
    return pair / 4 * 64 + e % 32 / 4 * 8 + pair % 4 * 2 + (e / 64 & 1);
  }
};

__device__ __forceinline__ uint4 load_if(const void* from, bool inside) {
  return inside ? load_once(from) : make_uint4(0, 0, 0, 0);
}

template <class T, int Size, int Rows>
struct Warp {
  static constexpr int row_tiles = Rows / 8;
  const Attention& a;
  int g, t;
  const T *keys, *values;
  uint4 q[Size / 32][row_tiles];
  MaskRow rows[row_tiles];
  float peak[row_tiles], total[row_tiles];
  float sums[Size / 16][row_tiles][4];

  __device__ __forceinline__ Warp(const Attention& call, int example, int head, int first_row)
      : a(call), g(lane_index() / 4), t(lane_index() % 4) {
    keys = static_cast<const T*>(a.k) + example * a.k_strides[0] + head * a.k_strides[1];
    values = static_cast<const T*>(a.v) + example * a.v_strides[0] + head * a.v_strides[1];
#pragma unroll
    for (int tile = 0; tile < row_tiles; ++tile) {
      // Rows beyond the last repeat it and are not stored.
      int row = min(first_row + tile * 8 + g, a.group * a.queries - 1);
      int query = row / a.group, of = head * a.group + row % a.group;
      rows[tile] = mask_row(a, example, of, query);
      const T* from = static_cast<const T*>(a.q) + example * a.q_strides[0] + of * a.q_strides[1] +
                      query * a.q_strides[2];
#pragma unroll
      for (int c = 0; c < Size / 32; ++c) {
        q[c][tile] = load_if(from + c * 32 + t * 8, c * 32 + t * 8 < a.size);
      }
      peak[tile] = -op::highest<float>();
      total[tile] = 0;
#pragma unroll
      for (int i = 0; i < Size / 16; ++i) {
        for (int j = 0; j < 4; ++j) sums[i][tile][j] = 0;
      }
    }
  }

  // Scores of 8 keys: rows g (and g + 8), keys 2t and 2t + 1.
  __device__ __forceinline__ void score(const uint4 (&k)[Size / 32], int key, float (&c)[4]) {
#pragma unroll
    for (int j = 0; j < 4; ++j) c[j] = 0;
#pragma unroll
    for (int i = 0; i < Size / 32; ++i) {
      const uint4& x = q[i][0];
      uint4 y = row_tiles > 1 ? q[i][row_tiles - 1] : make_uint4(0, 0, 0, 0);
      multiply_tile<T>(c, x.x, y.x, x.y, y.y, k[i].x, k[i].y);
      multiply_tile<T>(c, x.z, y.z, x.w, y.w, k[i].z, k[i].w);
    }
#pragma unroll
    for (int j = 0; j < 2 * row_tiles; ++j) {
      c[j] = masked(a, rows[j / 2], c[j], key + 2 * t + j % 2);
    }
  }

  // Scores of 16 keys become weights; what was summed so far moves to the new peaks.
  __device__ __forceinline__ void soften(float (&left)[4], float (&right)[4],
                                         uint32_t (&weights)[row_tiles][2]) {
#pragma unroll
    for (int tile = 0; tile < row_tiles; ++tile) {
      float *l = left + 2 * tile, *r = right + 2 * tile;
      float here = fmaxf(fmaxf(l[0], l[1]), fmaxf(r[0], r[1]));
      here = fmaxf(here, shuffle_xor(here, 1));
      here = fmaxf(here, shuffle_xor(here, 2));
      float next = fmaxf(peak[tile], here), base = base_of(next);
      float factor = exp2f(peak[tile] - base);
      peak[tile] = next;
      for (int j = 0; j < 2; ++j) {
        l[j] = exp2f(l[j] - base);
        r[j] = exp2f(r[j] - base);
      }
      total[tile] = total[tile] * factor + (l[0] + l[1]) + (r[0] + r[1]);
      weights[tile][0] = pack_pair<T>(l[0], l[1]);
      weights[tile][1] = pack_pair<T>(r[0], r[1]);
      if (!__any_sync(all_lanes, factor != 1)) continue;
      float first = __shfl_sync(all_lanes, factor, 8 * t);
      float second = __shfl_sync(all_lanes, factor, 8 * t + 4);
#pragma unroll
      for (int i = 0; i < Size / 16; ++i) {
        sums[i][tile][0] *= first;
        sums[i][tile][1] *= second;
        sums[i][tile][2] *= first;
        sums[i][tile][3] *= second;
      }
    }
  }

  __device__ __forceinline__ void add_values(const uint4 (&v)[4], int chunk,
                                             const uint32_t (&weights)[row_tiles][2]) {
    const uint32_t* words[4] = {&v[0].x, &v[1].x, &v[2].x, &v[3].x};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      uint32_t a0 = __byte_perm(words[0][j], words[1][j], 0x5410);
      uint32_t a1 = __byte_perm(words[0][j], words[1][j], 0x7632);
      uint32_t a2 = __byte_perm(words[2][j], words[3][j], 0x5410);
      uint32_t a3 = __byte_perm(words[2][j], words[3][j], 0x7632);
#pragma unroll
      for (int tile = 0; tile < row_tiles; ++tile) {
        multiply_tile<T>(sums[chunk * 4 + j][tile], a0, a1, a2, a3, weights[tile][0],
                         weights[tile][1]);
      }
    }
  }

  __device__ __forceinline__ void load_values(uint4 (&v)[4], int chunk, int key, int end) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      int at = key + 2 * t + (j & 1) + (j >> 1) * 8, column = chunk * 64 + g * 8;
      v[j] = load_if(values + at * a.v_strides[2] + column, at < end && column < a.value_size);
    }
  }

  // Keys [key, key + 16), of which those from `end` on do not count.
  __device__ __forceinline__ void tile_of_keys(int key, int end) {
    // Values of the first half of the columns travel while scores are made, where registers allow
    // all of them.
    constexpr int early = Size > 192 ? Size / 128 : Size / 64;
    uint4 k[2][Size / 32], v[Size / 64][4];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      int at = key + half * 8 + g;
      const T* from = keys + at * a.k_strides[2];
#pragma unroll
      for (int c = 0; c < Size / 32; ++c) {
        k[half][c] = load_if(from + c * 32 + t * 8, at < end && c * 32 + t * 8 < a.size);
      }
    }
#pragma unroll
    for (int c = 0; c < early; ++c) load_values(v[c], c, key, end);
    float scores[2][4];
    uint32_t weights[row_tiles][2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      score(k[half], key + half * 8, scores[half]);
#pragma unroll
      for (int j = 0; j < 2 * row_tiles; ++j) {
        if (key + half * 8 + 2 * t + j % 2 >= end) scores[half][j] = -op::highest<float>();
      }
    }
    soften(scores[0], scores[1], weights);
#pragma unroll
    for (int c = early; c < Size / 64; ++c) load_values(v[c], c, key, end);
#pragma unroll
    for (int c = 0; c < Size / 64; ++c) add_values(v[c], c, weights);
  }
};

// Blocks of 128; keys_each is a multiple of 64. join_warps says what `parts` and `softmaxes` take.
template <class T, int Size, int Rows>
__global__ void __launch_bounds__(128, 2)
    attention_decode(__grid_constant__ const Attention a, int keys_each, float* parts,
                     Softmax* softmaxes) {
  start_after_earlier();
  extern __shared__ float4 dynamic_shared[];
  __shared__ Softmax known[warps][Rows];
  float* shared = reinterpret_cast<float*>(dynamic_shared);
  int warp = threadIdx.x / 32, lane = lane_index();
  Place place = place_of<Rows>(a);
  int first = blockIdx.y * keys_each, end = min(first + keys_each, a.keys);
  Warp<T, Size, Rows> work(a, place.example, place.head, place.first_row);
  for (int key = first + warp * keys_per_tile; key < end; key += warps * keys_per_tile) {
    work.tile_of_keys(key, end);
  }
  float* mine = shared + warp * Size * Rows + lane;
#pragma unroll
  for (int i = 0; i < Size / 16; ++i) {
#pragma unroll
    for (int tile = 0; tile < Rows / 8; ++tile) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        mine[((i * (Rows / 8) + tile) * 4 + j) * 32] = work.sums[i][tile][j];
      }
    }
  }
#pragma unroll
  for (int tile = 0; tile < Rows / 8; ++tile) {
    float total = work.total[tile];
    total += shuffle_xor(total, 1);
    total += shuffle_xor(total, 2);
    if (work.t == 0) known[warp][tile * 8 + work.g] = {work.peak[tile], total};
  }
  join_warps<T, Size, Rows, TilePlaces<Rows>>(a, place, shared, known, parts, softmaxes);
}
