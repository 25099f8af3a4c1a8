// Loops of the attention kernel; attention.cpp tells the algorithm.

#if defined(LAZULI_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LAZULI_ATTENTION_INL_H_
#undef LAZULI_ATTENTION_INL_H_
#else
#define LAZULI_ATTENTION_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "backends/cpu/fused/float_math-inl.h"
#include "backends/cpu/kernels/attention.h"
#include "backends/cpu/kernels/packed/packed_floats-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using packed::HWY_NAMESPACE::load_floats;
using packed::HWY_NAMESPACE::store_floats;
using packed::HWY_NAMESPACE::with_float;

constexpr auto lanes = static_cast<int64_t>(hn::MaxLanes(D()));
constexpr int64_t key_block = 2 * lanes;           // keys scored together
constexpr int tile_rows = lanes == 16 ? 12 : 4;    // 12 x 2 sums of 32 registers, 4 x 2 of 16
constexpr int few_rows = 4;                        // rows that meet keys as they lie
constexpr float minus_infinity = -std::numeric_limits<float>::infinity();
// What a mask hides. Finite, so that a row without any key weighs all of them alike.
constexpr float hidden_score = -std::numeric_limits<float>::max();

inline int64_t padded(int64_t count) { return (count + lanes - 1) / lanes * lanes; }

// Two vectors for each of R rows. A list and not an array: GCC keeps arrays that loops index in
// memory, even when it unrolls the loops.
template <int R>
struct Tile {
  V left, right;
  Tile<R - 1> rest;
};
template <>
struct Tile<0> {};

template <int R>
HWY_INLINE void set_zero(Tile<R>& tile) {
  if constexpr (R > 0) {
    tile.left = tile.right = hn::Zero(D());
    set_zero<R - 1>(tile.rest);
  }
}

// tile[r] += (b0, b1) * x[r * Step].
template <int R, int Step>
HWY_INLINE void add_products(Tile<R>& tile, V b0, V b1, const float* x) {
  if constexpr (R > 0) {
    const V value = hn::Set(D(), *x);
    tile.left = hn::MulAdd(b0, value, tile.left);
    tile.right = hn::MulAdd(b1, value, tile.right);
    add_products<R - 1, Step>(tile.rest, b0, b1, x + Step);
  }
}

template <int R>
HWY_INLINE void store_tile(const Tile<R>& tile, float* to, int64_t stride) {
  if constexpr (R > 0) {
    hn::StoreU(tile.left, D(), to);
    hn::StoreU(tile.right, D(), to + lanes);
    store_tile<R - 1>(tile.rest, to + stride, stride);
  }
}

template <int R>
HWY_INLINE void load_scaled(Tile<R>& tile, const float* from, int64_t stride,
                            const float* factors) {
  if constexpr (R > 0) {
    const V factor = hn::Set(D(), *factors);
    tile.left = hn::Mul(hn::LoadU(D(), from), factor);
    tile.right = hn::Mul(hn::LoadU(D(), from + lanes), factor);
    load_scaled<R - 1>(tile.rest, from + stride, stride, factors + 1);
  }
}

// ---- Scores ----
// The scores of a tile: scores[R][key_block] = queries [size][R] times keys [size][key_block].
template <int R>
void score_tile(const float* queries, const float* keys, int64_t size, float* scores) {
  const D d;
  Tile<R> tile;
  set_zero<R>(tile);
  for (int64_t i = 0; i < size; ++i, queries += R, keys += key_block) {
    add_products<R, 1>(tile, hn::LoadU(d, keys), hn::LoadU(d, keys + lanes), queries);
  }
  store_tile<R>(tile, scores, key_block);
}

// Sums over the lanes of four vectors to four floats.
HWY_INLINE void store_lane_sums(V a, V b, V c, V e, float* to) {
  const D d;
  const hn::Repartition<double, D> d64;
  const auto wide = [&](V v) HWY_ATTR { return hn::BitCast(d64, v); };
  const V ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  const V ce = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
  V all = hn::Add(hn::BitCast(d, hn::InterleaveLower(d64, wide(ab), wide(ce))),
                  hn::BitCast(d, hn::InterleaveUpper(d64, wide(ab), wide(ce))));
  if constexpr (lanes >= 8) all = hn::Add(all, hn::SwapAdjacentBlocks(all));
  if constexpr (lanes >= 16) all = hn::Add(all, hn::ReverseBlocks(d, all));
  const hn::CappedTag<float, 4> d4;
  hn::StoreU(hn::ResizeBitCast(d4, all), d4, to);
}

// Four keys as vectors.
struct FourKeys {
  V a, b, c, e;
};

