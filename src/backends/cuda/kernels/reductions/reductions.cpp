#include "backends/cuda/kernels/reductions/reductions.h"

#include <algorithm>
#include <bit>
#include <optional>

namespace lazuli::cuda {
namespace {

constexpr int64_t threads = 256;

struct Sides {
  AxisList kept, reduced;
  int64_t from = 0, to = 0;
};

// Steps that go backwards are walked forwards; the longest come first, repeated elements before
// them.
Sides sides_of(const KernelCall& call, std::span<const int64_t> axes) {
  Sides sides;
  const Shape& shape = *call.inputs[0].shape;
  Strides from = strides_of(call.inputs[0]), to = dense_strides(*call.output.shape);
  for (size_t d = 0; d < shape.size(); ++d) {
    bool reduced = std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) != axes.end();
    AxisSteps axis{shape[d], from[d], reduced ? 0 : to[d]};
    if (axis.from < 0 && axis.extent > 0) {
      sides.from += (axis.extent - 1) * axis.from;
      sides.to += (axis.extent - 1) * axis.to;
      axis.from = -axis.from;
      axis.to = -axis.to;
    }
    (reduced ? sides.reduced : sides.kept).push_back(axis);
  }
  auto longer = [](const AxisSteps& a, const AxisSteps& b) {
    return b.from != 0 && (a.from == 0 || a.from > b.from);
  };
  std::stable_sort(sides.kept.begin(), sides.kept.end(), longer);
  std::stable_sort(sides.reduced.begin(), sides.reduced.end(), longer);
  merge_axes(sides.kept);
  merge_axes(sides.reduced);
  return sides;
}

bool is_aligned(const KernelCall& call, const Sides& sides, const AxisSteps& inner, int vector) {
  const int64_t itemsize = dtype_of(call.inputs[0].dtype).size();
  Alignment alignment;
  alignment.see(device_data<char>(call.inputs[0]) + sides.from * itemsize);
  for (const AxisList* list : {&sides.kept, &sides.reduced}) {
    for (const AxisSteps& axis : *list) {
      if (&axis != &inner) alignment.see(axis.from * itemsize);
    }
  }
  return inner.from == 1 && inner.extent % vector == 0 && alignment.bytes() == 16;
}

int64_t power_of_two_from(int64_t n) {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(n)));
}

void plan_rows(ReductionLaunch& plan, int64_t rows, int64_t units) {
  const int64_t multiprocessors = gpu().multiprocessors;
  const bool whole_block = units >= 1024 || (units >= 256 && rows < multiprocessors * 16);
  const int64_t lanes =
      whole_block ? threads
                  : std::clamp<int64_t>(power_of_two_from(std::max<int64_t>(units, 1)), 1, 32);
  plan.shape.lanes = static_cast<int32_t>(lanes);
  if (whole_block && rows <= counters_max) {
    plan.splits = static_cast<int>(
        std::clamp<int64_t>(multiprocessors * 8 / rows, 1, std::max<int64_t>(1, units / 512)));
  }
  plan.partials = static_cast<size_t>(rows * plan.splits);
  plan.launch.grid.x = static_cast<unsigned>(ceil_div(rows, threads / lanes));
}

void plan_columns(ReductionLaunch& plan, int64_t units, int64_t length) {
  int64_t others = std::clamp<int64_t>(
      static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(length / 4))), 1, 8);
  const int64_t lanes = std::min(threads / others, power_of_two_from(units));
  others = threads / lanes;
  plan.shape.lanes = static_cast<int32_t>(lanes);
  const int64_t blocks = ceil_div(units, lanes);
  if (blocks <= counters_max) {
    plan.splits =
        static_cast<int>(std::clamp<int64_t>(int64_t{gpu().multiprocessors} * 4 / blocks, 1,
                                             std::max<int64_t>(1, length / (others * 8))));
  }
  plan.partials = static_cast<size_t>(units * plan.vector * plan.splits);
  plan.launch.grid.x = static_cast<unsigned>(blocks);
}

}  // namespace

ReductionLaunch plan_reduction(const KernelCall& call, std::span<const int64_t> axes) {
  ReductionLaunch plan{};
  Sides sides = sides_of(call, axes);
  const int vector = 16 / dtype_of(call.inputs[0].dtype).size();
  plan.from = sides.from;
  plan.to = sides.to;
  plan.vector = 1;
  plan.splits = 1;
  plan.shape.length = 1;
  for (const AxisSteps& axis : sides.reduced) plan.shape.length *= axis.extent;
  AxisSteps& kept = sides.kept.back();
  AxisSteps& reduced = sides.reduced.back();
  plan.columns =
      kept.from > 0 && plan.shape.length > 0 && (reduced.from == 0 || kept.from < reduced.from);
  plan.shape.column_step = kept.to;
  AxisSteps& inner = plan.columns ? kept : reduced;
  plan.single = sides.reduced.size() == 1 && (plan.columns || reduced.from == 1);
  const bool run = plan.single && !plan.columns;
  const bool aligned = is_aligned(call, sides, inner, vector);
  if (run || aligned) plan.vector = vector;
  if (aligned && !run) {
    inner.extent /= vector;
    inner.from *= vector;
    inner.to *= vector;
  }
  plan.shape.kept = packed_axes<8>(call, sides.kept);
  plan.shape.reduced = packed_axes<8>(call, sides.reduced);
  plan.launch.block.x = threads;
  if (plan.columns) plan_columns(plan, plan.shape.kept.count, plan.shape.length);
  else plan_rows(plan, plan.shape.kept.count, plan.shape.length / plan.vector);
  plan.launch.grid.y = static_cast<unsigned>(plan.splits);
  return plan;
}

std::string reduction_instance(size_t slot, const std::string& policy) {
  const size_t variant = slot % reduction_variants;
  const bool columns = variant & 4, vectors = variant & 2, single = variant & 1;
  // Rows along one axis with step 1 are read by vectors wherever they begin.
  if (policy.empty() || (single && !columns && !vectors)) return "";
  const int itemsize = dtype_of(dtype_at(slot / reduction_variants)).size();
  return instance_name(columns ? "reduce_columns" : "reduce_rows",
                       {policy, std::to_string(vectors ? 16 / itemsize : 1), truth(single)});
}

void launch_reduction(const KernelCall& call, const ReductionLaunch& plan, const Function& function,
                      size_t state_bytes) {
  std::optional<Scratch> partials;
  void* states = nullptr;
  uint32_t* counters = nullptr;
  if (plan.splits > 1) {
    states = partials.emplace(call.stream, plan.partials * state_bytes).data();
    counters = counters_of(call.stream);
  }
  const char* from =
      device_data<char>(call.inputs[0]) + plan.from * dtype_of(call.inputs[0].dtype).size();
  char* to = device_data<char>(call.output) + plan.to * dtype_of(call.output.dtype).size();
  launch(call.stream, function, plan.launch, from, to, plan.shape, states, counters);
}

}  // namespace lazuli::cuda
