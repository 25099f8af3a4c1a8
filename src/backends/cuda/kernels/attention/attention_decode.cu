// Attention of few queries: softmax(q k^T * scale + mask) v for the rows of one head of keys, half
// types with float sums. attention.cuh has shapes and layout; head sizes are multiples of 8, up to
// Size, and all rows are read 16 bytes at a time.
//
// A block takes Rows rows of a head and a stretch of its keys, a warp 16 keys at a time: scores^T =
// k q^T and sums^T = v^T weights^T on tensor cores. Keys and values to come travel into a ring in
// shared memory. Each warp keeps the peak and total of its rows' softmax so far; warps, then
// stretches come together: those of a cluster in each other's shared memory, others in global one.
//
// Floor: the bytes of keys and values, read once for each Rows rows. Of an H200's 4.8 TB/s a call
// of one query and 8 heads of 128 reaches 77 % with 32,768 keys, 40 % with 4,096; of the 2.9 us
// that it takes with 512, 2.5 are waiting, queries, one tile and coming together.
#include "attention_ring.cuh"
#include "clusters.cuh"

// An 8x8 matrix of halves, its row g in lanes 4g.., transposed.
__device__ __forceinline__ uint32_t transpose_matrix(uint32_t pair) {
#ifdef LAZULI_EMULATED_GPU
  int g = lane_index() / 4, t = lane_index() % 4;
  uint32_t first = __shfl_sync(all_lanes, pair, 8 * t + g / 2);
  uint32_t second = __shfl_sync(all_lanes, pair, 8 * t + 4 + g / 2);
  return g % 2 ? first >> 16 | (second & 0xffff0000u) : (first & 0xffffu) | second << 16;
#else
  uint32_t to;
  asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(to) : "r"(pair));
  return to;
#endif
}

// Lanes of a warp: g = lane / 4, t = lane % 4. Of each tile of 8 rows a lane knows rows 2t and
// 2t + 1.
template <class T, class Ring, int Size, int Rows>
struct Warp {
  static constexpr int row_tiles = Rows / 8;
  const Attention& a;
  int warp, g, t;
  const T* from[row_tiles];
  uint4 q[Size / 32][row_tiles];
  MaskRow rows[row_tiles][2];
  float peak[row_tiles][2], total[row_tiles][2];
  float sums[Size / 16][row_tiles][4];

  __device__ __forceinline__ Warp(const Attention& call, const Place& place)
      : a(call), warp(threadIdx.x / 32), g(lane_index() / 4), t(lane_index() % 4) {
    int last = a.group * a.queries - 1;
#pragma unroll
    for (int tile = 0; tile < row_tiles; ++tile) {
      // Rows beyond the last repeat it and are not stored.
      int row = min(place.first_row + tile * 8 + g, last);
      int query = row / a.group, of = place.head * a.group + row % a.group;
      from[tile] = static_cast<const T*>(a.q) + place.example * a.q_strides[0] +
                   of * a.q_strides[1] + query * a.q_strides[2];
      keep_here(from[tile]);
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        rows[tile][e] = {0, a.keys - 1};
        if (a.kind != 0) {
          int masks = min(place.first_row + tile * 8 + 2 * t + e, last);
          rows[tile][e] =
              mask_row(a, place.example, place.head * a.group + masks % a.group, masks / a.group);
        }
        peak[tile][e] = -op::highest<float>();
        total[tile][e] = 0;
      }
#pragma unroll
      for (int i = 0; i < Size / 16; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) sums[i][tile][j] = 0;
      }
    }
  }
  __device__ __forceinline__ void load_queries() {
#pragma unroll
    for (int tile = 0; tile < row_tiles; ++tile) {
#pragma unroll
      for (int c = 0; c < Size / 32; ++c) {
        bool inside = c * 32 + t * 8 < a.size;
        q[c][tile] = inside ? *reinterpret_cast<const uint4*>(from[tile] + c * 32 + t * 8)
                            : make_uint4(0, 0, 0, 0);
      }
    }
  }

  // Products of 16 keys and the rows; lanes get keys g of both halves.
  __device__ __forceinline__ void score(const uint8_t* tile, float (&c)[row_tiles][4]) const {
    const uint8_t* from = tile + Ring::offset({0, g}) + warp * 4 * Ring::row_bytes + t * 16;
    float other[row_tiles][4];
#pragma unroll
    for (int i = 0; i < row_tiles; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) c[i][j] = other[i][j] = 0;
    }
