// The op tables as test parameters.
#pragma once

#include <string>
#include <vector>

#include "ops/table/op.h"

namespace lazuli::testing {

struct Row {
  std::string name;
  Op op;
  Accepts accepts;
  Result result;
  double low, high;        // of x
  double y_low, y_high;    // of y, in binary rows
};

inline std::vector<Row> unary_rows() {
  return {
#define UNARY(name, accepts, result, low, high, ...) \
  {#name, Op::name, Accepts::accepts, Result::result, low, high, 0, 0},
#include "ops/table/unary.def"
#undef UNARY
  };
}

inline std::vector<Row> binary_rows() {
  return {
#define BINARY(name, accepts, result, xl, xh, yl, yh, ...) \
  {#name, Op::name, Accepts::accepts, Result::result, xl, xh, yl, yh},
#include "ops/table/binary.def"
#undef BINARY
  };
}

}  // namespace lazuli::testing
