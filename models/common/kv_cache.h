// Keys and values of the positions a layer has seen.
//
// Both kinds hand out the keys and values attention needs for the new positions, and the mask if
// one is needed beyond "everything given". A full cache grows in steps; a window cache is a ring of
// the last `window` positions. Updates take the old buffer over, so nothing is copied.
#pragma once

#include <optional>
#include <string>

#include "lazuli/lazuli.h"

namespace lazuli::models {

struct Attended {
  array keys, values;
  std::string mask_mode;  // as scaled_dot_product_attention takes it
  std::optional<array> mask;

  // The same for the last of the new positions alone.
  Attended for_last() const;
};

class KvCache {
 public:
  // window 0: all positions are kept.
  explicit KvCache(int window = 0) : window_(window) {}

  // Adds keys and values [B, H, T, D] of the next T positions.
  Attended update(const array& keys, const array& values);

  int64_t length() const { return length_; }  // positions seen
  std::vector<array> state() const;  // what must be evaluated to let go of the past

 private:
  Attended update_full(const array& keys, const array& values);
  Attended update_ring(const array& keys, const array& values);
  Attended update_window(const array& keys, const array& values);

  int window_;
  int64_t length_ = 0;
  std::optional<array> keys_, values_;
};

}  // namespace lazuli::models