#pragma unroll
    for (int i = 0; i < Size / 32; ++i) {
      uint4 x = *reinterpret_cast<const uint4*>(from + i * 64);
      uint4 y = *reinterpret_cast<const uint4*>(from + 2 * Ring::row_bytes + i * 64);
#pragma unroll
      for (int r = 0; r < row_tiles; ++r) {
        multiply_tile<T>(c[r], x.x, y.x, x.y, y.y, q[i][r].x, q[i][r].y);
        multiply_tile<T>(other[r], x.z, y.z, x.w, y.w, q[i][r].z, q[i][r].w);
      }
    }
#pragma unroll
    for (int i = 0; i < row_tiles; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) c[i][j] += other[i][j];
    }
  }

  // Scores as powers of two; `key` is the tile's first one.
  __device__ __forceinline__ void mask(int key, int end, float (&c)[row_tiles][4]) const {
    if (a.kind == 0 && key + Ring::keys <= end) {
      float unit = a.scale * log2_e;
#pragma unroll
      for (int r = 0; r < row_tiles; ++r) {
#pragma unroll
        for (int j = 0; j < 4; ++j) c[r][j] *= unit;
      }
      return;
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      KeyPlace place(half, g);
      int here = key + place.chunk * Ring::chunk_keys + warp * 4 + place.inner;
#pragma unroll
      for (int r = 0; r < row_tiles; ++r) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          float& score = c[r][half * 2 + e];
          score = here < end ? masked(a, rows[r][e], score, here) : -op::highest<float>();
        }
      }
    }
  }

  // Scores become weights, in the layout of a right operand; what was summed so far moves to the
  // new peaks.
  __device__ __forceinline__ void soften(float (&c)[row_tiles][4],
                                         uint32_t (&weights)[row_tiles][2]) {
#pragma unroll
    for (int r = 0; r < row_tiles; ++r) {
      float factor[2];
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        float here = fmaxf(c[r][e], c[r][2 + e]);
        here = fmaxf(here, shuffle_xor(here, 4));
        here = fmaxf(here, shuffle_xor(here, 8));
        here = fmaxf(here, shuffle_xor(here, 16));
        float next = fmaxf(peak[r][e], here), base = base_of(next);
        factor[e] = power_of_two(peak[r][e] - base);
        peak[r][e] = next;
        c[r][e] = power_of_two(c[r][e] - base);
        c[r][2 + e] = power_of_two(c[r][2 + e] - base);
        total[r][e] = total[r][e] * factor[e] + c[r][e] + c[r][2 + e];
      }
      weights[r][0] = transpose_matrix(pack_pair<T>(c[r][0], c[r][1]));
      weights[r][1] = transpose_matrix(pack_pair<T>(c[r][2], c[r][3]));
      if (!__any_sync(all_lanes, factor[0] != 1 || factor[1] != 1)) continue;
#pragma unroll
      for (int i = 0; i < Size / 16; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) sums[i][r][j] *= factor[j % 2];
      }
    }
  }

  __device__ __forceinline__ void add_values(const uint8_t* tile,
                                             const uint32_t (&weights)[row_tiles][2]) {
#pragma unroll
    for (int c = 0; c < Size / 64; ++c) {
      uint4 v[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        int at = Ring::offset({j / 2, 2 * t + j % 2}) + warp * 4 * Ring::row_bytes;
        v[j] = *reinterpret_cast<const uint4*>(tile + at + (c * 64 + g * 8) * 2);
      }
      const uint32_t* words[4] = {&v[0].x, &v[1].x, &v[2].x, &v[3].x};
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        uint32_t a0 = __byte_perm(words[0][j], words[1][j], 0x5410);
        uint32_t a1 = __byte_perm(words[0][j], words[1][j], 0x7632);
        uint32_t a2 = __byte_perm(words[2][j], words[3][j], 0x5410);
        uint32_t a3 = __byte_perm(words[2][j], words[3][j], 0x7632);
#pragma unroll
        for (int r = 0; r < row_tiles; ++r) {
          multiply_tile<T>(sums[c * 4 + j][r], a0, a1, a2, a3, weights[r][0], weights[r][1]);
        }
      }
    }
  }

  // Weights of zero want values that are numbers: of `count` rows on.
  __device__ __forceinline__ void clear_beyond(uint8_t* tile, int count) const {
    for (int i = lane_index(); i < 16 * (Size / 8); i += 32) {
      int key = i / (Size / 8), inner = warp * 4 + key % 4;
      if (key / 4 * Ring::chunk_keys + inner < count) continue;
      uint8_t* to = tile + key / 4 * Ring::chunk_bytes + inner * Ring::row_bytes;
      reinterpret_cast<uint4*>(to)[i % (Size / 8)] = make_uint4(0, 0, 0, 0);
    }
    __syncwarp();
  }

  // This warp is through with the slot; without bulk copies it asks for its keys of the tile that
  // is so many further, [2][Ring::keys] from the stretch's first.
  __device__ __forceinline__ void release(Ring& ring, const Stretch<T>& s, int which, int key) {
    __syncwarp();
#ifdef LAZULI_BULK_COPIES
    if (lane_index() == 0) ring.empty[ring.slot].arrive();
#else
    int tile = (key - s.first) / Ring::keys * 2 + which + ring.slots;
    ask(ring, ring.slot, s, tile);
#endif
    ring.advance();
  }
