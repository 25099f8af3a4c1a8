// Affine quantisation and products with affine levels.
#include <algorithm>
#include <optional>

#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/kernels/levels/level_rows.h"
#include "backends/cuda/kernels/products/matmul.h"
#include "lazuli/error.h"
#include "ops/table/params.h"

namespace lazuli::cuda {
namespace {

constexpr int64_t columns_rows_max = 8;

size_t bits_slot(int64_t bits) { return static_cast<size_t>(bits == 8 ? 5 : bits - 2); }

constexpr int bits_at[] = {2, 3, 4, 5, 6, 8}, groups_at[] = {32, 64, 128};

// By bits and dtype.
constexpr size_t typed_count = std::size(bits_at) * float_count;
size_t typed_slot(int64_t bits, Dtype::Val dtype) {
  return bits_slot(bits) * float_count + float_slot(dtype);
}
FunctionTable<typed_count> dequantizes("affine.cu", [](size_t slot) {
  return instance_name("affine_dequantize", {std::to_string(bits_at[slot / float_count]),
                                             device_type(float_types[slot % float_count])});
});
FunctionTable<typed_count * 4> columns("affine.cu", [](size_t slot) {
  return instance_name("quantized_columns", {std::to_string(bits_at[slot / 4 / float_count]),
                                             device_type(float_types[slot / 4 % float_count]),
                                             std::to_string(1 << slot % 4)});
});
FunctionTable<std::size(groups_at) * float_count> quantizes("affine.cu", [](size_t slot) {
  return instance_name("affine_quantize", {std::to_string(groups_at[slot / float_count]),
                                           device_type(float_types[slot % float_count])});
});

LaunchShape shape_for(int64_t threads) {
  int64_t blocks = std::min<int64_t>(ceil_div(threads, 256), gpu().multiprocessors * 32);
  return {{static_cast<unsigned>(blocks)}, {256}};
}

// Levels and what belongs to them, where they lie: [rows, columns], all leading axes as rows.
struct Levels {
  const char *w, *scales, *biases;
  int64_t rows, columns;
  int bits, group;
  Dtype::Val dtype;

