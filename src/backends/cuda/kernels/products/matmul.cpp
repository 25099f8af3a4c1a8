#include "backends/cuda/kernels/products/matmul.h"

#include <algorithm>
#include <optional>

#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/kernels/moves/dense_copy.h"
#include "backends/cuda/kernels/products/matmul_rows.h"
#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

constexpr int64_t batches_max = 65535;

// As in matmul.cu.
struct PlaceStrides {
  int64_t row, column, batch;
};

unsigned count_of(int64_t value) { return static_cast<unsigned>(value); }

// By dtype, and whether the output is of float32 in place of it.
FunctionTable<dtype_count * 2> tiles("matmul.cu", [](size_t slot) {
  Dtype::Val dtype = dtype_at(slot / 2), out = slot % 2 ? Dtype::Val::float32 : dtype;
  bool exists = issubdtype(dtype_of(dtype), inexact) && (slot % 2 == 0 || dtype == bfloat16);
  return exists ? instance_name("matmul", {device_type(dtype), device_type(out)}) : std::string();
});

void multiply_tiles(int stream, MatrixProduct p) {
  const Function& function = tiles.at(slot_of(p.dtype) * 2 + p.into_float);
  int64_t blocks = ceil_div(p.m, 64) * ceil_div(p.n, 64), item = dtype_of(p.dtype).size();
  int64_t out_item = dtype_of(p.out_dtype()).size();
  PlaceStrides x{p.x.row, p.x.column, p.x.batch}, y{p.y.row, p.y.column, p.y.batch},
      out{p.out_row, 1, p.out_batch};
  for (int64_t first = 0; first < p.batches; first += batches_max) {
    auto moved = [&](const void* data, int64_t batch, int64_t bytes) {
      return static_cast<const char*>(data) + first * batch * bytes;
    };
    launch(stream, function,
           {{count_of(blocks), count_of(std::min(batches_max, p.batches - first))}, {256}},
           moved(p.x.data, p.x.batch, item), x, moved(p.y.data, p.y.batch, item), y,
           moved(p.out, p.out_batch, out_item), out, p.m, p.n, p.k, p.added);
  }
}

// An axis of batches that x, y and the output share.
struct BatchAxis {
  int64_t extent, x, y, out;
};

// The leading axes, innermost first, merged where all three lie like one axis.
SmallVector<BatchAxis, 4> batch_axes(const KernelCall& call, const Strides& x, const Strides& y) {
  const Shape& shape = *call.output.shape;
  const Operand &a = call.inputs[0], &b = call.inputs[1];
  size_t lead = shape.size() - 2;
  auto step = [&](const Operand& operand, const Strides& strides, size_t d) -> int64_t {
    size_t own = operand.shape->size() - 2, skipped = lead - own;
    if (d < skipped || (*operand.shape)[d - skipped] == 1) return 0;
    return strides[d - skipped];
  };
  SmallVector<BatchAxis, 4> axes;
  int64_t out = shape[lead] * shape[lead + 1];
  for (size_t d = lead; d-- > 0; out *= shape[d]) {
    if (shape[d] == 1) continue;
    BatchAxis axis{shape[d], step(a, x, d), step(b, y, d), out};
    if (!axes.empty() && axis.x == axes.back().x * axes.back().extent &&
        axis.y == axes.back().y * axes.back().extent) {
      axes.back().extent *= axis.extent;
    } else {
      axes.push_back(axis);
    }
  }
  return axes;
}

// Products with one y whose rows of x follow each other are one product with more rows.
void fold_rows(MatrixProduct& p, SmallVector<BatchAxis, 4>& axes) {
  while (!axes.empty()) {
    const BatchAxis axis = axes.front();
    if (axis.y != 0 || (p.m != 1 && axis.x != p.x.row * p.m)) return;
    if (p.m == 1) p.x.row = axis.x;
    p.m *= axis.extent;
    axes.erase(axes.begin());
  }
}

// A copy without gaps of a matrix that cuBLASLt cannot read as it lies, where it is worth one.
void copy_for_blas(const KernelCall& call, const Operand& operand, Strides& strides,
                   std::optional<Scratch>& copy, const void*& data) {
  const Shape& shape = *operand.shape;
  size_t rank = shape.size();
  MatrixPlace place{data, strides[rank - 2], strides[rank - 1], 0};
  if (!has_blas() || blas_reads(place, shape[rank - 2], shape[rank - 1])) return;
  int64_t item = dtype_of(operand.dtype).size();
  copy.emplace(call.stream, static_cast<size_t>(operand.size() * item));
  copy_dense(call.stream, shape, strides, item, data, copy->data());
  data = copy->data();
  strides = dense_strides(shape);
}

