// From extents and strides to as few dimensions as possible: how a step's values lie along the rows
// of its iteration space and from row to row.
#pragma once

#include <span>
#include <vector>

#include "core/layout.h"

namespace lazuli::cuda {

// A value in memory that takes part in a step.
struct WalkInput {
  const Layout* layout;
  const Shape* shape;
  bool row_scope;  // one element a row
};

// Strides are in elements; 0 where a value broadcasts.
struct Walk {
  struct Place {
    SmallVector<int64_t, 4> outer, inner;  // along the merged dimensions
  };
  int64_t rows = 1, length = 1;
  SmallVector<int64_t, 4> outer, inner;  // merged extents whose products are rows and length
  std::vector<Place> places;
};

// Rows are the last `row_axes` dimensions of the space; without any, all of it is one row.
void make_walk(const Shape& space, size_t row_axes, std::span<const WalkInput> inputs, Walk& walk);

}  // namespace lazuli::cuda
