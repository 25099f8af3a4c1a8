// Which bytes a kernel reads or writes.
#pragma once

#include <cstdint>

namespace lazuli::cuda {

// From the first to behind the last byte.
struct ByteRange {
  const char *begin, *end;

  static ByteRange of(const void* at, int64_t bytes) {
    auto* first = static_cast<const char*>(at);
    return {first, first + bytes};
  }
  // The same at each of `extent` steps.
  ByteRange along(int64_t extent, int64_t step_bytes) const {
    int64_t last = (extent - 1) * step_bytes;
    return last < 0 ? ByteRange{begin + last, end} : ByteRange{begin, end + last};
  }
  bool apart_from(const ByteRange& other) const { return end <= other.begin || other.end <= begin; }
};

}  // namespace lazuli::cuda
