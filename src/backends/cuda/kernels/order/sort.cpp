// sort and argsort: see sort.cu.
#include "backends/cuda/kernels/order/sort.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/function_table.h"
#include "lazuli/error.h"
#include "ops/table/op.h"

namespace lazuli::cuda {
namespace {

constexpr int64_t digits = 256, radix_threads = 256, radix_warps = 8;
constexpr size_t outputs = 3;
constexpr const char* output_names[outputs] = {"Sorted::values", "Sorted::indices",
                                               "Sorted::moved_values"};

std::string types_at(size_t slot) {
  const Dtype::Val dtype = dtype_at(slot / outputs);
  // Values of complex numbers are moved by their indices.
  if (slot % outputs == (dtype == complex64 ? 0 : 2)) return "";
  return std::string(device_type(dtype)) + ", " + output_names[slot % outputs];
}

std::string instance(const char* kernel, const std::string& types) {
  return types.empty() ? types : instance_name(kernel, {types});
}

FunctionTable<dtype_count * outputs> short_sorts("sort.cu", [](size_t slot) {
  return instance("sort_rows", types_at(slot));
});
FunctionTable<dtype_count * outputs> counts("sort.cu", [](size_t slot) {
  return instance("count_digits", types_at(slot));
});
FunctionTable<1> places("sort.cu", [](size_t) { return std::string("place_digits"); });
FunctionTable<dtype_count * outputs * 4> passes("sort.cu", [](size_t slot) {
  const bool first = slot & 2, last = slot & 1;
  const std::string types = types_at(slot / 4);
  const int count = dtype_of(dtype_at(slot / 4 / outputs)).size();
  const bool exists = first && last ? count == 1 : first || last ? count > 1 : count > 2;
  if (types.empty() || !exists) return std::string();
  return instance_name("radix_pass", {types, truth(first), truth(last)});
});

struct Sort {
  const KernelCall& call;
  Dtype::Val dtype;
  size_t output;
  SortRows rows;

  bool indexed() const { return output != 0; }
  int64_t itemsize() const { return dtype_of(dtype).size(); }
  int64_t tile() const { return radix_threads * (itemsize() == 8 ? 8 : 16); }
  size_t slot() const { return static_cast<size_t>(dtype) * outputs + output; }
};

void sort_short(const Sort& sort) {
  const int64_t padded = static_cast<int64_t>(
      std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(sort.rows.length, 2))));
  const int64_t count = std::max<int64_t>(padded, 512);
  const int64_t bytes = ceil_div(count * sort.itemsize(), 8) * 8 + (sort.indexed() ? count * 4 : 0);
  const Function& function = short_sorts.at(sort.slot());
  const LaunchShape shape{{static_cast<unsigned>(ceil_div(sort.rows.rows, count / padded))},
                          {static_cast<unsigned>(std::min<int64_t>(count / 2, 512))},
                          static_cast<unsigned>(bytes)};
  launch(sort.call.stream, function, shape, device_data<>(sort.call.inputs[0]),
         device_data<>(sort.call.output), sort.rows.rows, static_cast<int>(sort.rows.length),
         static_cast<int>(padded), static_cast<int>(count));
}

// Memory of a radix sort: keys and indices twice, and what its tiles know.
struct RadixScratch {
  Scratch keys, indices, words;
  int64_t tiles;  // of a row
  uint64_t *places, *status;
  uint32_t* tickets;  // one a pass

  explicit RadixScratch(const Sort& sort)
      : keys(sort.call.stream, bytes(sort, sort.itemsize(), sort.itemsize() > 1)),
        indices(sort.call.stream, bytes(sort, 4, sort.indexed() && sort.itemsize() > 1)),
        words(sort.call.stream, word_bytes(sort)),
        tiles(ceil_div(sort.rows.length, sort.tile())),
        places(words.data<uint64_t>()),
        status(places + sort.rows.rows * sort.itemsize() * digits),
        tickets(reinterpret_cast<uint32_t*>(status + sort.rows.rows * tiles * digits)) {
    LAZULI_CUDA(cuMemsetD8Async, reinterpret_cast<CUdeviceptr>(words.data()), 0, word_bytes(sort),
                queue_of(sort.call.stream).stream());
  }

 private:
  static size_t bytes(const Sort& sort, int64_t each, bool needed) {
    return needed ? static_cast<size_t>(2 * sort.rows.rows * sort.rows.length * each) : 0;
  }
  static size_t word_bytes(const Sort& sort) {
    const int64_t tiles = ceil_div(sort.rows.length, sort.tile());
    return static_cast<size_t>(
        8 * (sort.rows.rows * (sort.itemsize() + tiles) * digits + sort.itemsize()));
  }
};

