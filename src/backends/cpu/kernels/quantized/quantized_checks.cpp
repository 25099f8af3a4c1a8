#include "backends/cpu/kernels/quantized/quantized_checks.h"

#include <string>

#include "backends/cpu/kernels/packed/packed_schedule.h"
#include "lazuli/error.h"

namespace lazuli::cpu::packed {

void check_float(const char* name, const char* what, Dtype dtype) {
  if (is_packed_float(dtype)) return;
  throw ArgumentError(std::string(name) + ": " + what + " must be float32, bfloat16 or float16, " +
                      "not " + dtype_name(dtype) + "; convert it with astype");
}

void check_quantized(const char* name, const QuantizedMatrix& w) {
  if (w.group != 32 && w.group != 64 && w.group != 128) {
    throw ArgumentError(std::string(name) + ": no groups of " + std::to_string(w.group) +
                        "; use a group_size of 32, 64 or 128");
  }
  if (w.bits < 1 || w.bits > 8 || w.bits == 7) {
    throw ArgumentError(std::string(name) + ": no levels of " + std::to_string(w.bits) +
                        " bits; use 1, 2, 3, 4, 5, 6 or 8 bits");
  }
  check_float(name, "scales and biases", w.dtype);
  if (w.rows >= 0 && w.columns >= 0 && w.columns % w.group == 0) return;
  throw ArgumentError(std::string(name) + ": a matrix of " + std::to_string(w.rows) + " x " +
                      std::to_string(w.columns) + " has no whole groups of " +
                      std::to_string(w.group) + " in a row; its last dimension must be a " +
                      "multiple of the group_size");
}

}  // namespace lazuli::cpu::packed
