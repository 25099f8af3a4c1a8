// Attention of few queries: softmax(q k^T * scale + mask) v for the rows of one head of keys, half
// types with float sums. attention.cuh has shapes and layout; head sizes are multiples of 8, up to
// Size, and all rows are read 16 bytes at a time.
//
// A block takes Rows rows of a head and a stretch of its keys, a warp 16 keys at a time: scores =
// q k^T and sums^T = v^T weights^T on tensor cores. Keys and values to come travel into a ring that
// each warp has in shared memory. Each warp keeps the peak and total of its rows' softmax so far;
// warps, then stretches come together.
//
// Floor: the bytes of keys and values, read once for each Rows rows.
#include "attention_parts.cuh"
#include "rings.cuh"

constexpr int keys_per_tile = 16, warps = 8;
// Of a warp. Chips for desktops have half of the others' shared memory.
#if __CUDA_ARCH__ == 860 || __CUDA_ARCH__ == 890 || __CUDA_ARCH__ >= 1200
constexpr int ring_bytes = 8 << 10;
#else
constexpr int ring_bytes = 16 << 10;
#endif

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
  return inside ? *static_cast<const uint4*>(from) : make_uint4(0, 0, 0, 0);
}

// A warp's ring: tiles of keys and tiles of values in turn, [16][Size] each.
template <class T, int Size>
struct TileRing {
  static constexpr int tile_bytes = keys_per_tile * Size * 2, slots = ring_bytes / tile_bytes;
  uint8_t* memory;
  CopyBarrier* full;
  int slot = 0, phase = 0;

  // Rows `key` to `end` of one tile into a slot; all lanes.
  __device__ __forceinline__ void ask(int to, const T* from, int64_t stride, int size, int key,
                                      int end) {
    int rows = min(end - key, keys_per_tile);
    if (rows <= 0) return;
    if (lane_index() == 0) full[to].expect(rows * size * 2);
    __syncwarp();
    bool together = stride == Size && size == Size;
    copy_rows(memory + to * tile_bytes, Size * 2,
              reinterpret_cast<const uint8_t*>(from + key * stride), stride * 2,
              together ? 1 : rows, (together ? rows : 1) * size * 2, full[to]);
    full[to].arrive_with_copies();
  }
  // The same into the second cache, where rows lie together.
  __device__ __forceinline__ void touch(const T* from, int64_t stride, int size, int key,
                                        int end) const {
    int rows = min(end - key, keys_per_tile);
    if (rows <= 0 || stride != size || lane_index() != 0) return;
    touch_bulk(from + key * stride, rows * size * 2);
  }
  __device__ __forceinline__ const T* wait() const {
    full[slot].wait(phase);
    return reinterpret_cast<const T*>(memory + slot * tile_bytes);
  }
  __device__ __forceinline__ void advance() {
    if (++slot < slots) return;
    slot = 0;
    phase ^= 1;
  }
};

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

  __device__ __forceinline__ Warp(const Attention& call, int example, int head)
      : a(call), g(lane_index() / 4), t(lane_index() % 4) {
    keys = static_cast<const T*>(a.k) + example * a.k_strides[0] + head * a.k_strides[1];
    values = static_cast<const T*>(a.v) + example * a.v_strides[0] + head * a.v_strides[1];
  }
  __device__ __forceinline__ void begin(int example, int head, int first_row) {
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

  // Tile `number` of those that a ring has in turn, this warp's tiles from `first` on.
  __device__ __forceinline__ void ask(TileRing<T, Size>& ring, int to, int number, int first,
                                      int end) {
    int key = first + number / 2 * (warps * keys_per_tile);
    if (number % 2 == 0) ring.ask(to, keys, a.k_strides[2], a.size, key, end);
    else ring.ask(to, values, a.v_strides[2], a.value_size, key, end);
  }

  __device__ __forceinline__ void touch(const TileRing<T, Size>& ring, int number, int first,
                                        int end) const {
    int key = first + number / 2 * (warps * keys_per_tile);
    if (number % 2 == 0) ring.touch(keys, a.k_strides[2], a.size, key, end);
    else ring.touch(values, a.v_strides[2], a.value_size, key, end);
  }

  // Keys [key, key + 16), of which those from `end` on do not count. Where a tile has been used,
  // the ring asks for the one that is so many further.
  __device__ __forceinline__ void tile_of_keys(TileRing<T, Size>& ring, int number, int first,
                                               int key, int end) {
    float scores[2][4];
    uint32_t weights[row_tiles][2];
    const T* tile = ring.wait();
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      uint4 k[Size / 32];
      const T* from = tile + (half * 8 + g) * Size;
#pragma unroll
      for (int c = 0; c < Size / 32; ++c) {
        k[c] = load_if(from + c * 32 + t * 8, c * 32 + t * 8 < a.size);
      }
      score(k, key + half * 8, scores[half]);
#pragma unroll
      for (int j = 0; j < 2 * row_tiles; ++j) {
        if (key + half * 8 + 2 * t + j % 2 >= end) scores[half][j] = -op::highest<float>();
      }
    }
    __syncwarp();
    ask(ring, ring.slot, number + ring.slots, first, end);
    ring.advance();
    soften(scores[0], scores[1], weights);
    tile = ring.wait();
#pragma unroll
    for (int c = 0; c < Size / 64; ++c) {
      uint4 v[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        int at = 2 * t + (j & 1) + (j >> 1) * 8;
        v[j] = load_if(tile + at * Size + c * 64 + g * 8, key + at < end);
      }
      add_values(v, c, weights);
    }
    __syncwarp();
    ask(ring, ring.slot, number + 1 + ring.slots, first, end);
    ring.advance();
  }
};

// Blocks of `warps`; keys_each is a multiple of 64. Dynamic shared memory: the warps' rings, where
// their sums lie in the end.
template <class T, int Size, int Rows>
__global__ void __launch_bounds__(warps * 32)
    attention_decode(__grid_constant__ const Attention a, int keys_each, Parts parts) {
  using Ring = TileRing<T, Size>;
  extern __shared__ float4 dynamic_shared[];
  __shared__ Softmax known[warps][Rows];
  __shared__ CopyBarrier full[warps][Ring::slots];
  let_later_start();
  int warp = threadIdx.x / 32, lane = lane_index();
  Ring ring{reinterpret_cast<uint8_t*>(dynamic_shared) + warp * ring_bytes, full[warp]};
  if (lane == 0) {
    for (int s = 0; s < ring.slots; ++s) full[warp][s].make(32);
    publish_barriers();
  }
  __syncwarp();
  Place place = place_of<Rows>(a);
  int first = blockIdx.y * keys_each, end = min(first + keys_each, a.keys), number = 0;
  first += warp * keys_per_tile;
  Warp<T, Size, Rows> work(a, place.example, place.head);
  if (!a.settled) {
#pragma unroll 1
    for (int s = 0; s < ring.slots; ++s) work.touch(ring, s, first, end);
    wait_for_earlier();
  }
#pragma unroll 1
  for (int s = 0; s < ring.slots; ++s) work.ask(ring, s, s, first, end);
  wait_for_earlier();
  work.begin(place.example, place.head, place.first_row);
  for (int key = first; key < end; key += warps * keys_per_tile, number += 2) {
    work.tile_of_keys(ring, number, first, key, end);
  }
  // Sums lie where other warps' rings are.
  __syncthreads();
  float* shared = reinterpret_cast<float*>(dynamic_shared);
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
  join_warps<T, Size, Rows, warps, TilePlaces<Rows>>(a, place, shared, known, parts);
}
