#include <algorithm>
#include <optional>

#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/kernels/levels/level_rows.h"
#include "backends/cuda/kernels/products/matmul.h"
#include "lazuli/error.h"
#include "lazuli/packed_format.h"
#include "ops/table/op.h"
#include "ops/table/params.h"

namespace lazuli::cuda {
namespace {

PackedFormat format_of(const KernelCall& call) { return params<PackedParams>(call.node).format; }

const char* name_at(size_t format) {
  return packed_format_info(static_cast<PackedFormat>(format)).name;
}

// By format and dtype.
constexpr size_t typed_count = packed_format_count * float_count;
size_t typed_slot(PackedFormat format, Dtype::Val dtype) {
  return static_cast<size_t>(format) * float_count + float_slot(dtype);
}
FunctionTable<typed_count> dequantizes("packed_dequantize.cu", [](size_t slot) {
  return instance_name("packed_dequantize",
                       {name_at(slot / float_count), device_type(float_types[slot % float_count])});
});
FunctionTable<typed_count> takes("packed_dequantize.cu", [](size_t slot) {
  return instance_name("packed_take",
                       {name_at(slot / float_count), device_type(float_types[slot % float_count])});
});
FunctionTable<packed_format_count> planes("packed_dequantize.cu", [](size_t slot) {
  return instance_name("packed_planes", {name_at(slot)});
});

// Blocks of 256 threads, four for each chunk of 256 elements.
LaunchShape shape_for(int64_t chunks) {
  int64_t blocks = std::min<int64_t>(ceil_div(chunks, 64), gpu().multiprocessors * 32);
  return {{static_cast<unsigned>(blocks)}, {256}};
}

// Writes `elements` values of the blocks at `blocks` to `out`.
void dequantize(int stream, PackedFormat format, const void* blocks, int64_t elements, void* out,
                Dtype::Val dtype) {
  if (elements == 0) return;
  launch(stream, dequantizes.at(typed_slot(format, dtype)), shape_for(ceil_div(elements, 256)),
         blocks, elements, out);
}

void dequantize_planes(int stream, PackedFormat format, const void* blocks, int64_t elements,
                       void* out) {
  launch(stream, planes.at(static_cast<size_t>(format)), shape_for(ceil_div(elements, 256)), blocks,
         elements, out);
}

// Many rows: weights in slices as dense matrices. `planes`, if not null, holds x of float32 as
// planes of bfloats: products of these are several times as fast.
void multiply_dense(const LevelProduct& product, const void* planes, PackedFormat format,
                    const LevelPart& part) {
  int64_t item = dtype_of(product.dtype).size(), k = product.k, m = product.m;
  int64_t rows = dense_slice_rows(part.rows, k * item);
  Scratch slice(product.stream, static_cast<size_t>(rows * k * item));
  int64_t row_bytes = packed_row_bytes(format, k);
  auto* w = static_cast<const char*>(part.w);
  for (int64_t first = 0; first < part.rows; first += rows) {
    int64_t count = std::min(rows, part.rows - first);
    const char* from = w + first * row_bytes;
    char* out = static_cast<char*>(product.out) + (part.column + first) * item;
    if (planes) {
      dequantize_planes(product.stream, format, from, count * k, slice.data());
      multiply_planes(product.stream, {m, count, k, planes, slice.data(), 1, k, count * k,
                                       reinterpret_cast<float*>(out), product.columns});
      continue;
    }
    dequantize(product.stream, format, from, count * k, slice.data(), product.dtype);
    MatrixPlace x{product.x, k, 1, 0}, y{slice.data(), 1, k, 0};
    MatrixProduct dense{product.dtype, m, count, k, 1, x, y, out, product.columns, 0};
    product.exact ? multiply_in_slices(product.stream, dense) : multiply(product.stream, dense);
  }
}

}  // namespace

// Input: w.
void kernel_packed_dequantize(const KernelCall& call) {
  std::optional<Scratch> copy;
  dequantize(call.stream, format_of(call), aligned_data(call.stream, call.inputs[0], 2, copy),
             call.output.size(), device_data(call.output), call.output.dtype);
}

// Inputs: w [N, bytes], indices (int64).
void kernel_packed_take(const KernelCall& call) {
  const Operand &w = call.inputs[0], &indices = call.inputs[1];
  std::optional<Scratch> copy;
  int64_t columns = call.output.extent(-1);
  uint32_t reason = fault_of(static_cast<uint32_t>(call.node->op), Fault::index_out_of_range);
  launch(call.stream, takes.at(typed_slot(format_of(call), call.output.dtype)),
         shape_for(indices.size() * ceil_div(columns, 256)), aligned_data(call.stream, w, 2, copy),
         w.extent(0), w.extent(1), columns, device_data(indices), indices.size(),
         device_data(call.output), fault_word(), reason);
}

// Inputs: x [..., K], matrices [N, bytes], whose products lie beside each other in the output.
void kernel_packed_matmul(const KernelCall& call) {
  const auto packed = params<PackedMatmulParams>(call.node);
  const Operand& x = call.inputs[0];
  LevelProduct product{call.stream,
                       x.dtype,
                       nullptr,
                       0,
                       x.extent(-1),
                       device_data(call.output),
                       call.output.extent(-1),
                       x.dtype == Dtype::Val::float32 && packed.precision == Precision::full};
  if (product.k == 0) {
    LAZULI_CUDA(cuMemsetD8Async, reinterpret_cast<CUdeviceptr>(product.out), 0,
                static_cast<size_t>(call.output.size() * dtype_of(x.dtype).size()),
                queue_of(call.stream).stream());
    return;
  }
  product.m = x.size() / product.k;
  std::optional<Scratch> x_copy;
  product.x = aligned_data(call.stream, x, 16, x_copy);
  SmallVector<LevelPart, 4> parts;
  SmallVector<PackedFormat, 4> formats;
  std::vector<std::optional<Scratch>> copies(call.inputs.size());
  int64_t column = 0;
  for (size_t i = 1; i < call.inputs.size(); ++i) {
    const Operand& w = call.inputs[i];
    if (w.extent(0) == 0) continue;
    formats.push_back(packed.format(i - 1));
    bool aligned = LevelFormat::of(formats.back()).aligned;
    const void* data = aligned_data(call.stream, w, aligned ? 16 : 2, copies[i]);
    parts.push_back({data, nullptr, nullptr, w.extent(0), column, !copies[i] && is_settled(w)});
    column += w.extent(0);
  }
  std::optional<Scratch> planes;
  // Neighbours of one format share a launch.
  for (size_t first = 0, last; first < parts.size(); first = last) {
    PackedFormat format = formats[first];
    last = first + 1;
    while (last < parts.size() && formats[last] == format) ++last;
    if (multiply_level_rows(product, LevelFormat::of(format), packed_row_bytes(format, product.k),
                            &parts[first], last - first)) {
      continue;
    }
    if (x.dtype == Dtype::Val::float32 && !product.exact && has_blas() && !planes) {
      planes.emplace(call.stream, static_cast<size_t>(x.size()) * 3 * 2);
      split_planes(product, planes->data());
    }
    for (size_t i = first; i < last; ++i) {
      multiply_dense(product, planes ? planes->data() : nullptr, format, parts[i]);
    }
  }
}

}  // namespace lazuli::cuda
