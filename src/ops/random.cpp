// Random arrays: bits from the generator, everything else composed of them.
#include "lazuli/random.h"

#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/visit.h"
#include "lazuli/ops.h"
#include "ops/record.h"
#include "ops/table/params.h"

namespace lazuli::random {
namespace {

array next_key(const Key& key) { return key ? *key : KeySequence::default_().next(); }

void check_floating(const char* op, Dtype dtype) {
  if (!issubdtype(dtype, floating)) {
    throw ArgumentError("[" + std::string(op) + "] The dtype must be floating, not " +
                        dtype_name(dtype) + ".");
  }
}

// The largest value of the dtype below 1, and the smallest above -1.
double below_one(Dtype dtype) {
  switch (dtype) {
    case Dtype::Val::float16: return 1 - 0x1p-11;
    case Dtype::Val::bfloat16: return 1 - 0x1p-8;
    case Dtype::Val::float64: return 1 - 0x1p-53;
    default: return 1 - 0x1p-24;
  }
}

// The value of a 0-d constant.
std::optional<double> known(const array& a) {
  if (a.node()->op != Op::constant || a.dtype() == complex64) return std::nullopt;
  return visit(a.dtype(), [bits = params<ConstantParams>(a.node()).bits]<class T>() {
    T value;
    std::memcpy(static_cast<void*>(&value), &bits, sizeof value);
    return std::optional(convert_value<double>(value));
  });
}

double rounded(double value, Dtype dtype) {
  return visit(dtype, [&]<class T>() { return convert_value<double>(convert_value<T>(value)); });
}

// Bits of a mantissa, and the smallest normal number.
int digits_of(Dtype dtype) {
  return dtype == float16 ? 11 : dtype == bfloat16 ? 8 : dtype == float64 ? 53 : 24;
}
double smallest_of(Dtype dtype) {
  return dtype == float16 ? 0x1p-14 : dtype == float64 ? 0x1p-1022 : 0x1p-126;
}

// A number of the dtype below x that is at most two places away; x comes in at least float32.
// A little more than half of the last place, so that no tie is left.
double share_of_last_place(Dtype dtype) { return std::ldexp(1 + 0x1p-5, -digits_of(dtype)); }
double below(double x, Dtype dtype) {
  return rounded(x - std::max(std::fabs(x) * share_of_last_place(dtype), smallest_of(dtype)),
                 dtype);
}
array below(const array& x, Dtype dtype, StreamOrDevice s) {
  array wide = dtype == float64 ? x : astype(x, float32, s);
  array step = multiply(abs(wide, s), scalar_like(wide, share_of_last_place(dtype)), s);
  step = maximum(step, scalar_like(wide, smallest_of(dtype)), s);
  return astype(subtract(wide, step, s), dtype, s);
}

// Element k along the last axis, or row k of a matrix of keys.
array column(const array& a, int64_t k, StreamOrDevice s) {
  Shape start(a.ndim(), 0), stop = a.shape();
  start.back() = k, stop.back() = k + 1;
  return squeeze(slice(a, start, stop, s), -1, s);
}
array row(const array& a, int64_t k, StreamOrDevice s) {
  return squeeze(slice(a, {k, 0}, {k + 1, a.shape()[1]}, s), 0, s);
}

// Uniform in [0, 1).
array unit(const Shape& shape, Dtype dtype, const Key& key, StreamOrDevice s) {
  auto limited = [&](const array& x) {
    return minimum(x, scalar_like(x, below_one(x.dtype())), s);
  };
  if (dtype != float64) {
    array whole = astype(bits(shape, 4, key, s), float32, s);
    return limited(astype(multiply(whole, array(0x1p-32f), s), dtype, s));
  }
  // 53 bits: the upper 21 of one word above the 32 of another.
  Shape pairs = shape;
  pairs.push_back(2);
  array words = astype(bits(pairs, 4, key, s), float64, s);
  array high = floor(multiply(column(words, 0, s), array(0x1p-11, float64), s), s);
  array sum = add(multiply(high, array(0x1p32, float64), s), column(words, 1, s), s);
  return limited(multiply(sum, array(0x1p-53, float64), s));
}

// Halves are rounded after every op, as in the numbers of MLX.
array scaled(const array& u, const array& range, const array& from, const array& last,
             StreamOrDevice s) {
  Stream stream = to_stream(s);
  array product = as_stored(multiply(range, u, s), stream);
  return as_stored(minimum(as_stored(add(product, from, s), stream), last, s), stream);
}

void check_bounds(const char* op, const array& low, const array& high, const Shape& shape) {
  Shape both = broadcast_shapes(op, low.shape(), high.shape());
  if (broadcast_shapes(op, shape, both) == shape) return;
  throw ArgumentError("[" + std::string(op) + "] Bounds " + describe(low) + " and " +
                      describe(high) + " do not broadcast to " + describe(shape) + ".");
}

// Uniform in (-1, 1), drawn in float32 at least.
array around_zero(const Shape& shape, Dtype dtype, const Key& key, StreamOrDevice s) {
  Dtype wide = dtype == float64 ? float64 : float32;
  return uniform(array(-below_one(wide), wide), array(1, wide), shape, wide, key, s);
}

// erfinv of a uniform number, times sqrt(2) and the scale.
array standard_normal(const Shape& shape, Dtype dtype, const std::optional<array>& scale,
                      const Key& key, StreamOrDevice s) {
  array x = astype(erfinv(around_zero(shape, dtype, key, s), s), dtype, s);
  array factor = array(std::sqrt(2.0), dtype);
  if (scale) factor = as_stored(multiply(factor, astype(*scale, dtype, s), s), to_stream(s));
  return multiply(x, factor, s);
}

}  // namespace

KeySequence::KeySequence(uint64_t seed) : key_(random::key(seed)) {}
void KeySequence::seed(uint64_t seed) { key_ = random::key(seed); }
void KeySequence::set_state(const array& key) { key_ = key; }

array KeySequence::next() {
  auto [following, taken] = split(key_);
  key_ = following;
  return taken;
}

KeySequence& KeySequence::default_() {
  static const uint64_t now = static_cast<uint64_t>(
      std::chrono::system_clock::now().time_since_epoch() / std::chrono::milliseconds(1));
  thread_local KeySequence sequence(now);
  return sequence;
}

array key(uint64_t seed) {
  uint32_t words[] = {static_cast<uint32_t>(seed >> 32), static_cast<uint32_t>(seed)};
  return array(words, Shape{2}, uint32);
}

void seed(uint64_t seed) { KeySequence::default_().seed(seed); }

array bits(const Shape& shape, int width, const Key& key, StreamOrDevice s) {
  array from = next_key(key);
  if (from.dtype() != uint32 || from.shape() != Shape{2}) {
    throw ArgumentError("[bits] A key is uint32[2], not " + describe(from) + ".");
  }
  if (width != 1 && width != 2 && width != 4) {
    throw ArgumentError("[bits] The width is 1, 2 or 4 bytes, not " + std::to_string(width) + ".");
  }
  Dtype dtype = width == 1 ? uint8 : width == 2 ? uint16 : uint32;
  return record(Op::random_bits, dtype, shape, {&from}, {}, to_stream(s));
}

array split(const array& key, int num, StreamOrDevice s) { return bits({num, 2}, 4, key, s); }
std::pair<array, array> split(const array& key, StreamOrDevice s) {
  array both = split(key, 2, s);
  return {row(both, 0, s), row(both, 1, s)};
}

array uniform(const array& low, const array& high, const Shape& shape, Dtype dtype, const Key& key,
              StreamOrDevice s) {
  check_floating("uniform", dtype);
  check_bounds("uniform", low, high, shape);
  array u = unit(shape, dtype, key, s);
  // Rounding may reach `high`, so the last value below it is the largest.
  std::optional<double> l = known(low), h = known(high);
  if (l && h) {
    double from = rounded(*l, dtype), to = rounded(*h, dtype);
    if (from == 0 && to == 1) return u;
    double last = from < to ? std::max(below(to, dtype), from) : from;
    return scaled(u, array(rounded(to - from, dtype), dtype), array(from, dtype),
                  array(last, dtype), s);
  }
  array from = astype(low, dtype, s), to = astype(high, dtype, s);
  array last = where(less(from, to, s), maximum(below(to, dtype, s), from, s), from, s);
  return scaled(u, subtract(to, from, s), from, last, s);
}

array uniform(const Shape& shape, Dtype dtype, const Key& key, StreamOrDevice s) {
  check_floating("uniform", dtype);
  return unit(shape, dtype, key, s);
}

array normal(const Shape& shape, Dtype dtype, const std::optional<array>& loc,
             const std::optional<array>& scale, const Key& key, StreamOrDevice s) {
  if (dtype == complex64) {
    Shape pairs = shape;
    pairs.push_back(2);
    array parts = standard_normal(pairs, float32, std::nullopt, key, s);
    array real = column(parts, 0, s), imaginary = column(parts, 1, s);
    array z = add(real, multiply(imaginary, array(complex64_t(0, 1)), s), s);
    z = multiply(z, array(std::sqrt(0.5f)), s);
    if (scale) z = multiply(z, *scale, s);
    return loc ? add(z, *loc, s) : z;
  }
  check_floating("normal", dtype);
  array x = as_stored(standard_normal(shape, dtype, scale, key, s), to_stream(s));
  return loc ? add(x, astype(*loc, dtype, s), s) : x;
}

array normal(const Shape& shape, Dtype dtype, float loc, float scale, const Key& key,
             StreamOrDevice s) {
  auto unless = [&](float value, float neutral) {
    return value == neutral ? std::nullopt : std::make_optional(array(value, dtype));
  };
  return normal(shape, dtype, unless(loc, 0), unless(scale, 1), key, s);
}

namespace {

// Beyond this, erf leaves too few digits.
constexpr double tail_from = 2;

// (1 - Phi(x)) / phi(x) from `tail_from` on, by its continued fraction.
array mills_ratio(const array& x, StreamOrDevice s) {
  array rest = x;
  for (int k = 12; k > 0; --k) rest = add(x, divide(scalar_like(x, k), rest, s), s);
  return divide(scalar_like(x, 1), rest, s);
}

// Normally distributed in [a, b] with a from `tail_from` on: where log(1 - Phi) has come down from
// its value at a by a uniform share of the probability, found by Newton's method.
array tail_normal(const array& a, const array& b, const array& u, StreamOrDevice s) {
  array at_a = mills_ratio(a, s);
  array half = scalar_like(a, 0.5), two = scalar_like(a, 2);
  auto fall = [&](const array& from, const array& to) {  // (from^2 - to^2) / 2
    return multiply(multiply(subtract(from, to, s), add(from, to, s), s), half, s);
  };
  array left = multiply(exp(fall(a, b), s), divide(mills_ratio(b, s), at_a, s), s);
  array goal = log1p(multiply(u, subtract(left, scalar_like(a, 1), s), s), s);
  array x = sqrt(subtract(multiply(a, a, s), multiply(two, goal, s), s), s);
  for (int k = 0; k < 4; ++k) {
    array here = mills_ratio(x, s);
    array value = add(fall(a, x), log(divide(here, at_a, s), s), s);
    x = add(x, multiply(subtract(value, goal, s), here, s), s);
  }
  return x;
}

}  // namespace

array truncated_normal(const array& lower, const array& upper, const Shape& shape, Dtype dtype,
                       const Key& key, StreamOrDevice s) {
  check_floating("truncated_normal", dtype);
  Stream stream = to_stream(s);
  Key own = next_key(key);
  array root = array(std::sqrt(2.0), dtype);
  array low = astype(lower, dtype, s), high = astype(upper, dtype, s);
  auto part = [&](const array& x) {
    return as_stored(erf(as_stored(divide(x, root, s), stream), s), stream);
  };
  array u = uniform(part(low), part(high), shape, dtype, own, s);
  array x = multiply(root, as_stored(erfinv(u, s), stream), s);
  std::optional<double> l = known(lower), h = known(upper);
  if (!(l && h && *l <= tail_from && *h >= -tail_from)) {
    Dtype wide = dtype == float64 ? float64 : float32;
    array a = astype(low, wide, s), b = astype(high, wide, s), from(tail_from, wide);
    array right = greater(a, from, s), left = less(b, negative(from, s), s);
    array near = where(left, negative(b, s), a, s), far = where(left, negative(a, s), b, s);
    array tail =
        tail_normal(maximum(near, from, s), maximum(far, from, s), unit(shape, wide, own, s), s);
    tail = astype(where(left, negative(tail, s), tail, s), dtype, s);
    x = where(logical_or(left, right, s), tail, x, s);
  }
  return maximum(minimum(x, high, s), low, s);
}
array truncated_normal(const array& lower, const array& upper, Dtype dtype, const Key& key,
                       StreamOrDevice s) {
  Shape shape = broadcast_shapes("truncated_normal", lower.shape(), upper.shape());
  return truncated_normal(lower, upper, shape, dtype, key, s);
}

namespace {

// Bounds up to which float32 tells whole numbers apart well enough: there the numbers are MLX's.
constexpr double narrow_max = 0x1p20;

array narrow_integers(const array& low, const array& high, const Shape& shape, Dtype dtype,
                      const Key& key, StreamOrDevice s) {
  std::optional<double> l = known(low), h = known(high);
  array end = l && h ? array(std::max(*l, *h), float64) : maximum(low, high, s);
  array u = uniform(low, end, shape, float32, key, s);
  return astype(astype(floor(u, s), int32, s), dtype, s);
}

// low + floor(r * (high - low) / 2^64) of 64 random bits r, in 64-bit integers.
array wide_integers(const array& low, const array& high, const Shape& shape, Dtype dtype,
                    const Key& key, StreamOrDevice s) {
  auto whole = [&](const array& x) {
    bool inexact_bound = issubdtype(x.dtype(), inexact);
    return inexact_bound ? astype(ceil(x, s), int64, s) : x;
  };
  array first = whole(low), end = whole(high);
  array from = astype(first, uint64, s);
  array range =
      where(greater(end, first, s), subtract(astype(end, uint64, s), from, s), array(0, uint64), s);
  Shape pairs = shape;
  pairs.push_back(2);
  array words = astype(bits(pairs, 4, key, s), uint64, s), places(32, uint64);
  array mask(0xffffffffu, uint64);
  auto upper = [&](const array& x) { return right_shift(x, places, s); };
  auto lower = [&](const array& x) { return bitwise_and(x, mask, s); };
  array a = column(words, 0, s), b = column(words, 1, s), c = upper(range), d = lower(range);
  array ad = multiply(a, d, s), bc = multiply(b, c, s);
  array middle = add(add(lower(ad), lower(bc), s), upper(multiply(b, d, s)), s);
  array product = add(multiply(a, c, s), add(upper(ad), upper(bc), s), s);
  return astype(add(from, add(product, upper(middle), s), s), dtype, s);
}

}  // namespace

array randint(const array& low, const array& high, const Shape& shape, Dtype dtype, const Key& key,
              StreamOrDevice s) {
  if (!issubdtype(dtype, integer) && dtype != bool_) {
    throw ArgumentError("[randint] The dtype must be an integer or bool, not " +
                        std::string(dtype_name(dtype)) + ".");
  }
  check_bounds("randint", low, high, shape);
  std::optional<double> l = known(low), h = known(high);
  auto small = [](const array& a, std::optional<double> value) {
    if (!value) return !issubdtype(a.dtype(), inexact) && a.dtype().size() <= 2;
    return std::fabs(*value) <= narrow_max;
  };
  if (small(low, l) && small(high, h)) return narrow_integers(low, high, shape, dtype, key, s);
  Key own = next_key(key);
  array wide = wide_integers(low, high, shape, dtype, own, s);
  if (l && h) return wide;
  array from = astype(low, float64, s), to = astype(high, float64, s), most(narrow_max, float64);
  array fits = logical_and(less_equal(abs(from, s), most, s), less_equal(abs(to, s), most, s), s);
  return where(fits, narrow_integers(low, high, shape, dtype, own, s), wide, s);
}

array bernoulli(const array& p, const Shape& shape, const Key& key, StreamOrDevice s) {
  if (!issubdtype(p.dtype(), floating)) {
    throw ArgumentError("[bernoulli] The probability must be floating, not " + describe(p) + ".");
  }
  if (broadcast_shapes("bernoulli", shape, p.shape()) != shape) {
    throw ArgumentError("[bernoulli] The probability " + describe(p) + " does not broadcast to " +
                        describe(shape) + ".");
  }
  return less(unit(shape, float32, key, s), p, s);
}
array bernoulli(const array& p, const Key& key, StreamOrDevice s) {
  return bernoulli(p, p.shape(), key, s);
}
array bernoulli(const Key& key, StreamOrDevice s) { return bernoulli(array(0.5f), key, s); }

array gumbel(const Shape& shape, Dtype dtype, const Key& key, StreamOrDevice s) {
  check_floating("gumbel", dtype);
  Stream stream = to_stream(s);
  array inner = as_stored(log(unit(shape, dtype, key, s), s), stream);
  return negative(log(negative(inner, s), s), s);
}

namespace {

// Samples of one distribution, as MLX draws them: how many sums of weights do not lie above a
// uniform part of their total.
array count_sums(const array& logits, const Shape& shape, const Key& key, StreamOrDevice s) {
  array x = astype(flatten(logits, s), float32, s);
  array sums = cumsum(exp(subtract(x, max(x, s), s), s), 0, false, true, s);
  array total =
      slice(sums, {static_cast<int64_t>(x.size()) - 1}, {static_cast<int64_t>(x.size())}, s);
  array u = multiply(unit(shape, float32, key, s), total, s);
  return sum(astype(less_equal(sums, expand_dims(u, -1, s), s), uint32, s), -1, false, s);
}

bool is_one_distribution(const array& logits, int at) {
  int64_t extent = logits.shape()[static_cast<size_t>(at)];
  return extent > 0 && static_cast<int64_t>(logits.size()) == extent;
}

}  // namespace

array categorical(const array& logits, int axis, const Shape& shape, const Key& key,
                  StreamOrDevice s) {
  int at = normalize_axis("categorical", axis, logits.ndim());
  Shape without = logits.shape();
  without.erase(without.begin() + at);
  if (broadcast_shapes("categorical", shape, without) != shape) {
    throw ArgumentError("[categorical] Samples " + describe(shape) +
                        " do not fit the distributions of " + describe(logits) + " along axis " +
                        std::to_string(axis) + ".");
  }
  if (is_one_distribution(logits, at)) return count_sums(logits, shape, key, s);
  Shape full = shape;
  int from_end = at - static_cast<int>(logits.ndim());
  int place = static_cast<int>(shape.size()) + 1 + from_end;
  full.insert(full.begin() + place, logits.shape()[static_cast<size_t>(at)]);
  return argmax(add(gumbel(full, float32, key, s), logits, s), from_end, false, s);
}

array categorical(const array& logits, int axis, int num_samples, const Key& key,
                  StreamOrDevice s) {
  int at = normalize_axis("categorical", axis, logits.ndim());
  Shape full = logits.shape();
  full.push_back(num_samples);
  if (is_one_distribution(logits, at)) {
    full.erase(full.begin() + at);
    return count_sums(logits, full, key, s);
  }
  array noise = gumbel(full, float32, key, s);
  return argmax(add(noise, expand_dims(logits, -1, s), s), at, false, s);
}

array categorical(const array& logits, int axis, const Key& key, StreamOrDevice s) {
  int at = normalize_axis("categorical", axis, logits.ndim());
  if (logits.ndim() > 1 && is_one_distribution(logits, at)) {
    return count_sums(logits, Shape(logits.ndim() - 1, 1), key, s);
  }
  return argmax(add(gumbel(logits.shape(), float32, key, s), logits, s), at, false, s);
}

array laplace(const Shape& shape, Dtype dtype, float loc, float scale, const Key& key,
              StreamOrDevice s) {
  check_floating("laplace", dtype);
  Stream stream = to_stream(s);
  array u = around_zero(shape, dtype, key, s);
  array x = astype(multiply(sign(u, s), log1p(negative(abs(u, s), s), s), s), dtype, s);
  x = as_stored(multiply(x, array(scale, dtype), s), stream);
  return loc == 0 ? x : add(x, array(loc, dtype), s);
}

array permutation(const array& x, int axis, const Key& key, StreamOrDevice s) {
  int at = normalize_axis("permutation", axis, x.ndim());
  array order = argsort(bits({x.shape()[static_cast<size_t>(at)]}, 4, key, s), -1, s);
  return take(x, order, at, s);
}
array permutation(int x, const Key& key, StreamOrDevice s) {
  return argsort(bits({x}, 4, key, s), -1, s);
}

}  // namespace lazuli::random
