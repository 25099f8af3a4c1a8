#include "backends/cuda/fused/walk.h"

namespace lazuli::cuda {
namespace {

// Strides of a value along the dimensions of the space.
void spread(const Shape& space, const WalkInput& input, SmallVector<int64_t, 8>& strides) {
  strides.clear();
  strides.resize(space.size(), 0);
  const Shape& shape = *input.shape;
  size_t lead = space.size() - shape.size();
  int64_t dense = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    if (shape[d] != 1) strides[lead + d] = input.layout->dense ? dense : input.layout->strides[d];
    dense *= shape[d];
  }
}

bool is_plain(const Shape& space, const WalkInput& input) {
  return !input.row_scope && input.layout->dense && *input.shape == space;
}

// Dimensions [first, last) of the space, neighbours joined wherever every value allows it.
struct Merger {
  const Shape& space;
  std::span<const SmallVector<int64_t, 8>> strides;
  SmallVector<int64_t, 4>& extents;

  template <class Part>
  void run(size_t first, size_t last, Part part) {
    extents.clear();
    for (size_t k = 0; k < strides.size(); ++k) part(k).clear();
    for (size_t d = first; d < last; ++d) {
      if (space[d] == 1) continue;
      bool joins = !extents.empty();
      for (size_t k = 0; joins && k < strides.size(); ++k) {
        joins = part(k).back() == strides[k][d] * space[d];
      }
      if (joins) extents.back() *= space[d];
      else extents.push_back(space[d]);
      for (size_t k = 0; k < strides.size(); ++k) {
        if (joins) part(k).back() = strides[k][d];
        else part(k).push_back(strides[k][d]);
      }
    }
  }
};

// Without looking at strides: every value is dense over the whole space.
void walk_plain(const Shape& space, size_t outer_axes, Walk& walk) {
  walk.outer.clear();
  walk.inner.clear();
  for (size_t d = 0; d < space.size(); ++d) (d < outer_axes ? walk.rows : walk.length) *= space[d];
  if (walk.rows != 1) walk.outer.push_back(walk.rows);
  if (walk.length != 1) walk.inner.push_back(walk.length);
  for (Walk::Place& place : walk.places) {
    place.outer.clear();
    place.inner.clear();
    if (walk.rows != 1) place.outer.push_back(walk.length);
    if (walk.length != 1) place.inner.push_back(1);
  }
}

}  // namespace

void make_walk(const Shape& space, size_t row_axes, std::span<const WalkInput> inputs, Walk& walk) {
  walk.rows = walk.length = 1;
  walk.places.resize(inputs.size());
  size_t outer_axes = row_axes ? space.size() - row_axes : 0;
  bool plain = true;
  for (const WalkInput& input : inputs) plain = plain && is_plain(space, input);
  if (plain) return walk_plain(space, outer_axes, walk);
  thread_local std::vector<SmallVector<int64_t, 8>> strides;
  strides.resize(inputs.size());
  for (size_t k = 0; k < inputs.size(); ++k) spread(space, inputs[k], strides[k]);
  std::span<const SmallVector<int64_t, 8>> all(strides.data(), inputs.size());
  Merger{space, all, walk.outer}.run(
      0, outer_axes, [&](size_t k) -> SmallVector<int64_t, 4>& { return walk.places[k].outer; });
  Merger{space, all, walk.inner}.run(
      outer_axes, space.size(),
      [&](size_t k) -> SmallVector<int64_t, 4>& { return walk.places[k].inner; });
  for (int64_t extent : walk.outer) walk.rows *= extent;
  for (int64_t extent : walk.inner) walk.length *= extent;
}

}  // namespace lazuli::cuda
