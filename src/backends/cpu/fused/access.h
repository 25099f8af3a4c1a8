// How a fused step walks over its operands once extents and strides are known.
#pragma once

#include "backends/cpu/fused/program.h"

namespace lazuli::cpu {

// How the elements of one row of an operand are reached.
enum class RowAccess : uint8_t { direct, splat, gather };

struct OperandAccess {
  char* base;
  int64_t itemsize;
  RowAccess row;
  SmallVector<int64_t, 4> outer;  // stride in bytes along each outer dimension
  SmallVector<int64_t, 4> inner;  // along each dimension of the row
};

// The iteration space: rows (outer dimensions) of `length` elements (inner dimensions).
struct Walk {
  int64_t rows = 1, length = 1;
  SmallVector<int64_t, 4> outer, inner;   // extents, adjacent dimensions merged where possible
  std::vector<SmallVector<int64_t, 8>> strides;  // of the operands, before merging
  std::vector<OperandAccess> operands;    // of Full and Row operands, then Full and Row outputs
};

struct WalkInput {
  const Layout* layout;
  const Shape* shape;
  int64_t itemsize;
  bool row_scope;
};

void make_walk(const Shape& space, size_t row_axes, std::span<const WalkInput> inputs, Walk& walk);

// Copies elements [first, first + count) of the row at `row` to `to`.
void gather_row(const Walk& walk, const OperandAccess& operand, const char* row, int64_t first,
                int64_t count, char* to);

}  // namespace lazuli::cpu
