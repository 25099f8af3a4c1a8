// Attention of few queries in float32, with queries, keys and values of any dtypes: softmax(q k^T *
// scale + mask) v for the rows of one head of keys. attention.cuh has shapes and layout; head sizes
// are multiples of 4, up to Size, and four elements of a row are read at once.
//
// A block takes Rows rows of a head and a stretch of its keys, a warp 16 keys at a time: eight
// lanes make the scores of a key with all rows, then lanes along the columns add the weighted
// values. Warps, then stretches come together (attention_parts.cuh).
//
// Floor: the bytes of keys and values, read once for each Rows rows.
#include "attention_parts.cuh"

constexpr int tile_keys = 16, warps = 4;

template <int Size>
struct RowPlaces {
  static __device__ __forceinline__ int row(int e) { return e / Size; }
  static __device__ __forceinline__ int column(int e) { return e % Size; }
};

template <class T>
__device__ __forceinline__ float4 load_four(const T* from, bool inside) {
  if (!inside) return make_float4(0, 0, 0, 0);
  Vector<T, 4> four = load_vector<4>(from);
  return make_float4(four[0], four[1], four[2], four[3]);
}

__device__ __forceinline__ float dot(float4 a, float4 b) {
  return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}
__device__ __forceinline__ void add_scaled(float4& sum, float4 v, float scale) {
  sum.x += v.x * scale;
  sum.y += v.y * scale;
  sum.z += v.z * scale;
  sum.w += v.w * scale;
}

template <int Size, int Rows>
struct Block {
  float queries[Rows][Size];
  float weights[warps][Rows][tile_keys];
  Softmax known[warps][Rows];
};

template <class K, class V, int Size, int Rows>
struct Warp {
  const Attention& a;
  Block<Size, Rows>& block;
  int warp, lane;
  const K* keys;
  const V* values;
  MaskRow mask;  // of row lane % 8
  float peak = -op::highest<float>(), total = 0;
  float4 sums[Rows][Size / 128];

  __device__ __forceinline__ Warp(const Attention& call, Block<Size, Rows>& shared,
                                  const Place& place)
      : a(call), block(shared), warp(threadIdx.x / 32), lane(lane_index()) {
    keys =
        static_cast<const K*>(a.k) + place.example * a.k_strides[0] + place.head * a.k_strides[1];
    values =
        static_cast<const V*>(a.v) + place.example * a.v_strides[0] + place.head * a.v_strides[1];
    int row = min(place.first_row + lane % 8, a.group * a.queries - 1);
    mask = mask_row(a, place.example, place.head * a.group + row % a.group, row / a.group);
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
#pragma unroll
      for (int c = 0; c < Size / 128; ++c) sums[r][c] = make_float4(0, 0, 0, 0);
    }
  }

  // The score of row lane % 8 and key lane / 8 of four keys from `key` on.
  __device__ __forceinline__ float score(int key, int end) {
    float dots[Rows] = {};
    int at = key + lane / 8, column = lane % 8 * 4;
    const K* from = keys + at * a.k_strides[2];
#pragma unroll
    for (int j = 0; j < Size; j += 32) {
      float4 k = load_four(from + j + column, at < end && j + column < a.size);
#pragma unroll
      for (int r = 0; r < Rows; ++r) {
        dots[r] += dot(k, *reinterpret_cast<const float4*>(&block.queries[r][j + column]));
      }
    }
    float own = 0;
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      float sum = dots[r];
      for (int step = 1; step < 8; step *= 2) sum += shuffle_xor(sum, step);
      if (lane % 8 == r) own = sum;
    }
    return at < end ? masked(a, mask, own, at) : -op::highest<float>();
  }

  // Keys [key, key + 16), of which those from `end` on do not count.
  __device__ __forceinline__ void tile_of_keys(int key, int end) {
    // Scores pass through shared memory, so that only four keys are in registers at a time.
    float* own = block.weights[warp][lane % 8 % Rows] + lane / 8;
    float here = -op::highest<float>();
#pragma unroll 1
    for (int i = 0; i < 4; ++i) {
      float one = score(key + 4 * i, end);
      if (lane % 8 < Rows) own[4 * i] = one;
      here = fmaxf(here, one);
    }
    here = fmaxf(here, shuffle_xor(here, 8));
    here = fmaxf(here, shuffle_xor(here, 16));
    float next = fmaxf(peak, here), base = base_of(next), factor = exp2f(peak - base);
    peak = next;
    total *= factor;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (lane % 8 >= Rows) continue;
      float weight = exp2f(own[4 * i] - base);
      total += weight;
      own[4 * i] = weight;
    }
    __syncwarp();
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      float of_row = __shfl_sync(all_lanes, factor, r);
#pragma unroll
      for (int c = 0; c < Size / 128; ++c) {
        float4& sum = sums[r][c];
        sum = make_float4(sum.x * of_row, sum.y * of_row, sum.z * of_row, sum.w * of_row);
      }
    }