  int64_t row_bytes() const { return columns * bits / 8; }
  // The same from row `row` on.
  Levels from(int64_t row) const {
    int64_t groups = row * (columns / group) * dtype_of(dtype).size();
    Levels rest = *this;
    rest.w += row * row_bytes();
    rest.scales += groups;
    rest.biases += groups;
    return rest;
  }
};

Levels levels_of(const Operand& w, const Operand& scales, const Operand& biases, int64_t group,
                 int64_t bits) {
  int64_t words = w.extent(-1), columns = words * 32 / bits;
  return {device_data<const char>(w),
          device_data<const char>(scales),
          device_data<const char>(biases),
          words ? w.size() / words : 0,
          columns,
          static_cast<int>(bits),
          static_cast<int>(group),
          scales.dtype};
}

void dequantize(int stream, const Levels& levels, int64_t rows, void* out) {
  const Function& function = dequantizes.at(typed_slot(levels.bits, levels.dtype));
  int64_t eights = rows * levels.columns / 8;
  launch(stream, function, shape_for(eights), levels.w, levels.scales, levels.biases, levels.group,
         eights, out);
}

// x [m, k] times the levels as a dense matrix, made in slices of its rows.
void multiply_dense(const LevelProduct& product, const Levels& levels, bool transpose) {
  int64_t item = dtype_of(product.dtype).size(), all = levels.rows * levels.columns;
  // Products with slices of the inner axis would have to be added: then all of it is one slice.
  int64_t rows = transpose ? dense_slice_rows(levels.rows, levels.columns * item) : levels.rows;
  Scratch dense(product.stream, static_cast<size_t>(std::min(all, rows * levels.columns) * item));
  for (int64_t first = 0; first < levels.rows; first += rows) {
    int64_t count = std::min(rows, levels.rows - first);
    dequantize(product.stream, levels.from(first), count, dense.data());
    char* out = static_cast<char*>(product.out) + (transpose ? first * item : 0);
    MatrixPlace w = transpose ? MatrixPlace{dense.data(), 1, product.k, 0}
                              : MatrixPlace{dense.data(), levels.columns, 1, 0};
    MatrixProduct dense{product.dtype,
                        product.m,
                        transpose ? count : product.columns,
                        product.k,
                        1,
                        {product.x, product.k, 1, 0},
                        w,
                        out,
                        product.columns,
                        0};
    product.exact ? multiply_in_slices(product.stream, dense) : multiply(product.stream, dense);
  }
}

// As in affine.cu.
struct QuantizedColumns {
  const void* x;
  const void *w, *scales, *biases;
  void* out;
  int m, group;
  int64_t n, k;
};

void multiply_columns(const LevelProduct& product, const Levels& levels) {
  size_t rows = product.m <= 1 ? 0 : product.m <= 2 ? 1 : product.m <= 4 ? 2 : 3;
  launch(product.stream, columns.at(typed_slot(levels.bits, levels.dtype) * 4 + rows),
         {{static_cast<unsigned>(ceil_div(product.columns, 64))}, {32, 16}},
         QuantizedColumns{product.x, levels.w, levels.scales, levels.biases, product.out,
                          static_cast<int>(product.m), levels.group, product.columns, product.k});
}

}  // namespace

// Input: w.
void kernel_affine_quantize(const KernelCall& call) {
  const Operand& w = call.inputs[0];
  auto [part, group, bits] = params<AffineQuantizeParams>(call.node);
  size_t of = group == 32 ? 0 : group == 64 ? 1 : 2;
  const Function& function = quantizes.at(of * float_count + float_slot(w.dtype));
  int64_t groups = w.size() / group;
  launch(call.stream, function, shape_for(groups * 32), device_data(w), groups, bits, part,
         device_data(call.output));
}

// Inputs: levels, scales, biases.
void kernel_affine_dequantize(const KernelCall& call) {
  const auto& in = call.inputs;
  auto [group, bits] = params<AffineDequantizeParams>(call.node);
  std::optional<Scratch> copy;
  Levels levels = levels_of(in[0], in[1], in[2], group, bits);
  levels.w = static_cast<const char*>(aligned_data(call.stream, in[0], 8, copy));
  dequantize(call.stream, levels, levels.rows, device_data(call.output));
}

// Inputs: x, levels, scales, biases.
void kernel_quantized_matmul(const KernelCall& call) {
  const auto& in = call.inputs;
  auto [group, bits, transpose] = params<QuantizedMatmulParams>(call.node);
  std::optional<Scratch> x_copy, w_copy;
  Levels levels = levels_of(in[1], in[2], in[3], group, bits);
  levels.w = static_cast<const char*>(aligned_data(call.stream, in[1], 8, w_copy));
  int64_t k = in[0].extent(-1);
  LevelProduct product{call.stream,
                       in[0].dtype,
                       nullptr,
                       k ? in[0].size() / k : 0,
                       k,
                       device_data(call.output),
                       call.output.extent(-1),
                       in[0].dtype == Dtype::Val::float32};
  if (k == 0) {
    LAZULI_CUDA(cuMemsetD8Async, reinterpret_cast<CUdeviceptr>(product.out), 0,
                static_cast<size_t>(call.output.size() * dtype_of(in[0].dtype).size()),
                queue_of(call.stream).stream());
    return;
  }
  product.x = aligned_data(call.stream, in[0], 16, x_copy);
  if (!transpose) {
    if (product.m <= columns_rows_max) return multiply_columns(product, levels);
    return multiply_dense(product, levels, false);
  }
  bool aligned = reinterpret_cast<uintptr_t>(levels.w) % 16 == 0 && levels.row_bytes() % 16 == 0;
  bool settled = !w_copy && is_settled(in[1]) && is_settled(in[2]) && is_settled(in[3]);
  LevelPart part{levels.w, levels.scales, levels.biases, levels.rows, 0, settled};
  LevelFormat format = LevelFormat::affine(levels.bits, levels.group, aligned);
  if (multiply_level_rows(product, format, levels.row_bytes(), &part, 1)) return;
  multiply_dense(product, levels, true);
}

}  // namespace lazuli::cuda