#ifndef LAZULI_BULK_COPIES
  __device__ __forceinline__ void ask(const Ring& ring, int slot, const Stretch<T>& s, int tile) {
    int skipped = tile / 2 * Ring::keys, which = tile % 2, rows = s.end - s.first - skipped;
    if (rows <= 0) return;
    ring.ask_own(slot, warp, s.data[which] + skipped * s.stride[which], s.stride[which],
                 s.size[which], rows);
  }
#endif

  // The warp's keys of the tile from `key` on.
  __device__ __forceinline__ void tile_of_keys(Ring& ring, const Stretch<T>& s, int key) {
    float scores[row_tiles][4];
    uint32_t weights[row_tiles][2];
    ring.wait();
    score(ring.tile(), scores);
    release(ring, s, 0, key);
    mask(key, s.end, scores);
    soften(scores, weights);
    ring.wait();
    if (key + Ring::keys > s.end) clear_beyond(ring.tile(), s.end - key);
    add_values(ring.tile(), weights);
    release(ring, s, 1, key);
  }

  // Sums of the first `live` rows as [rows, pitch], and the rows' softmaxes.
  static constexpr int pitch = Size + 8;
  __device__ __forceinline__ void store(float* to, Softmax* known, int live) {
#pragma unroll
    for (int r = 0; r < row_tiles; ++r) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        int row = r * 8 + 2 * t + e;
        for (int by = 4; by < 32; by *= 2) total[r][e] += shuffle_xor(total[r][e], by);
        if (row >= live) continue;
        if (g == 0) known[row] = {peak[r][e], total[r][e]};
#pragma unroll
        for (int c = 0; c < Size / 64; ++c) {
          float4* at = reinterpret_cast<float4*>(to + row * pitch + c * 64 + g * 8);
          at[0] = make_float4(sums[c * 4][r][e], sums[c * 4][r][2 + e], sums[c * 4 + 1][r][e],
                              sums[c * 4 + 1][r][2 + e]);
          at[1] = make_float4(sums[c * 4 + 2][r][e], sums[c * 4 + 2][r][2 + e],
                              sums[c * 4 + 3][r][e], sums[c * 4 + 3][r][2 + e]);
        }
      }
    }
  }
};

