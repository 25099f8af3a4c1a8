// scatter and scatter_axis: see scatter.cu.
#include <optional>

#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/kernels/moves/indexed.h"
#include "lazuli/error.h"
#include "ops/table/op.h"
#include "ops/table/params.h"

namespace lazuli::cuda {
namespace {

constexpr size_t modes = 5;
constexpr const char* mode_names[modes] = {"Merge::replace", "Merge::add", "Merge::multiply",
                                           "Merge::maximum", "Merge::minimum"};

FunctionTable<2> claims("scatter.cu", [](size_t overlapping) {
  return std::string(overlapping ? "claim_elements" : "claim_rows");
});
FunctionTable<1> claims_along("scatter.cu", [](size_t) { return std::string("claim_along"); });

FunctionTable<2 * unit_sizes> replaces("scatter.cu", [](size_t slot) {
  const bool overlapping = slot & 1, element = slot / 2 < unit_sizes - 1;
  if (overlapping && !element) return std::string();
  return instance_name("scatter_replace", {unit_at(slot / 2), truth(overlapping)});
});

FunctionTable<modes * dtype_count> merges("scatter.cu", [](size_t slot) {
  if (slot % modes == 0) return std::string();
  return instance_name("scatter_merge",
                       {device_type(dtype_at(slot / modes)), mode_names[slot % modes]});
});
FunctionTable<modes * dtype_count> merges_along("scatter.cu", [](size_t slot) {
  return instance_name("scatter_along",
                       {device_type(dtype_at(slot / modes)), mode_names[slot % modes]});
});

LaunchShape one_each(int64_t count, int64_t per_block = 256) {
  return {{static_cast<unsigned>(ceil_div(count, per_block))}, {256}};
}

// Zeroed words that note who is last; rows are counted in 32 bits.
class Owners {
 public:
  Owners(const KernelCall& call, int64_t places, int64_t rows)
      : scratch_(call.stream, static_cast<size_t>(places) * sizeof(uint32_t)) {
    if (rows >= 0xffffffff) {
      throw ArgumentError("[" + std::string(op_info(call.node->op).name) +
                          "] The GPU replaces with at most 2^32 - 2 rows of updates, not " +
                          std::to_string(rows) + ".");
    }
    LAZULI_CUDA(cuMemsetD8Async, reinterpret_cast<CUdeviceptr>(scratch_.data()), 0,
                static_cast<size_t>(places) * sizeof(uint32_t), queue_of(call.stream).stream());
  }
  uint32_t* data() const { return scratch_.data<uint32_t>(); }

 private:
  Scratch scratch_;
};

void replace(const KernelCall& call, const Indexed& indexed, const IndexedShape& shape, int unit) {
  bool overlapping = false;
  int64_t rows = 1;
  for (int64_t axis : indexed.axes) {
    overlapping = overlapping || indexed.slice[static_cast<size_t>(axis)] > 1;
    rows *= call.output.extent(static_cast<int>(axis));
  }
  std::optional<Owners> owners;
  const FaultReport report = fault_report(call);
  if (shape.lead.count > 1) {
    owners.emplace(call, overlapping ? call.output.size() : rows, shape.lead.count);
    launch(call.stream, claims.at(overlapping),
           one_each(overlapping ? shape.count : shape.lead.count), owners->data(), shape, report);
  }
  const Function& function = replaces.at(unit_slot(unit) * 2 + overlapping);
  launch(call.stream, function, one_each(shape.count, 512), device_data<>(call.inputs[1]),
         device_data<>(call.output), owners ? owners->data() : nullptr, shape, report);
}

void merge(const KernelCall& call, const IndexedShape& shape, size_t mode) {
  const Function& function = merges.at(slot_of(call.output.dtype) * modes + mode);
  launch(call.stream, function, one_each(shape.count), device_data<>(call.inputs[1]),
         device_data<>(call.output), shape, fault_report(call));
}

}  // namespace

// Inputs: values (already in the output), updates, index arrays.
void kernel_scatter(const KernelCall& call) {
  const Operand& updates = call.inputs[1];
  if (updates.size() == 0) return;
  const auto [mode, axes] = params<ScatterParams>(call.node);
  const size_t rank = call.output.shape->size(), lead = updates.shape->size() - rank;
  Strides all = strides_of(updates), to = dense_strides(*call.output.shape);
  Indexed indexed{
      &call.output, call.inputs.subspan(2),
      axes,         Shape(updates.shape->begin() + static_cast<long>(lead), updates.shape->end()),
      {},           Strides(all.begin(), all.begin() + static_cast<long>(lead))};
  bool overlapping = false;
  for (size_t d = 0; d < rank; ++d) {
    indexed.slice_axes.push_back({indexed.slice[d], all[lead + d], to[d]});
  }
  for (int64_t axis : indexed.axes) {
    overlapping = overlapping || indexed.slice[static_cast<size_t>(axis)] > 1;
  }
  // Merges and owners of elements go element by element.
  const bool by_element = mode != ScatterMode::replace || overlapping;
  IndexedShape shape{};
  const int unit = indexed_shape(call, indexed, device_data<>(updates), by_element, shape);
  if (mode == ScatterMode::replace) replace(call, indexed, shape, unit);
  else merge(call, shape, static_cast<size_t>(mode));
}

// Inputs: values (already in the output), indices, updates.
void kernel_scatter_axis(const KernelCall& call) {
  const Operand& indices = call.inputs[1];
  if (indices.size() == 0) return;
  const auto given = params<ScatterAxisParams>(call.node);
  const size_t mode = static_cast<size_t>(given.mode);
  const bool replaces = given.mode == ScatterMode::replace;
  AlongShape shape =
      along_shape(call, *call.output.shape, *indices.shape, static_cast<size_t>(given.axis));
  const FaultReport report = fault_report(call);
  std::optional<Owners> owners;
  if (replaces) {
    owners.emplace(call, call.output.size(), shape.walk.count);
    launch(call.stream, claims_along.at(0), one_each(shape.walk.count), device_data<>(indices),
           owners->data(), shape, report);
  }
  const Function& function = merges_along.at(slot_of(call.output.dtype) * modes + mode);
  launch(call.stream, function, one_each(shape.walk.count), device_data<>(indices),
         device_data<>(call.inputs[2]), device_data<>(call.output),
         owners ? owners->data() : nullptr, shape, report);
}

}  // namespace lazuli::cuda
