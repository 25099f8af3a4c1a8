#include "backends/cuda/kernels/moves/dense_copy.h"

#include <algorithm>

#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/kernels/moves/units.h"
#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

constexpr int axes_max = 16;

FunctionTable<4> functions("dense_copy.cu", [](size_t slot) {
  return instance_name("dense_copy", {unit_at(slot)});
});

// As in dense_copy.cu.
struct Places {
  int64_t extent[axes_max], stride[axes_max];
  int axes;
};

// Innermost first; neighbours that lie like one axis become one.
Places places_of(const Shape& shape, const Strides& strides) {
  Places places{};
  int axes = 0;
  for (size_t d = shape.size(); d-- > 0;) {
    if (shape[d] == 1) continue;
    if (axes > 0 && strides[d] == places.stride[axes - 1] * places.extent[axes - 1]) {
      places.extent[axes - 1] *= shape[d];
      continue;
    }
    if (axes == axes_max) {
      throw ArgumentError("[copy] More than 16 axes that lie apart are not copied on the GPU.");
    }
    places.extent[axes] = shape[d];
    places.stride[axes++] = strides[d];
  }
  places.axes = axes;
  return places;
}

}  // namespace

void copy_dense(int stream, const Shape& shape, const Strides& strides, int64_t item_bytes,
                const void* from, void* to) {
  int64_t count = element_count(shape);
  if (count == 0) return;
  const Function& function = functions.at(unit_slot(static_cast<int>(item_bytes)));
  int64_t blocks = std::min<int64_t>(ceil_div(count, 256), gpu().multiprocessors * 32);
  launch(stream, function, {{static_cast<unsigned>(blocks)}, {256}}, from, to, count,
         places_of(shape, strides));
}

}  // namespace lazuli::cuda