// Joins what each of Count has of four columns of a row: sum(i) and softmax(i).
template <int Count, class Sum, class Known>
__device__ __forceinline__ float4 join_some(Sum sum, Known known, Softmax& all) {
  float4 parts[Count], joined = make_float4(0, 0, 0, 0);
  Softmax ones[Count];
  all = {-op::highest<float>(), 0};
#pragma unroll
  for (int i = 0; i < Count; ++i) {
    ones[i] = known(i);
    parts[i] = sum(i);
  }
#pragma unroll
  for (int i = 0; i < Count; ++i) all.peak = fmaxf(all.peak, ones[i].peak);
#pragma unroll
  for (int i = 0; i < Count; ++i) {
    float factor = power_of_two(ones[i].peak - base_of(all.peak));
    all.total += ones[i].total * factor;
    joined.x += parts[i].x * factor;
    joined.y += parts[i].y * factor;
    joined.z += parts[i].z * factor;
    joined.w += parts[i].w * factor;
  }
  return joined;
}

#ifdef LAZULI_CLUSTERS
// How the blocks of a cluster come together: each joins some of the columns, four at a time, and is
// sent all blocks' parts of these and all blocks' softmaxes.
template <int Rows, int Blocks>
struct Meeting {
  float4* parts;  // [Blocks, share]
  Softmax (&softmaxes)[Blocks][Rows];
  CopyBarrier& arrived;
  int share, first, count;  // of fours; the block's own ones

  __device__ __forceinline__ Meeting(float4* memory, Softmax (&known)[Blocks][Rows],
                                     CopyBarrier& barrier, int fours)
      : parts(memory), softmaxes(known), arrived(barrier), share((fours + Blocks - 1) / Blocks) {
    first = blockIdx.y * share;
    count = max(min(share, fours - first), 0);
  }
  // All threads; `rows` softmaxes are to come. To be waited for before others are sent something.
  __device__ __forceinline__ void open(int rows) {
    if (threadIdx.x == 0) {
      arrived.make(1);
      publish_barriers();
      arrived.arrive_expecting(Blocks * (count * 16 + rows * 8));
    }
    __syncwarp();
    arrive_at_cluster();
  }
  __device__ __forceinline__ void send(int four, float4 sum) {
    int to = four / share;
    send_to_block(parts + blockIdx.y * share + four - to * share, to, sum, arrived);
  }
  __device__ __forceinline__ void send(int row, Softmax all, int to) {
    send_to_block(&softmaxes[blockIdx.y][row], to, make_float2(all.peak, all.total), arrived);
  }
  // As soon as all parts have come.
  template <class T, int Size>
  __device__ __forceinline__ void join(const Attention& a, const Place& place) {
    arrived.wait(0);
    for (int i = threadIdx.x; i < count; i += blockDim.x) {
      int four = first + i, row = four / (Size / 4);
      Softmax all;
      float4 sum = join_some<Blocks>([&](int b) { return parts[b * share + i]; },
                                     [&](int b) { return softmaxes[b][row]; }, all);
      store_four<T>(a, place, row, four % (Size / 4) * 4, sum, all);
    }
  }
};
#endif