void count_digits(const Sort& sort, const RadixScratch& scratch) {
  const int64_t rows = sort.rows.rows, length = sort.rows.length;
  const int64_t parts =
      std::clamp<int64_t>(gpu().multiprocessors * 8 / rows, 1, ceil_div(length, 4096));
  const int64_t part = ceil_div(length, parts);
  launch(sort.call.stream, counts.at(sort.slot()),
         {{static_cast<unsigned>(ceil_div(length, part)), static_cast<unsigned>(rows)},
          {radix_threads}},
         device_data<>(sort.call.inputs[0]), scratch.places, length, part);
  launch(sort.call.stream, places.at(0),
         {{static_cast<unsigned>(rows * sort.itemsize())}, {radix_threads}}, scratch.places);
}

void radix_pass(const Sort& sort, const RadixScratch& scratch, int pass) {
  const int64_t elements = sort.rows.rows * sort.rows.length, itemsize = sort.itemsize();
  const bool first = pass == 0, last = pass + 1 == itemsize;
  // Passes write to one half of the scratch and read from the other.
  char* keys = scratch.keys.data<char>();
  uint32_t* indices = scratch.indices.data<uint32_t>();
  char *keys_out = keys, *keys_in = keys + elements * itemsize;
  uint32_t *indices_out = indices, *indices_in = indices + elements;
  if (pass % 2 != 0) {
    std::swap(keys_out, keys_in);
    std::swap(indices_out, indices_in);
  }
  const Function& function = passes.at(sort.slot() * 4 + first * 2 + last);
  const int64_t shared = sort.tile() * (itemsize + 4) + radix_warps * digits * 4 + digits * 8;
  launch(sort.call.stream, function,
         {{static_cast<unsigned>(sort.rows.rows * scratch.tiles)},
          {radix_threads},
          static_cast<unsigned>(shared)},
         device_data<>(sort.call.inputs[0]), keys_in, indices_in, keys_out, indices_out,
         device_data<>(sort.call.output), scratch.places, scratch.status, scratch.tickets + pass,
         sort.rows.length, scratch.tiles, pass);
}

// Some rows of an operand.
Operand rows_of(const Operand& operand, Layout& layout, Shape& shape, int64_t first, int64_t count,
                int64_t length) {
  layout =
      Layout(operand.layout->buffer,
             operand.layout->offset + first * length * dtype_of(operand.dtype).size(), {}, true);
  retain(layout.buffer);
  shape = {count, length};
  return {&layout, &shape, operand.dtype};
}

void sort_long(const Sort& sort) {
  // The grid counts rows in 16 bits, and the scratch of all at once may be too much.
  constexpr int64_t rows_max = 32768;
  const int64_t length = sort.rows.length, limit = int64_t{1} << 28;
  const int64_t group = std::clamp<int64_t>(limit / length, 1, rows_max);
  for (int64_t first = 0; first < sort.rows.rows; first += group) {
    const int64_t count = std::min(group, sort.rows.rows - first);
    Layout layouts[2];
    Shape shapes[2];
    const Operand input = rows_of(sort.call.inputs[0], layouts[0], shapes[0], first, count, length);
    const KernelCall call{sort.call.stream,
                          sort.call.node,
                          {&input, 1},
                          rows_of(sort.call.output, layouts[1], shapes[1], first, count, length)};
    const Sort part{call, sort.dtype, sort.output, {count, length}};
    RadixScratch scratch(part);
    count_digits(part, scratch);
    for (int pass = 0; pass < sort.itemsize(); ++pass) radix_pass(part, scratch, pass);
  }
}

}  // namespace

SortRows sort_rows_of(const Operand& input) {
  const int64_t length = input.shape->empty() ? 1 : input.shape->back();
  return {input.size() / length, length};
}

void sort_rows(const KernelCall& call, bool by_index) {
  const Operand& input = call.inputs[0];
  const Sort sort{call, input.dtype,
                  by_index                   ? size_t{1}
                  : input.dtype == complex64 ? size_t{2}
                                             : size_t{0},
                  sort_rows_of(input)};
  if (sort.indexed() && sort.rows.length > 0xffffffff) {
    throw ArgumentError("[" + std::string(op_info(call.node->op).name) +
                        "] Rows of more than 2^32 - 1 elements have no indices in uint32.");
  }
  if (sort.rows.length <= short_row) sort_short(sort);
  else sort_long(sort);
}

void kernel_sort(const KernelCall& call) { sort_rows(call, false); }
void kernel_argsort(const KernelCall& call) { sort_rows(call, true); }

}  // namespace lazuli::cuda