#pragma unroll 1
    for (int four = 0; four < tile_keys; four += 4) add_values(key, four, end);
    __syncwarp();
  }

  __device__ __forceinline__ void add_values(int key, int four, int end) {
    float4 v[4][Size / 128];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int c = 0; c < Size / 128; ++c) {
        int at = key + four + j, column = c * 128 + lane * 4;
        v[j][c] =
            load_four(values + at * a.v_strides[2] + column, at < end && column < a.value_size);
      }
    }
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      float4 w = *reinterpret_cast<const float4*>(&block.weights[warp][r][four]);
#pragma unroll
      for (int c = 0; c < Size / 128; ++c) {
        add_scaled(sums[r][c], v[0][c], w.x);
        add_scaled(sums[r][c], v[1][c], w.y);
        add_scaled(sums[r][c], v[2][c], w.z);
        add_scaled(sums[r][c], v[3][c], w.w);
      }
    }
  }
};

// Blocks of 128; keys_each is a multiple of 64.
template <class Q, class K, class V, class Out, int Size, int Rows>
__global__ void __launch_bounds__(128, 3)
    attention_floats(__grid_constant__ const Attention a, int keys_each, Parts parts) {
  start_after_earlier();
  extern __shared__ float4 dynamic_shared[];
  __shared__ alignas(16) unsigned char memory[sizeof(Block<Size, Rows>)];
  auto& block = *reinterpret_cast<Block<Size, Rows>*>(memory);
  Place place = place_of<Rows>(a);
  const Q* q = static_cast<const Q*>(a.q) + place.example * a.q_strides[0];
  for (int e = threadIdx.x; e < Rows * Size; e += 128) {
    int row = place.first_row + e / Size, head = place.head * a.group + row % a.group;
    bool inside = row < a.group * a.queries && e % Size < a.size;
    const Q* from = q + head * a.q_strides[1] + row / a.group * a.q_strides[2] + e % Size;
    block.queries[e / Size][e % Size] = inside ? static_cast<float>(*from) : 0;
  }
  __syncthreads();
  Warp<K, V, Size, Rows> work(a, block, place);
  int first = blockIdx.y * keys_each, end = min(first + keys_each, a.keys);
  for (int key = first + work.warp * tile_keys; key < end; key += warps * tile_keys) {
    work.tile_of_keys(key, end);
  }
  float* shared = reinterpret_cast<float*>(dynamic_shared);
#pragma unroll
  for (int r = 0; r < Rows; ++r) {
#pragma unroll
    for (int c = 0; c < Size / 128; ++c) {
      dynamic_shared[(work.warp * Rows * Size + r * Size + c * 128) / 4 + work.lane] =
          work.sums[r][c];
    }
  }
  float total = work.total;
  total += shuffle_xor(total, 8);
  total += shuffle_xor(total, 16);
  if (work.lane < Rows) block.known[work.warp][work.lane] = {work.peak, total};
  join_warps<Out, Size, Rows, warps, RowPlaces<Size>>(a, place, shared, block.known, parts);
}