// Blocks of `warps` and one warp that asks for tiles; blockIdx.y counts stretches of `keys_each`
// keys, which are `Blocks` where these are more than one: a cluster, where there are clusters.
// Dynamic shared memory: the ring, where the warps' sums lie in the end, and what is met with.
template <class T, int Size, int Rows, int Blocks>
__global__ void __launch_bounds__((TileRing<T, Size, (Blocks > 1)>::warps + 1) * 32)
    LAZULI_CLUSTER_OF(Blocks) attention_decode(__grid_constant__ const Attention a, int keys_each,
                                               int slots, Parts parts) {
  using Ring = TileRing<T, Size, (Blocks > 1)>;
  using Work = Warp<T, Ring, Size, Rows>;
  constexpr int warps = Ring::warps, threads = (warps + 1) * 32, pitch = Work::pitch;
  extern __shared__ float4 dynamic_shared[];
  __shared__ Softmax known[warps][Rows];
  __shared__ CopyBarrier full[slots_max], empty[slots_max];
  let_later_start();
  Ring ring{reinterpret_cast<uint8_t*>(dynamic_shared), full, empty, slots};
  if (threadIdx.x == 0) ring.make();
  if (a.size < Size || a.value_size < Size) {
    // What copies leave alone is zero.
    for (int i = threadIdx.x; i < slots * Ring::tile_bytes / 16; i += threads) {
      dynamic_shared[i] = make_float4(0, 0, 0, 0);
    }
  }
  Place place = place_of<Rows>(a);
  int first = blockIdx.y * keys_each;
  Stretch<T> stretch(a, place, first, min(first + keys_each, a.keys));
  int live = min(Rows, a.group * a.queries - place.first_row), warp = threadIdx.x / 32;
  int fours = live * (Size / 4);
#ifdef LAZULI_CLUSTERS
  __shared__ Softmax met[Blocks][Rows];
  __shared__ CopyBarrier arrived;
  constexpr int sums_bytes = warps * Rows * pitch * 4;
  Meeting<Rows, Blocks> meeting(dynamic_shared + max(slots * Ring::tile_bytes, sums_bytes) / 16,
                                met, arrived, fours);
  if constexpr (Blocks > 1) meeting.open(live);
#endif
  __syncthreads();
  float* shared = reinterpret_cast<float*>(dynamic_shared);
  if (warp == warps) {
    if (!a.settled) {
      touch_tiles<Ring>(stretch);
      wait_for_earlier();
    }
#ifdef LAZULI_BULK_COPIES
    if (is_elected()) ask_for_all(ring, stretch);
    __syncwarp();
#endif
    wait_for_earlier();
    meet_some(1, threads);
  } else {
    Work work(a, place);
#ifndef LAZULI_BULK_COPIES
    wait_for_earlier();
    for (int s = 0; s < slots; ++s) work.ask(ring, s, stretch, s);
#endif
    wait_for_earlier();
    work.load_queries();
#pragma unroll 1
    for (int key = first; key < stretch.end; key += Ring::keys) {
      work.tile_of_keys(ring, stretch, key);
    }
    // Sums lie where the ring is.
    meet_some(1, threads);
    work.store(shared + warp * Rows * pitch, known[warp], live);
  }
  __syncthreads();
#ifdef LAZULI_CLUSTERS
  if constexpr (Blocks > 1) wait_for_cluster();
#endif
  int64_t number = static_cast<int64_t>(blockIdx.x) * gridDim.y + blockIdx.y;
  for (int i = threadIdx.x; i < fours; i += threads) {
    int row = i / (Size / 4), column = i % (Size / 4) * 4;
    Softmax all;
    float4 sum = join_some<warps>(
        [&](int w) {
          return *reinterpret_cast<const float4*>(shared + (w * Rows + row) * pitch + column);
        },
        [&](int w) { return known[w][row]; }, all);
#ifdef LAZULI_CLUSTERS
    if constexpr (Blocks > 1) {
      meeting.send(i, sum);
      if (column / 4 < Blocks) meeting.send(row, all, column / 4);
      continue;
    }
#endif
    if (gridDim.y == 1) {
      store_four<T>(a, place, row, column, sum, all);
    } else {
      *reinterpret_cast<float4*>(parts.sums + (number * Rows + row) * Size + column) = sum;
      if (column == 0) parts.softmaxes[number * Rows + row] = all;
    }
  }
#ifdef LAZULI_CLUSTERS
  if constexpr (Blocks > 1) {
    meeting.template join<T, Size>(a, place);
    return;
  }
#endif
  if (gridDim.y == 1 || !is_last_block(parts.counters + blockIdx.x, gridDim.y)) return;
  join_stretches<T, Size, Rows, warps + 1>(a, place, parts, dynamic_shared);
}
