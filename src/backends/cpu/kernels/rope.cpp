// Rotary positions: x [B, ..., T, D], the first `dims` features of each row rotated in pairs.
//
// Rows of one position share their sines: for each position the turns offset + t times frequency
// are formed in double, reduced to [-1/8, 1/8] of a turn and a quadrant, and two polynomials in
// float32 give sine and cosine, a vector of frequencies at a time. A row whose features do not
// lie in order is widened to float32 and rotated in a buffer. Any strides. Positions are dealt to
// the pool.
//
// Floor: one read and one write of x. One token of Gemma's queries (4 x 256) takes 0.6 us with
// its sines, most of which the sines are.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/thread_pool.h"
#include "compiler/backend.h"
#include "ops/table/params.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/rope.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "backends/cpu/kernels/packed/packed_floats-inl.h"

#ifndef LAZULI_ROPE_ONCE
#define LAZULI_ROPE_ONCE
namespace lazuli::cpu {

struct Rope {
  const char* x;
  char* out;
  Dtype::Val dtype;
  int64_t dims, width;
  bool traditional;
  const double* turns;  // [dims / 2]: frequencies over 2 pi, times the scale of positions
  const double* offsets;  // [examples]
  int64_t offset_step;  // 0: one offset for all
  int64_t examples, heads, length;  // x as [examples, heads, length, width]; out is dense
  const int64_t* head_places;  // [examples * heads]: element where each begins
  int64_t row_stride, stride;  // in elements
};

}  // namespace lazuli::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
using FloatBits = hn::RebindToSigned<Floats>;

// Sine and cosine of `fraction` turns, |fraction| <= 1/2 and a little.
HWY_INLINE void sines(hn::Vec<Floats> fraction, hn::Vec<Floats>& sine, hn::Vec<Floats>& cosine) {
  const Floats d;
  const FloatBits di;
  const auto quarter = hn::Round(hn::Mul(fraction, hn::Set(d, 4.0f)));
  // Exact: both are multiples of the fraction's last place.
  const auto rest = hn::NegMulAdd(quarter, hn::Set(d, 0.25f), fraction);
  const auto angle = hn::Mul(rest, hn::Set(d, 6.283185307179586f));
  const auto square = hn::Mul(angle, angle);
  // Taylor to terms below 3e-8 of the result on [-pi / 4, pi / 4].
  auto s = hn::Set(d, 2.7557319e-6f);
  s = hn::MulAdd(s, square, hn::Set(d, -1.9841270e-4f));
  s = hn::MulAdd(s, square, hn::Set(d, 8.3333333e-3f));
  s = hn::MulAdd(s, square, hn::Set(d, -1.6666667e-1f));
  s = hn::MulAdd(hn::Mul(s, square), angle, angle);
  auto c = hn::Set(d, -2.7557319e-7f);
  c = hn::MulAdd(c, square, hn::Set(d, 2.4801587e-5f));
  c = hn::MulAdd(c, square, hn::Set(d, -1.3888889e-3f));
  c = hn::MulAdd(c, square, hn::Set(d, 4.1666667e-2f));
  c = hn::MulAdd(c, square, hn::Set(d, -0.5f));
  c = hn::MulAdd(c, square, hn::Set(d, 1.0f));
  const auto quadrant = hn::ConvertTo(di, quarter);
  const auto one = hn::Set(di, 1), two = hn::Set(di, 2);
  const auto swap = hn::RebindMask(d, hn::Eq(hn::And(quadrant, one), one));
  const auto minus_sine = hn::RebindMask(d, hn::Eq(hn::And(quadrant, two), two));
  const auto minus_cosine = hn::RebindMask(d, hn::Eq(hn::And(hn::Add(quadrant, one), two), two));
  const auto swapped_sine = hn::IfThenElse(swap, c, s), swapped_cosine = hn::IfThenElse(swap, s, c);
  sine = hn::IfThenElse(minus_sine, hn::Neg(swapped_sine), swapped_sine);
  cosine = hn::IfThenElse(minus_cosine, hn::Neg(swapped_cosine), swapped_cosine);
}

// sine and cosine [count] of position * turns; both are padded to whole vectors.
void fill_sines(double position, const double* turns, int64_t count, float* sine, float* cosine) {
  const Floats d;
  constexpr auto lanes = static_cast<int64_t>(hn::MaxLanes(Floats()));
  HWY_ALIGN float fractions[lanes];
  for (int64_t i = 0; i < count; i += lanes) {
    const int64_t here = HWY_MIN(lanes, count - i);
    for (int64_t j = 0; j < lanes; ++j) {
      const double turn = j < here ? position * turns[i + j] : 0.0;
      fractions[j] = static_cast<float>(turn - std::nearbyint(turn));
    }
    hn::Vec<Floats> s, c;
    sines(hn::Load(d, fractions), s, c);
    hn::StoreU(s, d, sine + i);
    hn::StoreU(c, d, cosine + i);
  }
}

