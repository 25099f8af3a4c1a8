// Sorting rows of any length: what sort.cpp offers to partition.cpp.
#pragma once

#include "backends/cuda/kernel.h"

namespace lazuli::cuda {

// Rows up to this length are sorted in one launch.
constexpr int64_t short_row = 4096;

// Rows of the input, along its last axis.
struct SortRows {
  int64_t rows, length;
};
SortRows sort_rows_of(const Operand& input);

// Sorts the rows of input 0 into the output; with `by_index` the output is their indices.
void sort_rows(const KernelCall& call, bool by_index);

}  // namespace lazuli::cuda
