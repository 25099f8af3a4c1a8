// What a step moves and computes, for those who watch it run.
#pragma once

#include "compiler/backend.h"

namespace lazuli {

struct Cost {
  double bytes = 0;  // read and written, each element of the memory once
  double flops = 0;  // of products, 2 for each pair; else 1 for each op and element
  bool products = false;
  Dtype::Val dtype = Dtype::Val::float32;  // of what is computed
};
// `reads` are the layouts of the step's reads.
Cost cost_of(const Step& step, const Graph& graph, std::span<const Layout* const> reads);

// The seconds that the device needs at the least; 0 where its peak is not known.
double least_seconds(const Cost& cost, Backend& backend);

}  // namespace lazuli
