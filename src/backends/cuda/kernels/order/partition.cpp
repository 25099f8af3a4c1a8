// partition and argpartition: see partition.cu.
#include <algorithm>

#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/kernels/order/sort.h"
#include "lazuli/error.h"
#include "ops/table/op.h"
#include "ops/table/params.h"

namespace lazuli::cuda {
namespace {

// As in partition.cu.
constexpr int64_t threads = 512;
constexpr int digit_bits = 11, digits = 1 << digit_bits;
struct Selection {
  uint64_t key, rank;
  uint32_t blocks_done;
};
struct PartCounts {
  uint64_t smaller, equal;
};

FunctionTable<dtype_count> selects("partition.cu", [](size_t slot) {
  return instance_name("select_digit", {device_type(dtype_at(slot))});
});
FunctionTable<dtype_count> counts("partition.cu", [](size_t slot) {
  return instance_name("count_parts", {device_type(dtype_at(slot))});
});
FunctionTable<dtype_count * 2> moves("partition.cu", [](size_t slot) {
  return instance_name("move_parts", {device_type(dtype_at(slot / 2)), truth(slot % 2)});
});

// Rows that one launch takes; `part` elements of a row are a block's.
struct Partition {
  const KernelCall& call;
  const char* x;
  char* out;
  int64_t rows, length, parts, part;

  LaunchShape grid() const {
    return {{static_cast<unsigned>(parts), static_cast<unsigned>(rows)}, {threads}};
  }
};

void select(const Partition& p, Selection* selections, uint64_t* counts) {
  const Dtype::Val dtype = p.call.inputs[0].dtype;
  const Function& function = selects.at(slot_of(dtype));
  int left = dtype_of(dtype).size() * 8;
  bool first = true;
  while (left > 0) {
    const int bits = std::min(digit_bits, left);
    left -= bits;
    launch(p.call.stream, function, p.grid(), p.x, selections, counts, p.length, p.part,
           params<OrderParams>(p.call.node).kth, left, bits, first);
    first = false;
  }
}

void move(const Partition& p, const Selection* selections, PartCounts* parts, bool by_index) {
  const size_t slot = slot_of(p.call.inputs[0].dtype);
  launch(p.call.stream, counts.at(slot), p.grid(), p.x, selections, parts, p.length, p.part);
  launch(p.call.stream, moves.at(slot * 2 + by_index), p.grid(), p.x, p.out, selections, parts,
         p.length, p.part);
}

void partition(const KernelCall& call, bool by_index) {
  const SortRows rows = sort_rows_of(call.inputs[0]);
  if (rows.length <= short_row) return sort_rows(call, by_index);
  if (by_index && rows.length > 0xffffffff) {
    throw ArgumentError("[" + std::string(op_info(call.node->op).name) +
                        "] Rows of more than 2^32 - 1 elements have no indices in uint32.");
  }
  constexpr int64_t rows_max = 4096;
  for (int64_t first = 0; first < rows.rows; first += rows_max) {
    const int64_t count = std::min(rows_max, rows.rows - first);
    const int64_t wanted = ceil_div(int64_t{gpu().multiprocessors} * 4, count);
    const int64_t part =
        ceil_div(ceil_div(rows.length, std::min(wanted, ceil_div(rows.length, threads * 4))),
                 threads) *
        threads;
    const int64_t parts = ceil_div(rows.length, part);
    const Partition p{
        call,
        device_data<char>(call.inputs[0]) +
            first * rows.length * dtype_of(call.inputs[0].dtype).size(),
        device_data<char>(call.output) + first * rows.length * dtype_of(call.output.dtype).size(),
        count,
        rows.length,
        parts,
        part};
    const size_t zeroed = static_cast<size_t>(count) * (digits * 8 + sizeof(Selection));
    Scratch scratch(call.stream, zeroed);
    Scratch part_counts(call.stream, static_cast<size_t>(count * parts) * sizeof(PartCounts));
    LAZULI_CUDA(cuMemsetD8Async, reinterpret_cast<CUdeviceptr>(scratch.data()), 0, zeroed,
                queue_of(call.stream).stream());
    auto* selections = reinterpret_cast<Selection*>(scratch.data<uint64_t>() + count * digits);
    select(p, selections, scratch.data<uint64_t>());
    move(p, selections, part_counts.data<PartCounts>(), by_index);
  }
}

}  // namespace

void kernel_partition(const KernelCall& call) { partition(call, false); }
void kernel_argpartition(const KernelCall& call) { partition(call, true); }

}  // namespace lazuli::cuda
