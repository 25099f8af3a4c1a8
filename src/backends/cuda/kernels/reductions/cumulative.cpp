// Cumulative ops: see cumulative.cu.
#include <algorithm>

#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/kernels/reductions/axes.h"
#include "ops/table/op.h"
#include "ops/table/params.h"

namespace lazuli::cuda {

#include "backends/cuda/device/scan_shape.cuh"

namespace {

constexpr int64_t threads = 256, warps = threads / 32;

// The names of the joins, by mode: replace is none.
constexpr size_t modes = 5;
constexpr const char* joins[modes] = {"", "op::Sum", "op::Prod", "op::Max", "op::Min"};

// Slots are made of a dtype and a mode.
std::string types_at(size_t slot) {
  const Dtype::Val dtype = dtype_at(slot / modes);
  const size_t mode = slot % modes;
  // Sums and products of truth values are those of integers.
  if (mode == 0 || (dtype == bool_ && mode <= 2)) return "";
  return std::string(device_type(dtype)) + ", " + joins[mode];
}
std::string vector_at(size_t slot) {
  return std::to_string(16 / dtype_of(dtype_at(slot / modes)).size());
}

// Whether vectors are read, and whether backwards.
FunctionTable<dtype_count * modes * 4> tile_scans("cumulative.cu", [](size_t slot) {
  const std::string types = types_at(slot / 4);
  if (types.empty()) return types;
  return instance_name("scan_tiles",
                       {types, slot & 2 ? vector_at(slot / 4) : "1", truth(slot & 1)});
});
// Likewise, and whether a block takes a row.
FunctionTable<dtype_count * modes * 8> row_scans("cumulative.cu", [](size_t slot) {
  const std::string types = types_at(slot / 8);
  if (types.empty()) return types;
  return instance_name(
      "scan_rows", {types, slot & 4 ? vector_at(slot / 8) : "1", truth(slot & 2), truth(slot & 1)});
});
FunctionTable<dtype_count * modes * 2> column_scans("cumulative.cu", [](size_t slot) {
  const std::string types = types_at(slot / 2);
  return types.empty() ? types : instance_name("scan_columns", {types, truth(slot % 2)});
});

struct Scan {
  const KernelCall& call;
  Dtype::Val dtype;
  size_t mode;
  const void* from;
  void* to;
  ScanShape shape;

