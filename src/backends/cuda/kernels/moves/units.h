// The unit in which bytes are moved: its size, and its name in device code.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>

namespace lazuli::cuda {

constexpr size_t unit_sizes = 5;  // 1, 2, 4, 8, 16 bytes

inline size_t unit_slot(int bytes) {
  return std::min(static_cast<size_t>(std::countr_zero(static_cast<unsigned>(bytes))),
                  unit_sizes - 1);
}
inline const char* unit_at(size_t slot) {
  constexpr const char* names[unit_sizes] = {"uint8_t", "uint16_t", "uint32_t", "uint64_t",
                                             "Vector<uint64_t, 2>"};
  return names[slot];
}

}  // namespace lazuli::cuda
