// Where the elements of a value lie: a buffer, an offset and a stride for each axis.
#pragma once

#include <cstdint>
#include <utility>

#include "core/buffer.h"
#include "lazuli/small_vector.h"

namespace lazuli {

// Strides are in elements, the offset in bytes.
struct Layout {
  Buffer* buffer = nullptr;  // one reference is held
  int64_t offset = 0;
  Strides strides;
  bool dense = true;  // row-major without gaps

  Layout() = default;
  Layout(Buffer* adopted, int64_t at, Strides steps, bool is_dense)
      : buffer(adopted), offset(at), strides(std::move(steps)), dense(is_dense) {}
  Layout(const Layout& other)
      : buffer(other.buffer), offset(other.offset), strides(other.strides), dense(other.dense) {
    if (buffer) retain(buffer);
  }
  Layout(Layout&& other) noexcept
      : buffer(std::exchange(other.buffer, nullptr)),
        offset(other.offset),
        strides(std::move(other.strides)),
        dense(other.dense) {}
  Layout& operator=(Layout other) noexcept {
    std::swap(buffer, other.buffer);
    offset = other.offset;
    strides = std::move(other.strides);
    dense = other.dense;
    return *this;
  }
  ~Layout() {
    if (buffer) release(buffer);
  }

  // On the host; valid while the buffer's copy there is current.
  char* data() const { return static_cast<char*>(buffer->host) + offset; }
};

// Product of the extents. Shapes are checked against overflow when an op is recorded.
inline int64_t element_count(const Shape& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

inline Strides dense_strides(const Shape& shape) {
  Strides strides(shape.size());
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

// Row-major without gaps; the stride of an axis of extent 1 does not matter.
inline bool is_dense(const Shape& shape, const Strides& strides) {
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

}  // namespace lazuli