// One product for each index of the outer axes.
void multiply_batches(int stream, MatrixProduct p, const SmallVector<BatchAxis, 4>& axes,
                      int64_t item) {
  if (!axes.empty()) {
    p.batches = axes[0].extent;
    p.x.batch = axes[0].x;
    p.y.batch = axes[0].y;
    p.out_batch = axes[0].out;
  }
  int64_t outer = 1;
  for (size_t d = 1; d < axes.size(); ++d) outer *= axes[d].extent;
  for (int64_t index = 0; index < outer; ++index) {
    MatrixProduct one = p;
    int64_t rest = index, x = 0, y = 0, out = 0;
    for (size_t d = 1; d < axes.size(); ++d) {
      int64_t i = rest % axes[d].extent;
      rest /= axes[d].extent;
      x += i * axes[d].x;
      y += i * axes[d].y;
      out += i * axes[d].out;
    }
    one.x.data = static_cast<const char*>(p.x.data) + x * item;
    one.y.data = static_cast<const char*>(p.y.data) + y * item;
    one.out = static_cast<char*>(p.out) + out * item;
    multiply(stream, one);
  }
}

}  // namespace

void multiply(int stream, const MatrixProduct& product) {
  if (multiply_few_rows(stream, product)) return;
  if (blas_multiply(stream, product)) return;
  multiply_tiles(stream, product);
}

void multiply_in_slices(int stream, const MatrixProduct& product) {
  if (multiply_few_rows(stream, product)) return;  // many threads share a sum
  constexpr int64_t depth = 64;
  const int64_t item = dtype_of(product.dtype).size();
  MatrixProduct part = product;
  for (int64_t at = 0; at < product.k; at += depth) {
    part.k = std::min(depth, product.k - at);
    part.x.data = static_cast<const char*>(product.x.data) + at * product.x.column * item;
    part.y.data = static_cast<const char*>(product.y.data) + at * product.y.row * item;
    part.added = product.added || at > 0;
    if (!blas_multiply(stream, part)) multiply_tiles(stream, part);
  }
}

void multiply_planes(int stream, const PlanesProduct& p) {
  MatrixProduct product{Dtype::Val::bfloat16, p.m, p.n, p.k, 1, {}, {}, p.out, p.out_row, 0, true};
  // The planes of x lie row by row below each other; of each operand two count, but not their
  // tails' product, which is as small as what the third plane holds.
  const int planes[][2] = {{0, 0}, {1, 0}, {0, 1}};
  for (const auto& [x, w] : planes) {
    product.x = {static_cast<const char*>(p.x) + x * p.k * 2, 3 * p.k, 1, 0};
    product.y = {static_cast<const char*>(p.w) + w * p.w_plane * 2, p.w_row, p.w_column, 0};
    multiply(stream, product);
    product.added = true;
  }
}

// Inputs: x [..., M, K], y [..., K, N], of any strides; leading axes broadcast.
void kernel_matmul(const KernelCall& call) {
  const Operand &a = call.inputs[0], &b = call.inputs[1];
  const Shape& shape = *call.output.shape;
  int64_t item = dtype_of(call.output.dtype).size(), rank = static_cast<int64_t>(shape.size());
  MatrixProduct p{};
  p.dtype = call.output.dtype;
  p.m = shape[static_cast<size_t>(rank - 2)];
  p.n = shape.back();
  p.k = a.extent(-1);
  p.batches = 1;
  p.out = device_data(call.output);
  p.out_row = p.n;
  p.out_batch = p.m * p.n;
  if (p.k == 0) {
    LAZULI_CUDA(cuMemsetD8Async, reinterpret_cast<CUdeviceptr>(p.out), 0,
                static_cast<size_t>(call.output.size() * item), queue_of(call.stream).stream());
    return;
  }
  Strides x = strides_of(a), y = strides_of(b);
  std::optional<Scratch> x_copy, y_copy;
  const void *x_data = device_data(a), *y_data = device_data(b);
  copy_for_blas(call, a, x, x_copy, x_data);
  copy_for_blas(call, b, y, y_copy, y_data);
  p.x = {x_data, x[x.size() - 2], x.back(), 0, !x_copy && is_settled(a)};
  p.y = {y_data, y[y.size() - 2], y.back(), 0, !y_copy && is_settled(b)};
  // The strides of axes of extent 1 do not matter, but they would be asked for their alignment.
  if (p.m == 1) p.x.row = 0;
  if (p.n == 1) p.y.column = 0;
  SmallVector<BatchAxis, 4> axes = batch_axes(call, x, y);
  fold_rows(p, axes);
  p.out_batch = p.m * p.n;
  multiply_batches(call.stream, p, axes, item);
}

}  // namespace lazuli::cuda
