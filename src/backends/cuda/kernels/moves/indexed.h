// What gather and scatter share on the host: the shapes that device/indexed.cuh describes.
#pragma once

#include "backends/cuda/kernels/moves/units.h"
#include "backends/cuda/kernels/reductions/axes.h"

namespace lazuli::cuda {

#include "backends/cuda/device/indexed.cuh"

struct FaultReport {
  uint32_t* word;
  uint32_t fault;
};
FaultReport fault_report(const KernelCall& call);

// An operand with index arrays over its `axes`: x of a gather, the output of a scatter.
struct Indexed {
  const Operand* target;
  std::span<const Operand> arrays;
  std::span<const int64_t> axes;
  Shape slice;          // extents of what a row of indices names
  AxisList slice_axes;  // from, to: steps of a slice's two sides, in elements
  Strides lead_steps;   // of the updates along the axes of the index arrays; empty without
};

// Fills a shape in units as large as the operands allow, or in elements; returns a unit's bytes.
// `other` is the address of the other side.
int indexed_shape(const KernelCall& call, const Indexed& indexed, const void* other,
                  bool by_element, IndexedShape& shape);

AlongShape along_shape(const KernelCall& call, const Shape& dense, const Shape& picks, size_t axis);

}  // namespace lazuli::cuda