template <int R>
struct Dots {
  FourKeys sums;
  Dots<R - 1> rest;
};
template <>
struct Dots<0> {};

template <int R>
HWY_INLINE void clear(Dots<R>& dots) {
  if constexpr (R > 0) {
    const V zero = hn::Zero(D());
    dots.sums = {zero, zero, zero, zero};
    clear<R - 1>(dots.rest);
  }
}

template <int R>
HWY_INLINE void add_dots(Dots<R>& dots, const FourKeys& k, const float* q, int64_t stride) {
  if constexpr (R > 0) {
    const V x = hn::LoadU(D(), q);
    dots.sums.a = hn::MulAdd(k.a, x, dots.sums.a);
    dots.sums.b = hn::MulAdd(k.b, x, dots.sums.b);
    dots.sums.c = hn::MulAdd(k.c, x, dots.sums.c);
    dots.sums.e = hn::MulAdd(k.e, x, dots.sums.e);
    add_dots<R - 1>(dots.rest, k, q + stride, stride);
  }
}

template <int R>
HWY_INLINE void store_dots(const Dots<R>& dots, float* scores) {
  if constexpr (R > 0) {
    store_lane_sums(dots.sums.a, dots.sums.b, dots.sums.c, dots.sums.e, scores);
    store_dots<R - 1>(dots.rest, scores + key_block);
  }
}

// scores[R][key_block] for `count` keys as they lie; queries [R][padded size], zeros behind.
template <int R, class T>
void score_few(const float* queries, const T* keys, int64_t stride, int64_t count, int64_t size,
               float* scores) {
  const D d;
  const int64_t whole = size / lanes * lanes, left = size - whole, step = padded(size);
  for (int64_t key = 0; key < count; key += 4) {
    const auto row = [&](int64_t j) { return keys + std::min(key + j, count - 1) * stride; };
    const T *a = row(0), *b = row(1), *c = row(2), *e = row(3);
    Dots<R> dots;
    clear<R>(dots);
    for (int64_t i = 0; i < whole; i += lanes) {
      add_dots<R>(dots,
                  {load_floats(d, a + i), load_floats(d, b + i), load_floats(d, c + i),
                   load_floats(d, e + i)},
                  queries + i, step);
    }
    if (left) {
      const auto rest = static_cast<size_t>(left);
      add_dots<R>(dots,
                  {load_floats(d, a + whole, rest), load_floats(d, b + whole, rest),
                   load_floats(d, c + whole, rest), load_floats(d, e + whole, rest)},
                  queries + whole, step);
    }
    store_dots<R>(dots, scores + key);
  }
}

// ---- Values ----
// sums[R][stride] = sums * factors + weights [R][key_block] times `count` rows of values.
template <int R, class T>
void add_values(const float* weights, const float* factors, const T* values, int64_t value_stride,
                int64_t count, int64_t value_size, float* sums, int64_t stride) {
  const D d;
  int64_t i = 0;
  for (; i + 2 * lanes <= value_size; i += 2 * lanes) {
    Tile<R> tile;
    load_scaled<R>(tile, sums + i, stride, factors);
    const T* v = values + i;
    for (int64_t key = 0; key < count; ++key, v += value_stride) {
      add_products<R, key_block>(tile, load_floats(d, v), load_floats(d, v + lanes), weights + key);
    }
    store_tile<R>(tile, sums + i, stride);
  }
  for (; i < value_size; i += lanes) {
    const auto left = static_cast<size_t>(std::min(lanes, value_size - i));
    for (int r = 0; r < R; ++r) {
      V sum = hn::Mul(hn::LoadU(d, sums + r * stride + i), hn::Set(d, factors[r]));
      for (int64_t key = 0; key < count; ++key) {
        const T* v = values + key * value_stride + i;
        const V value =
            left == static_cast<size_t>(lanes) ? load_floats(d, v) : load_floats(d, v, left);
        sum = hn::MulAdd(value, hn::Set(d, weights[r * key_block + key]), sum);
      }
      hn::StoreU(sum, d, sums + r * stride + i);
    }
  }
}

