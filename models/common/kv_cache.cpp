#include "common/kv_cache.h"

#include <algorithm>

namespace lazuli::models {
namespace {

constexpr int64_t growth = 256;

array positions(const array& a, int64_t first, int64_t last) {
  Shape start(4, 0), stop = a.shape();
  start[2] = first;
  stop[2] = last;
  return slice(a, start, stop);
}

array with_positions(const array& a, const array& update, int64_t first) {
  Shape start(4, 0), stop = a.shape();
  start[2] = first;
  stop[2] = first + update.shape(2);
  return slice_update(a, update, start, stop);
}

array room(const array& like, int64_t count) {
  Shape shape = like.shape();
  shape[2] = count;
  return zeros(shape, like.dtype());
}

// Positions [0, count) moved so that position p of the past lies at p % window.
array as_ring(const array& a, int64_t seen, int64_t window) {
  int64_t count = a.shape(2);
  if (count < window) return concatenate({a, room(a, window - count)}, 2);
  int64_t shift = seen % window;
  if (shift == 0) return copy(a);
  return concatenate({positions(a, count - shift, count), positions(a, 0, count - shift)}, 2);
}

}  // namespace

Attended Attended::for_last() const {
  if (!mask) return {keys, values, "", std::nullopt};
  int64_t rows = mask->shape(0);
  return {keys, values, mask_mode, slice(*mask, {rows - 1, 0}, mask->shape())};
}

Attended KvCache::update(const array& keys, const array& values) {
  if (window_ == 0) return update_full(keys, values);
  return keys.shape(2) == 1 && keys_ ? update_ring(keys, values) : update_window(keys, values);
}

Attended KvCache::update_full(const array& keys, const array& values) {
  int64_t added = keys.shape(2), needed = length_ + added;
  int64_t capacity = keys_ ? keys_->shape(2) : 0;
  if (needed > capacity) {
    int64_t grown = (needed + growth - 1) / growth * growth - capacity;
    keys_ = keys_ ? concatenate({*keys_, room(keys, grown)}, 2) : copy(room(keys, grown));
    values_ = values_ ? concatenate({*values_, room(values, grown)}, 2) : copy(room(values, grown));
  }
  keys_ = with_positions(*keys_, keys, length_);
  values_ = with_positions(*values_, values, length_);
  length_ = needed;
  return {positions(*keys_, 0, needed), positions(*values_, 0, needed), added > 1 ? "causal" : "",
          std::nullopt};
}

// One position: it replaces the oldest one. Softmax does not mind the order of a ring.
Attended KvCache::update_ring(const array& keys, const array& values) {
  int64_t at = length_ % window_;
  keys_ = with_positions(*keys_, keys, at);
  values_ = with_positions(*values_, values, at);
  ++length_;
  int64_t seen = std::min<int64_t>(length_, window_);
  return {positions(*keys_, 0, seen), positions(*values_, 0, seen), "", std::nullopt};
}

Attended KvCache::update_window(const array& keys, const array& values) {
  int64_t added = keys.shape(2), kept = std::min<int64_t>(length_, window_);
  array all_keys = keys, all_values = values;
  if (kept > 0) {
    // The ring in order of position, then the new ones.
    int64_t shift = length_ > window_ ? length_ % window_ : 0;
    auto ordered = [&](const array& ring) {
      if (shift == 0) return positions(ring, 0, kept);
      return concatenate({positions(ring, shift, window_), positions(ring, 0, shift)}, 2);
    };
    all_keys = concatenate({ordered(*keys_), keys}, 2);
    all_values = concatenate({ordered(*values_), values}, 2);
  }
  length_ += added;
  int64_t total = kept + added, last = std::min<int64_t>(total, window_);
  keys_ = as_ring(positions(all_keys, total - last, total), length_, window_);
  values_ = as_ring(positions(all_values, total - last, total), length_, window_);
  if (total <= window_) return {all_keys, all_values, "causal", std::nullopt};
  array query =
      expand_dims(arange(static_cast<double>(kept), static_cast<double>(total), 1.0, int32), 1);
  array key = arange(0.0, static_cast<double>(total), 1.0, int32);
  array mask = logical_and(greater_equal(query, key), less(query - key, array(window_)));
  return {all_keys, all_values, "array", mask};
}

std::vector<array> KvCache::state() const {
  if (!keys_) return {};
  return {*keys_, *values_};
}

}  // namespace lazuli::models
