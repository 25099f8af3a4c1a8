// The ring in shared memory through which the keys and values of attention_decode.cu travel.
#pragma once

#include "attention_parts.cuh"
#include "rings.cuh"

constexpr int slots_max = 12;

// Where key `column` of half `half` of a warp's 16 keys lies: they are four of each of a tile's
// four chunks. Chunks lie 32 bytes beyond a multiple of 128 apart, so that what lanes read at a
// time, two keys or the same of four chunks, is in different banks.
struct KeyPlace {
  int chunk, inner;
  __device__ __forceinline__ KeyPlace(int half, int column)
      : chunk((column / 2 + column % 2 * 2) % 4), inner(half * 2 + column % 2) {}
};

// A block's ring: tiles of keys and tiles of values in turn, of four chunks of keys that lie
// together. Where bulk copies are there, a warp of its own asks for tiles; elsewhere each warp does
// for its keys. The stretches of clusters are short, and so are their tiles.
template <class T, int Size, bool Clustered>
struct TileRing {
  static constexpr int warps = Size > (Clustered ? 64 : 128) ? 4 : 8;
  static constexpr int keys = warps * 16, chunk_keys = keys / 4;
  static constexpr int row_bytes = Size * 2, chunk_bytes = chunk_keys * row_bytes + 32;
  static constexpr int tile_bytes = 4 * chunk_bytes;
  uint8_t* memory;
  CopyBarrier *full, *empty;
  int slots, slot = 0, phase = 0;

  __device__ __forceinline__ void make() {
    for (int s = 0; s < slots; ++s) {
#ifdef LAZULI_BULK_COPIES
      full[s].make(1);
#else
      full[s].make(warps * 32);
#endif
      empty[s].make(warps);
    }
    publish_barriers();
  }
  __device__ __forceinline__ uint8_t* tile() const { return memory + slot * tile_bytes; }
  static __device__ __forceinline__ int offset(KeyPlace place) {
    return place.chunk * chunk_bytes + place.inner * row_bytes;
  }
  __device__ __forceinline__ void wait() const { full[slot].wait(phase); }
  __device__ __forceinline__ void advance() {
    if (++slot < slots) return;
    slot = 0;
    phase ^= 1;
  }

#ifdef LAZULI_BULK_COPIES
  // `rows` rows from `from` on into the slot, by one thread.
  __device__ __forceinline__ void ask(const T* from, int64_t stride, int size, int rows) const {
    CopyBarrier& barrier = full[slot];
    uint8_t* to = tile();
    barrier.arrive_expecting(rows * size * 2);
    if (stride == Size && size == Size) {
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        int count = min(rows - c * chunk_keys, chunk_keys);
        if (count > 0) {
          copy_bulk(to + c * chunk_bytes, from + c * chunk_keys * Size, count * Size * 2, barrier);
        }
      }
    } else {
#pragma unroll 1
      for (int row = 0; row < rows; ++row, from += stride) {
        copy_bulk(to + row / chunk_keys * chunk_bytes + row % chunk_keys * row_bytes, from,
                  size * 2, barrier);
      }
    }
  }
#else
  // The rows of warp `warp` of `rows` rows from `from` on into slot `at`, by that warp.
  __device__ __forceinline__ void ask_own(int at, int warp, const T* from, int64_t stride, int size,
                                          int rows) const {
    uint8_t* to = memory + at * tile_bytes;
    for (int i = lane_index(); i < 16 * (Size / 8); i += 32) {
      int key = i / (Size / 8), column = i % (Size / 8) * 8, inner = warp * 4 + key % 4;
      int row = key / 4 * chunk_keys + inner;
      if (row < rows && column < size) {
        copy_async(to + key / 4 * chunk_bytes + inner * row_bytes + column * 2,
                   from + row * stride + column);
      }
    }
    full[at].arrive_with_copies();
  }
#endif
};

// What a block reads: its stretch of a head's keys and values.
template <class T>
struct Stretch {
  const T* data[2];
  int64_t stride[2];
  int size[2], first, end;
  __device__ __forceinline__ Stretch(const Attention& a, const Place& place, int from, int to)
      : stride{a.k_strides[2], a.v_strides[2]}, size{a.size, a.value_size}, first(from), end(to) {
    data[0] = static_cast<const T*>(a.k) + place.example * a.k_strides[0] +
              place.head * a.k_strides[1] + from * stride[0];
    data[1] = static_cast<const T*>(a.v) + place.example * a.v_strides[0] +
              place.head * a.v_strides[1] + from * stride[1];
  }
};

// Has the stretch's first tiles in the second cache soon, a lane each, where rows lie together.
template <class Ring, class T>
__device__ __forceinline__ void touch_tiles(const Stretch<T>& s) {
  bool second = lane_index() % 2;
  int from = lane_index() / 2 * Ring::keys, rows = min(s.end - s.first - from, Ring::keys);
  int size = second ? s.size[1] : s.size[0];
  const T* data = second ? s.data[1] : s.data[0];
  if (lane_index() < slots_max && rows > 0 && (second ? s.stride[1] : s.stride[0]) == size) {
    touch_bulk(data + from * size, rows * size * 2);
  }
}

#ifdef LAZULI_BULK_COPIES
// Asks for all tiles of a stretch, by one thread.
template <class Ring, class T>
__device__ __forceinline__ void ask_for_all(Ring ring, const Stretch<T>& s) {
  const T *keys = s.data[0], *values = s.data[1];
  bool waits = false;
#pragma unroll 1
  for (int left = s.end - s.first; left > 0; left -= Ring::keys) {
    int rows = min(left, Ring::keys);
    if (waits) ring.empty[ring.slot].wait(ring.phase ^ 1);
    ring.ask(keys, s.stride[0], s.size[0], rows);
    ring.advance();
    waits |= ring.slot == 0;
    if (waits) ring.empty[ring.slot].wait(ring.phase ^ 1);
    ring.ask(values, s.stride[1], s.size[1], rows);
    ring.advance();
    waits |= ring.slot == 0;
    keys += Ring::keys * s.stride[0];
    values += Ring::keys * s.stride[1];
  }
}
#endif
