#include "backends/cuda/kernels/dense_copy.h"

#include <algorithm>

#include "backends/cuda/kernels/instances.h"
#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

constexpr int axes_max = 16;

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
  static Instances<17> instances;
  int64_t count = element_count(shape);
  if (count == 0) return;
  const Function& function =
      instances.get(static_cast<size_t>(item_bytes), "dense_copy.cu", [&]() -> std::string {
        switch (item_bytes) {
          case 1: return "dense_copy<uint8_t>";
          case 2: return "dense_copy<uint16_t>";
          case 4: return "dense_copy<uint32_t>";
          default: return "dense_copy<uint64_t>";
        }
      });
  int64_t blocks = std::min<int64_t>(ceil_div(count, 256), gpu().multiprocessors * 32);
  launch(stream, function, {{static_cast<unsigned>(blocks)}, {256}}, from, to, count,
         places_of(shape, strides));
}

}  // namespace lazuli::cuda