template <class T>
void load_row(const T* from, int64_t count, int64_t stride, float* to) {
  const Floats d;
  constexpr auto lanes = static_cast<int64_t>(hn::MaxLanes(Floats()));
  int64_t i = 0;
  if (stride == 1) {
    for (; i + lanes <= count; i += lanes)
      hn::StoreU(packed::HWY_NAMESPACE::load_floats(d, from + i), d, to + i);
  }
  for (; i < count; ++i) to[i] = static_cast<float>(from[i * stride]);
}

template <class T>
void store_row(const float* from, int64_t count, T* to) {
  const Floats d;
  constexpr auto lanes = static_cast<int64_t>(hn::MaxLanes(Floats()));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    packed::HWY_NAMESPACE::store_floats(d, hn::LoadU(d, from + i), to + i);
  }
  for (; i < count; ++i) to[i] = T(from[i]);
}

// `to` may be `from`.
template <class T>
void rotate_halves(const T* from, int64_t half, const float* sine, const float* cosine, T* to) {
  const Floats d;
  constexpr auto lanes = static_cast<int64_t>(hn::MaxLanes(Floats()));
  int64_t i = 0;
  for (; i + lanes <= half; i += lanes) {
    const auto a = packed::HWY_NAMESPACE::load_floats(d, from + i);
    const auto b = packed::HWY_NAMESPACE::load_floats(d, from + half + i);
    const auto s = hn::LoadU(d, sine + i), c = hn::LoadU(d, cosine + i);
    packed::HWY_NAMESPACE::store_floats(d, hn::NegMulAdd(b, s, hn::Mul(a, c)), to + i);
    packed::HWY_NAMESPACE::store_floats(d, hn::MulAdd(a, s, hn::Mul(b, c)), to + half + i);
  }
  for (; i < half; ++i) {
    const auto a = static_cast<float>(from[i]), b = static_cast<float>(from[half + i]);
    to[i] = T(a * cosine[i] - b * sine[i]);
    to[half + i] = T(a * sine[i] + b * cosine[i]);
  }
}

void rotate_neighbours(float* row, int64_t half, const float* sine, const float* cosine) {
  const Floats d;
  constexpr auto lanes = static_cast<int64_t>(hn::MaxLanes(Floats()));
  int64_t i = 0;
  for (; i + lanes <= half; i += lanes) {
    hn::Vec<Floats> a, b;
    hn::LoadInterleaved2(d, row + 2 * i, a, b);
    const auto s = hn::LoadU(d, sine + i), c = hn::LoadU(d, cosine + i);
    hn::StoreInterleaved2(hn::NegMulAdd(b, s, hn::Mul(a, c)), hn::MulAdd(a, s, hn::Mul(b, c)), d,
                          row + 2 * i);
  }
  for (; i < half; ++i) {
    const float a = row[2 * i], b = row[2 * i + 1];
    row[2 * i] = a * cosine[i] - b * sine[i];
    row[2 * i + 1] = a * sine[i] + b * cosine[i];
  }
}

// Position t of one example, all its heads. `buffer` holds two tables and a row.
template <class T>
void rope_position(const Rope& r, int64_t example, int64_t t, bool fill, float* buffer) {
  const int64_t half = r.dims / 2, padded = half + 16;
  float *sine = buffer, *cosine = buffer + padded, *row = buffer + 2 * padded;
  if (fill) {
    const double start = r.offsets[example * r.offset_step];
    fill_sines(start + static_cast<double>(t), r.turns, half, sine, cosine);
  }
  for (int64_t h = 0; h < r.heads; ++h) {
    const T* from =
        reinterpret_cast<const T*>(r.x) + r.head_places[example * r.heads + h] + t * r.row_stride;
    T* to = reinterpret_cast<T*>(r.out) + ((example * r.heads + h) * r.length + t) * r.width;
    if (r.stride == 1 && !r.traditional) {
      rotate_halves(from, half, sine, cosine, to);
      std::copy(from + r.dims, from + r.width, to + r.dims);
      continue;
    }
    load_row(from, r.width, r.stride, row);
    if (r.traditional) {
      rotate_neighbours(row, half, sine, cosine);
    } else {
      rotate_halves(row, half, sine, cosine, row);
    }
    store_row(row, r.width, to);
  }
}