  int64_t itemsize() const { return dtype_of(dtype).size(); }
  bool is_half() const { return dtype == float16 || dtype == bfloat16; }
  // What the kernels keep: float32 for halves.
  Dtype::Val state() const { return is_half() ? Dtype::Val::float32 : dtype; }
  size_t slot() const { return slot_of(dtype) * modes + mode; }
};

LaunchShape blocks_of(int64_t blocks) { return {{static_cast<unsigned>(blocks)}, {threads}}; }

// Elements that a warp has of a row and of a tile: 32 lanes times row_vectors or tile_vectors of
// cumulative.cu.
int64_t row_segment(const Scan& scan, int64_t vector) {
  return 32 * (vector == 1 ? 16 : scan.itemsize() == 8 ? 16 : 32);
}
int64_t tile_segment(int64_t vector) { return 32 * (vector == 1 ? 16 : 8 * vector); }

// As in cumulative.cu.
struct Posts {
  void *words, *values;
};

void scan_tiles(const Scan& scan, size_t slot) {
  const ScanShape& shape = scan.shape;
  const int64_t tiles = shape.rows * shape.tiles;
  const auto posts = static_cast<size_t>(tiles + shape.rows * ceil_div(shape.tiles, scan_group));
  Scratch words(scan.call.stream, posts * sizeof(uint64_t));
  Scratch values(scan.call.stream, posts * static_cast<size_t>(dtype_of(scan.state()).size()));
  LAZULI_CUDA(cuMemsetD8Async, reinterpret_cast<CUdeviceptr>(words.data()), 0,
              posts * sizeof(uint64_t), queue_of(scan.call.stream).stream());
  launch(scan.call.stream, tile_scans.at(slot), blocks_of(tiles), scan.from, scan.to, shape,
         Posts{words.data(), values.data()});
}

void scan_rows(Scan& scan) {
  ScanShape& shape = scan.shape;
  int64_t vector = 16 / scan.itemsize();
  if (shape.extent % vector != 0 || reinterpret_cast<uintptr_t>(scan.from) % 16 != 0) vector = 1;
  shape.tiles = ceil_div(shape.extent, tile_segment(vector) * warps);
  const size_t slot = scan.slot() * 4 + (vector > 1 ? 2 : 0) + (shape.reverse ? 1 : 0);
  if (shape.tiles > 1 && shape.rows < 2 * gpu().multiprocessors) {
    return scan_tiles(scan, slot);
  }
  const bool whole_block = shape.extent > row_segment(scan, vector);
  launch(scan.call.stream, row_scans.at(slot * 2 + whole_block),
         blocks_of(whole_block ? shape.rows : ceil_div(shape.rows, warps)), scan.from, scan.to,
         shape);
}

const Function& columns_function(const Scan& scan, bool totals_only) {
  return column_scans.at(scan.slot() * 2 + totals_only);
}

void scan_columns(Scan& scan) {
  ScanShape& shape = scan.shape;
  const int64_t lines = shape.rows, wanted = int64_t{gpu().multiprocessors} * 2048;
  shape.chunks = 1;
  if (shape.extent > 128 && lines < wanted / 4) {
    shape.chunks = std::min(ceil_div(shape.extent, 64), ceil_div(wanted, lines));
  }
  shape.chunk = ceil_div(shape.extent, shape.chunks);
  shape.chunks = ceil_div(shape.extent, shape.chunk);
  shape.line = divided_axis(lines, 0, 0);
  shape.column = divided_axis(shape.inner, 0, 0);
  shape.wide = lines * shape.chunks >= int64_t{1} << 31;
  const LaunchShape grid = blocks_of(ceil_div(lines * shape.chunks, threads));
  void* none = nullptr;
  if (shape.chunks == 1) {
    launch(scan.call.stream, columns_function(scan, false), grid, scan.from, scan.to, shape, none,
           none);
    return;
  }
  const size_t bytes = static_cast<size_t>(lines * shape.chunks) * dtype_of(scan.state()).size();
  Scratch totals(scan.call.stream, bytes), starts(scan.call.stream, bytes);
  launch(scan.call.stream, columns_function(scan, true), grid, scan.from, none, shape,
         totals.data(), none);
  // What lies before each piece: the totals, scanned along the pieces without the piece itself.
  Scan above{scan.call, scan.state(), scan.mode, totals.data(), starts.data(), {}};
  above.shape.rows = lines;
  above.shape.extent = shape.chunks;
  above.shape.inner = lines;
  if (lines == 1) scan_rows(above);
  else scan_columns(above);
  launch(scan.call.stream, columns_function(scan, false), grid, scan.from, scan.to, shape, none,
         starts.data());
}

}  // namespace

void kernel_cumulative(const KernelCall& call) {
  const auto given = params<CumulativeParams>(call.node);
  const Shape& shape = *call.output.shape;
  const size_t axis = static_cast<size_t>(given.axis);
  Scan scan{call,
            call.output.dtype,
            static_cast<size_t>(given.mode),
            device_data<>(call.inputs[0]),
            device_data<>(call.output),
            {}};
  int64_t outer = 1, inner = 1;
  for (size_t d = 0; d < axis; ++d) outer *= shape[d];
  for (size_t d = axis + 1; d < shape.size(); ++d) inner *= shape[d];
  scan.shape.rows = outer * inner;
  scan.shape.extent = shape[axis];
  scan.shape.inner = inner;
  scan.shape.reverse = given.reverse;
  scan.shape.inclusive = given.inclusive;
  if (inner == 1) scan_rows(scan);
  else scan_columns(scan);
}

}  // namespace lazuli::cuda
