// Products of one row of x, with the fused step that makes x and the one that takes the products:
// one launch where there would be three.
#pragma once

#include "backends/cuda/fused/last_step.h"

namespace lazuli::cuda {

// The step's function goes on with products of its row, the value `x`, in blocks of at least a
// thread for each vector of the row.
const Function& row_and_products(const LastStep& row, uint16_t x, int columns, int64_t threads);

// A step without rows that a stream is about to be given.
struct FinishStep {
  const FusedStep& step;
  const Variant& variant;
  const Function* function;  // that would do it alone
  std::span<const uint64_t> arguments;
  std::span<const LastStep::Place> places;
  int64_t length;
};
// Makes one launch of the products that the stream was given last and a step that takes all of them
// as operands. False, and nothing has changed, if there are none, or if the step reads or writes
// what others of the launch read or write, other than the products themselves.
bool finish_last_products(int stream, const FinishStep& finish);

}  // namespace lazuli::cuda
