// Comparing what an array evaluates to with what the reference backend says.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "backends/reference/interpreter.h"
#include "lazuli/lazuli.h"

namespace lazuli::testing {

// Relative and absolute error allowed: a few units in the last place of the dtype.
struct Tolerance {
  double relative, absolute;
};
Tolerance tolerance_of(Dtype dtype);

// Interprets the outputs, evaluates them, compares every element. Call before anything else has
// evaluated them. `slack` multiplies the tolerance.
::testing::AssertionResult agrees(const std::vector<array>& outputs, double slack = 1);

// How much products of `rows` rows with levels may be off, of the largest: the CPU rounds what it
// multiplies levels with to 15 bits, and to fewer for many rows; the GPU does not.
double level_rounding(int64_t rows);

// Element (row-major) of an evaluated array, as a complex number that holds any dtype's value.
std::vector<std::complex<double>> values_of(const array& a);

// Whether an array's real values are exactly these; NaN agrees with NaN, zeros without their signs.
::testing::AssertionResult is_exactly(const array& a, const std::vector<double>& wanted);

// All dtypes, and the ones an op row accepts.
std::vector<Dtype> all_dtypes();

// What ranges miss, in one axis: NaN, infinities, zeros of both signs, the ends of the dtype.
array special_values(Dtype dtype);

// Deterministic values in [low, high] (whole numbers for integers), as a dense array.
array filled(const Shape& shape, Dtype dtype, double low, double high, uint64_t seed);

// The same values in other layouts: dense, transposed, sliced, reversed, broadcast.
enum class Laid { dense, transposed, sliced, reversed, broadcast };
array laid_out(const Shape& shape, Dtype dtype, double low, double high, uint64_t seed,
               Laid layout);
const char* name_of(Laid layout);
inline constexpr Laid all_layouts[] = {Laid::dense, Laid::transposed, Laid::sliced, Laid::reversed,
                                       Laid::broadcast};

}  // namespace lazuli::testing
