// Random arrays: bits from the generator, everything else composed of them.
#include "lazuli/random.h"

#include <chrono>
#include <cmath>
#include <limits>

#include "lazuli/ops.h"
#include "ops/record.h"

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

// erfinv of a uniform number in (-1, 1), times sqrt(2).
array standard_normal(const Shape& shape, Dtype dtype, const Key& key, StreamOrDevice s) {
  array above = array(-below_one(dtype), dtype);
  array u = uniform(above, array(1.0, dtype), shape, dtype, key, s);
  return multiply(erfinv(u, s), array(std::sqrt(2.0), dtype), s);
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
  for (int64_t extent : shape) {
    if (extent < 0) throw ArgumentError("[bits] The shape " + describe(shape) + " is negative.");
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
  array from = astype(low, dtype, s), range = subtract(astype(high, dtype, s), from, s);
  if (broadcast_shapes("uniform", shape, range.shape()) != shape) {
    throw ArgumentError("[uniform] Bounds " + describe(low) + " and " + describe(high) +
                        " do not broadcast to " + describe(shape) + ".");
  }
  return add(multiply(range, unit(shape, dtype, key, s), s), from, s);
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
    array parts = standard_normal(pairs, float32, key, s);
    array real = column(parts, 0, s), imaginary = column(parts, 1, s);
    array z = add(real, multiply(imaginary, array(complex64_t(0, 1)), s), s);
    z = multiply(z, array(std::sqrt(0.5f)), s);
    if (scale) z = multiply(z, *scale, s);
    return loc ? add(z, *loc, s) : z;
  }
  check_floating("normal", dtype);
  array x = standard_normal(shape, dtype, key, s);
  if (scale) x = multiply(x, astype(*scale, dtype, s), s);
  return loc ? add(x, astype(*loc, dtype, s), s) : x;
}

array normal(const Shape& shape, Dtype dtype, float loc, float scale, const Key& key,
             StreamOrDevice s) {
  auto unless = [&](float value, float neutral) {
    return value == neutral ? std::nullopt : std::make_optional(array(value, dtype));
  };
  return normal(shape, dtype, unless(loc, 0), unless(scale, 1), key, s);
}

array truncated_normal(const array& lower, const array& upper, const Shape& shape, Dtype dtype,
                       const Key& key, StreamOrDevice s) {
  check_floating("truncated_normal", dtype);
  array root = array(std::sqrt(2.0), dtype);
  array low = astype(lower, dtype, s), high = astype(upper, dtype, s);
  array u =
      uniform(erf(divide(low, root, s), s), erf(divide(high, root, s), s), shape, dtype, key, s);
  return maximum(minimum(multiply(root, erfinv(u, s), s), high, s), low, s);
}
array truncated_normal(const array& lower, const array& upper, Dtype dtype, const Key& key,
                       StreamOrDevice s) {
  Shape shape = broadcast_shapes("truncated_normal", lower.shape(), upper.shape());
  return truncated_normal(lower, upper, shape, dtype, key, s);
}

array randint(const array& low, const array& high, const Shape& shape, Dtype dtype, const Key& key,
              StreamOrDevice s) {
  if (!issubdtype(dtype, integer) && dtype != bool_) {
    throw ArgumentError("[randint] The dtype must be an integer or bool, not " +
                        std::string(dtype_name(dtype)) + ".");
  }
  array u = uniform(low, maximum(low, high, s), shape, float32, key, s);
  return astype(floor(u, s), dtype, s);
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
  return negative(log(negative(log(unit(shape, dtype, key, s), s), s), s), s);
}

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
  array noise = gumbel(full, float32, key, s);
  return argmax(add(noise, expand_dims(logits, -1, s), s), at, false, s);
}

array categorical(const array& logits, int axis, const Key& key, StreamOrDevice s) {
  int at = normalize_axis("categorical", axis, logits.ndim());
  return argmax(add(gumbel(logits.shape(), float32, key, s), logits, s), at, false, s);
}

array laplace(const Shape& shape, Dtype dtype, float loc, float scale, const Key& key,
              StreamOrDevice s) {
  check_floating("laplace", dtype);
  array above = array(-below_one(dtype), dtype);
  array u = uniform(above, array(1.0, dtype), shape, dtype, key, s);
  array x = multiply(sign(u, s), log1p(negative(abs(u, s), s), s), s);
  x = multiply(x, array(scale, dtype), s);
  return loc == 0 ? x : add(x, array(loc, dtype), s);
}

array permutation(const array& x, int axis, const Key& key, StreamOrDevice s) {
  int at = normalize_axis("permutation", axis, x.ndim());
  array order = permutation(static_cast<int>(x.shape()[static_cast<size_t>(at)]), key, s);
  return take(x, order, at, s);
}
array permutation(int x, const Key& key, StreamOrDevice s) {
  return argsort(bits({x}, 4, key, s), -1, s);
}

}  // namespace lazuli::random
