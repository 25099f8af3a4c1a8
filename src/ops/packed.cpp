// Products and rows of packed weights.
#include "lazuli/packed.h"

#include "lazuli/ops.h"
#include "ops/record.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

// The number of weights in a row of packed bytes.
int64_t row_elements(const char* op, const array& w, PackedFormat format) {
  const PackedFormatInfo& info = packed_format_info(format);
  if (w.dtype() != uint8 || w.ndim() == 0 || w.shape(-1) % info.block_bytes) {
    throw ArgumentError("[" + std::string(op) + "] " + describe(w) +
                        " does not hold whole blocks of " + info.name + " (" +
                        std::to_string(info.block_bytes) + " bytes each).");
  }
  return w.shape(-1) / info.block_bytes * info.block_elements;
}

void check_float(const char* op, Dtype dtype) {
  if (dtype != float32 && dtype != bfloat16 && dtype != float16) {
    throw TypeError("[" + std::string(op) + "] float32, bfloat16 or float16 is needed, not " +
                    dtype_name(dtype) + ".");
  }
}

}  // namespace

array packed_matmul(const array& x, const std::vector<PackedMatrix>& matrices, Precision precision,
                    StreamOrDevice s) {
  if (matrices.empty()) throw ArgumentError("[packed_matmul] At least one matrix is needed.");
  check_float("packed_matmul", x.dtype());
  Shape shape = x.shape();
  int64_t columns = 0;
  std::vector<array> inputs = {x};
  SmallVector<int64_t> formats;
  for (const PackedMatrix& m : matrices) {
    int64_t k = row_elements("packed_matmul", m.w, m.format);
    if (m.w.ndim() != 2 || x.ndim() == 0 || x.shape(-1) != k) {
      throw ArgumentError("[packed_matmul] " + describe(x) + " does not fit packed weights of " +
                          std::to_string(k) + " columns (" + describe(m.w) + ").");
    }
    columns += m.w.shape(0);
    inputs.push_back(m.w);
    formats.push_back(static_cast<int64_t>(m.format));
  }
  shape.back() = columns;
  return record(Op::packed_matmul, x.dtype(), std::move(shape), inputs,
                encode(PackedMatmulParams{formats, precision}), to_stream(s));
}

array packed_matmul(const array& x, const array& w, PackedFormat format, Precision precision,
                    StreamOrDevice s) {
  return packed_matmul(x, {{w, format}}, precision, s);
}

array packed_take(const array& w, PackedFormat format, const array& indices, Dtype dtype,
                  StreamOrDevice s) {
  int64_t k = row_elements("packed_take", w, format);
  check_float("packed_take", dtype);
  if (w.ndim() != 2) throw ArgumentError("[packed_take] " + describe(w) + " is not a matrix.");
  if (!issubdtype(indices.dtype(), integer)) {
    throw TypeError("[packed_take] Indices are integers, not " + describe(indices) + ".");
  }
  array index = astype(indices, int64, s);
  Shape shape = indices.shape();
  shape.push_back(k);
  return record(Op::packed_take, dtype, std::move(shape), {&w, &index},
                encode(PackedParams{format}), to_stream(s));
}

array packed_dequantize(const array& w, PackedFormat format, Dtype dtype, StreamOrDevice s) {
  check_float("packed_dequantize", dtype);
  Shape shape = w.shape();
  int64_t k = row_elements("packed_dequantize", w, format);
  shape.back() = k;
  return record(Op::packed_dequantize, dtype, std::move(shape), {&w}, encode(PackedParams{format}),
                to_stream(s));
}

}  // namespace lazuli