// Positions [first, last) of all examples.
void rope_positions(const Rope& r, int64_t first, int64_t last, float* buffer) {
  packed::HWY_NAMESPACE::with_float(dtype_of(r.dtype), [&](auto type) {
    using T = decltype(type);
    for (int64_t t = first; t < last; ++t) {
      for (int64_t example = 0; example < r.examples; ++example) {
        const bool fill = example == 0 || r.offset_step != 0;
        rope_position<T>(r, example, t, fill, buffer);
      }
    }
  });
}

}  // namespace lazuli::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli {
namespace cpu {
HWY_EXPORT(rope_positions);

void rope_dispatched(const Rope& r, int64_t first, int64_t last, float* buffer) {
  HWY_DYNAMIC_DISPATCH(rope_positions)(r, first, last, buffer);
}
}  // namespace cpu

namespace {

constexpr double two_pi = 6.283185307179586477;

// The turns one position adds, for each pair of features.
std::vector<double> turns_of(const KernelCall& call, int64_t half, double scale, double base) {
  std::vector<double> turns(static_cast<size_t>(half));
  if (call.inputs.size() > 2) {
    const Operand& freqs = call.inputs[2];
    const int64_t step = freqs.layout->dense ? 1 : freqs.layout->strides[0];
    for (int64_t i = 0; i < half; ++i) {
      turns[static_cast<size_t>(i)] = scale / two_pi / freqs.as<float>()[i * step];
    }
    return turns;
  }
  // Each is the one before times the same ratio; 64 roundings of a double do not matter.
  const double ratio = std::exp(-std::log(base) / static_cast<double>(half));
  double turn = scale / two_pi;
  for (double& t : turns) {
    t = turn;
    turn *= ratio;
  }
  return turns;
}

std::vector<double> offsets_of(const Operand& offset) {
  std::vector<double> offsets(static_cast<size_t>(offset.size()));
  int64_t step = offset.layout->dense || offsets.size() < 2 ? 1 : offset.layout->strides[0];
  for (size_t i = 0; i < offsets.size(); ++i) {
    int64_t at = static_cast<int64_t>(i) * step;
    switch (offset.dtype) {
      case Dtype::Val::int32: offsets[i] = offset.as<int32_t>()[at]; break;
      case Dtype::Val::int64: offsets[i] = static_cast<double>(offset.as<int64_t>()[at]); break;
      default: offsets[i] = offset.as<float>()[at];
    }
  }
  return offsets;
}

// Where each head of each example begins, in elements.
std::vector<int64_t> head_places(const Shape& shape, const Strides& strides) {
  int64_t count = 1;
  for (size_t d = 0; d + 2 < shape.size(); ++d) count *= shape[d];
  std::vector<int64_t> places(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, place = 0;
    for (size_t d = shape.size() - 2; d-- > 0;) {
      place += rest % shape[d] * strides[d];
      rest /= shape[d];
    }
    places[static_cast<size_t>(i)] = place;
  }
  return places;
}

}  // namespace

// Inputs: x, offset (int32, int64 or float32, one or one an example) and, instead of a base, freqs
// (float32).
void kernel_rope(const KernelCall& call) {
  const Operand& x = call.inputs[0];
  if (x.size() == 0) return;
  const Shape& shape = *x.shape;
  const auto given = params<RopeParams>(call.node);
  Strides strides = x.layout->dense ? dense_strides(shape) : x.layout->strides;
  const int64_t dims = given.dims;
  std::vector<double> turns = turns_of(call, dims / 2, given.scale, given.base);
  std::vector<double> offsets = offsets_of(call.inputs[1]);
  std::vector<int64_t> places = head_places(shape, strides);
  const int64_t length = shape[shape.size() - 2], width = shape.back();
  cpu::Rope rope{x.data(),
                 call.output.data(),
                 x.dtype,
                 dims,
                 width,
                 given.traditional,
                 turns.data(),
                 offsets.data(),
                 offsets.size() > 1 ? 1 : 0,
                 shape[0],
                 static_cast<int64_t>(places.size()) / shape[0],
                 length,
                 places.data(),
                 strides[shape.size() - 2],
                 strides.back()};
  const int64_t per_position = x.size() / length;
  const int64_t step = std::max<int64_t>(1, 16384 / per_position);
  ThreadPool::instance().run((length + step - 1) / step, [&](int64_t piece) {
    thread_local std::vector<float> buffer;
    buffer.resize(static_cast<size_t>(dims + 32 + width + 32));
    cpu::rope_dispatched(rope, piece * step, std::min(length, (piece + 1) * step), buffer.data());
  });
}

}  // namespace lazuli
#endif