// ---- Softmax ----
// Scores of one row, from key `first` on, become scaled and masked; those behind `count` minus
// infinity.
inline void mask_row(const Attention& a, int64_t example, int64_t head, int64_t query,
                     int64_t first, int64_t count, float* scores) {
  const D d;
  for (int64_t i = 0; i < key_block; i += lanes) {
    hn::StoreU(hn::Mul(hn::LoadU(d, scores + i), hn::Set(d, a.scale)), d, scores + i);
  }
  int64_t seen = count;
  if (a.kind == Attention::Mask::causal) {
    seen = std::clamp<int64_t>(query + a.keys - a.queries + 1 - first, 0, count);
  }
  for (int64_t i = seen; i < count; ++i) scores[i] = hidden_score;
  for (int64_t i = count; i < key_block; ++i) scores[i] = minus_infinity;
  const int64_t step = a.mask.strides[3];
  if (a.kind == Attention::Mask::boolean) {
    const bool* mask = a.mask.at<bool>(example, head, query) + first * step;
    for (int64_t i = 0; i < count; ++i) {
      if (!mask[i * step]) scores[i] = hidden_score;
    }
  } else if (a.kind == Attention::Mask::additive) {
    const float* mask = a.mask.at<float>(example, head, query) + first * step;
    for (int64_t i = 0; i < count; ++i) scores[i] += mask[i * step];
  }
}

// Scores become weights exp(score - new peak); `factors` bring what was summed to the new peaks.
inline void soften(int64_t rows, float* scores, float* peaks, float* totals, float* factors) {
  const D d;
  HWY_ALIGN float bases[16], changes[16] = {};
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = scores + r * key_block;
    const float here = hn::ReduceMax(d, hn::Max(hn::LoadU(d, row), hn::LoadU(d, row + lanes)));
    const float peak = std::max(peaks[r], here);
    // A row that has seen nothing yet keeps weights of zero.
    bases[r] = peak == minus_infinity ? 0.0f : peak;
    changes[r] = peaks[r] - bases[r];
    peaks[r] = peak;
  }
  for (int64_t r = 0; r < rows; r += lanes) {
    hn::StoreU(exp(Float(hn::LoadU(d, changes + r))).v, d, changes + r);
  }
  for (int64_t r = 0; r < rows; ++r) {
    float* row = scores + r * key_block;
    const Float base(bases[r]);
    const Float w0 = exp(Float(hn::LoadU(d, row)) - base);
    const Float w1 = exp(Float(hn::LoadU(d, row + lanes)) - base);
    hn::StoreU(w0.v, d, row);
    hn::StoreU(w1.v, d, row + lanes);
    factors[r] = changes[r];
    totals[r] = totals[r] * changes[r] + hn::ReduceSum(d, (w0 + w1).v);
  }
}

// ---- Preparing operands ----
template <class T>
void widen_row(const T* from, int64_t count, float* to) {
  const D d;
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(load_floats(d, from + i), d, to + i);
  if (i < count) {
    hn::StoreU(load_floats(d, from + i, static_cast<size_t>(count - i)), d, to + i);
  }
}

// Four rows of `count` floats (a multiple of 4) to columns `column`... of `to` [count][step].
inline void transpose_four(const float* rows, int64_t stride, int64_t count, float* to,
                           int64_t step) {
  const hn::FixedTag<float, 4> d;
  const hn::Repartition<double, decltype(d)> d64;
  for (int64_t i = 0; i < count; i += 4) {
    const auto a = hn::LoadU(d, rows + i), b = hn::LoadU(d, rows + stride + i);
    const auto c = hn::LoadU(d, rows + 2 * stride + i), e = hn::LoadU(d, rows + 3 * stride + i);
    const auto ab0 = hn::BitCast(d64, hn::InterleaveLower(d, a, b));
    const auto ab1 = hn::BitCast(d64, hn::InterleaveUpper(d, a, b));
    const auto ce0 = hn::BitCast(d64, hn::InterleaveLower(d, c, e));
    const auto ce1 = hn::BitCast(d64, hn::InterleaveUpper(d, c, e));
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, ab0, ce0)), d, to + i * step);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, ab0, ce0)), d, to + (i + 1) * step);
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, ab1, ce1)), d, to + (i + 2) * step);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, ab1, ce1)), d, to + (i + 3) * step);
  }
}

// `count` of at most `places` rows (a multiple of four) of T to columns: to [size][places], zeros
// behind. `buffer`: four padded rows.
template <class T, class Row>
void pack_columns(const Row& row, int64_t count, int64_t places, int64_t size, float* buffer,
                  float* to) {
  const int64_t stride = padded(size);
  for (int64_t first = 0; first < places; first += 4) {
    for (int64_t j = 0; j < 4; ++j) {
      if (first + j < count) {
        widen_row(row(first + j), size, buffer + j * stride);
      } else {
        std::memset(buffer + j * stride, 0, static_cast<size_t>(stride) * sizeof(float));
      }
    }
    transpose_four(buffer, stride, (size + 3) / 4 * 4, to + first, places);
  }
}

}  // namespace lazuli::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LAZULI_ATTENTION_INL_H_
