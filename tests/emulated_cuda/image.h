// The emulated compiler's machine code: this head, then a shared library.
#pragma once

#include <cstdint>

namespace emulated {

struct ImageHead {
  char magic[24];
  uint64_t bytes;
};
constexpr char image_magic[24] = "lazuli emulated image 1";

}  // namespace emulated
