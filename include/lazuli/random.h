// Random arrays. A key (uint32 of shape [2]) says which numbers come out; the same key always gives
// the same ones. Without a key, each call takes the next of the calling thread's default sequence,
// which starts from the clock unless `seed` was called.
//
// The generator is Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011).
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "lazuli/array.h"

namespace lazuli::random {

// A sequence of keys: each is split off from the one before.
class KeySequence {
 public:
  explicit KeySequence(uint64_t seed);
  void seed(uint64_t seed);
  array next();
  // What the next key comes from; assigning it continues another sequence.
  array state() const { return key_; }
  void set_state(const array& key);

  static KeySequence& default_();  // of the calling thread

 private:
  array key_;
};

using Key = std::optional<array>;

array key(uint64_t seed);
void seed(uint64_t seed);  // of the default sequence

// Random bits as unsigned integers of `width` bytes: 1, 2 or 4.
array bits(const Shape& shape, int width, const Key& key = std::nullopt, StreamOrDevice s = {});
inline array bits(const Shape& shape, const Key& key = std::nullopt, StreamOrDevice s = {}) {
  return bits(shape, 4, key, s);
}

// Keys that depend on `key` and on nothing else: a pair, or [num, 2].
std::pair<array, array> split(const array& key, StreamOrDevice s = {});
array split(const array& key, int num, StreamOrDevice s = {});

// Uniform in [low, high); the bounds broadcast to `shape`. TypeError unless `dtype` is floating.
array uniform(const array& low, const array& high, const Shape& shape, Dtype dtype = float32,
              const Key& key = std::nullopt, StreamOrDevice s = {});
template <class T, class U, class = std::enable_if_t<std::is_arithmetic_v<T>>>
array uniform(T low, U high, const Shape& shape, Dtype dtype = float32,
              const Key& key = std::nullopt, StreamOrDevice s = {}) {
  return uniform(array(low), array(high), shape, dtype, key, s);
}
array uniform(const Shape& shape, Dtype dtype, const Key& key = std::nullopt,
              StreamOrDevice s = {});
inline array uniform(const Shape& shape, const Key& key = std::nullopt, StreamOrDevice s = {}) {
  return uniform(shape, float32, key, s);
}

// Normal with mean `loc` and standard deviation `scale`.
array normal(const Shape& shape, Dtype dtype, const std::optional<array>& loc,
             const std::optional<array>& scale, const Key& key, StreamOrDevice s = {});
array normal(const Shape& shape, Dtype dtype, float loc, float scale, const Key& key = std::nullopt,
             StreamOrDevice s = {});
inline array normal(const Shape& shape, float loc, float scale, const Key& key = std::nullopt,
                    StreamOrDevice s = {}) {
  return normal(shape, float32, loc, scale, key, s);
}
inline array normal(const Shape& shape, Dtype dtype, const Key& key = std::nullopt,
                    StreamOrDevice s = {}) {
  return normal(shape, dtype, std::nullopt, std::nullopt, key, s);
}
inline array normal(const Shape& shape, const Key& key = std::nullopt, StreamOrDevice s = {}) {
  return normal(shape, float32, key, s);
}

// Normal, cut to (lower, upper).
array truncated_normal(const array& lower, const array& upper, const Shape& shape,
                       Dtype dtype = float32, const Key& key = std::nullopt, StreamOrDevice s = {});
array truncated_normal(const array& lower, const array& upper, Dtype dtype = float32,
                       const Key& key = std::nullopt, StreamOrDevice s = {});

// Whole numbers in [low, high). TypeError unless `dtype` is an integer or bool.
array randint(const array& low, const array& high, const Shape& shape, Dtype dtype = int32,
              const Key& key = std::nullopt, StreamOrDevice s = {});
template <class T, class U, class = std::enable_if_t<std::is_arithmetic_v<T>>>
array randint(T low, U high, const Shape& shape, Dtype dtype = int32, const Key& key = std::nullopt,
              StreamOrDevice s = {}) {
  return randint(array(low), array(high), shape, dtype, key, s);
}

// True with probability `p`, a floating array that broadcasts to `shape` (its own unless given).
array bernoulli(const array& p, const Shape& shape, const Key& key = std::nullopt,
                StreamOrDevice s = {});
array bernoulli(const array& p, const Key& key = std::nullopt, StreamOrDevice s = {});
template <class T, class = std::enable_if_t<std::is_floating_point_v<T>>>
array bernoulli(T p, const Key& key = std::nullopt, StreamOrDevice s = {}) {
  return bernoulli(array(p), key, s);
}
template <class T, class = std::enable_if_t<std::is_floating_point_v<T>>>
array bernoulli(T p, const Shape& shape, const Key& key = std::nullopt, StreamOrDevice s = {}) {
  return bernoulli(array(p), shape, key, s);
}
array bernoulli(const Key& key = std::nullopt, StreamOrDevice s = {});

// The standard Gumbel distribution.
array gumbel(const Shape& shape, Dtype dtype = float32, const Key& key = std::nullopt,
             StreamOrDevice s = {});

// Indices (uint32) along `axis`, with probabilities softmax(logits). One for each distribution,
// `num_samples` for each (as a last axis), or `shape` in all, to which logits without `axis`
// broadcasts.
array categorical(const array& logits, int axis, const Shape& shape, const Key& key = std::nullopt,
                  StreamOrDevice s = {});
array categorical(const array& logits, int axis, int num_samples, const Key& key = std::nullopt,
                  StreamOrDevice s = {});
array categorical(const array& logits, int axis = -1, const Key& key = std::nullopt,
                  StreamOrDevice s = {});

// Laplace with mean `loc` and scale `scale`.
array laplace(const Shape& shape, Dtype dtype, float loc, float scale,
              const Key& key = std::nullopt, StreamOrDevice s = {});
inline array laplace(const Shape& shape, float loc, float scale, const Key& key = std::nullopt,
                     StreamOrDevice s = {}) {
  return laplace(shape, float32, loc, scale, key, s);
}
inline array laplace(const Shape& shape, Dtype dtype, const Key& key = std::nullopt,
                     StreamOrDevice s = {}) {
  return laplace(shape, dtype, 0.0f, 1.0f, key, s);
}
inline array laplace(const Shape& shape, const Key& key = std::nullopt, StreamOrDevice s = {}) {
  return laplace(shape, float32, key, s);
}

// The slices of `x` along `axis` in random order; the numbers [0, x) in random order.
array permutation(const array& x, int axis = 0, const Key& key = std::nullopt,
                  StreamOrDevice s = {});
array permutation(int x, const Key& key = std::nullopt, StreamOrDevice s = {});

}  // namespace lazuli::random
