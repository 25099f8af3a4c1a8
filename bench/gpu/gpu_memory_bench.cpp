// Rows that the memory bounds: what they reach of the bandwidth of a plain copy. Bytes are counted
// once for each array read and written.
#include "gpu/timing.h"

namespace lazuli::bench {
namespace {

constexpr int64_t columns = 8192;

array chain(const array& x, const array& y) {
  array a = x * y;
  array b = a + x;
  array c = maximum(b, y);
  array d = c * array(0.5f, x.dtype());
  array e = d - x;
  array f = abs(e);
  return f + y;
}

void rows_of(int64_t count, Dtype dtype) {
  std::string kind = short_name(dtype);
  double bytes = static_cast<double>(count) * dtype.size();
  std::string size = "_2^" + std::to_string(static_cast<int>(std::log2(count)));
  array x = random_values({count / columns, columns}, dtype, 1);
  array y = random_values({count / columns, columns}, dtype, 2);
  array weight = random_values({columns}, dtype, 3), bias = random_values({columns}, dtype, 4);
  array picks = random::randint(0, static_cast<int>(count / columns),
                                {static_cast<int>(count / columns)}, int32, random::key(5));
  picks.eval();
  auto measure = [&](const char* name, double moved, auto work) {
    row(name + size, kind, seconds_of(work), moved, "TB/s");
  };
  measure("copy", 2 * bytes, [&] { return copy(x); });
  measure("negate", 2 * bytes, [&] { return negative(x); });
  measure("add", 3 * bytes, [&] { return x + y; });
  measure("chain7", 3 * bytes, [&] { return chain(x, y); });
  measure("sum", bytes, [&] { return sum(x); });
  measure("sum_rows", bytes, [&] { return sum(x, -1); });
  measure("sum_columns", bytes, [&] { return sum(x, 0); });
  measure("softmax", 2 * bytes, [&] { return softmax(x, -1); });
  measure("rms_norm", 2 * bytes, [&] { return fast::rms_norm(x, weight, 1e-5f); });
  measure("layer_norm", 2 * bytes, [&] { return fast::layer_norm(x, weight, bias, 1e-5f); });
  measure("transposed_copy", 2 * bytes, [&] { return copy(transpose(x)); });
  Dtype other = dtype == float32 ? bfloat16 : float32;
  measure("cast", bytes + static_cast<double>(count) * other.size(),
          [&] { return astype(x, other); });
  array line = reshape(x, {count});
  measure("cumsum", 2 * bytes, [&] { return cumsum(line, 0); });
  measure("cumsum_rows", 2 * bytes, [&] { return cumsum(x, -1); });
  measure("take_rows", 2 * bytes, [&] { return take(x, picks, 0); });
}

}  // namespace
}  // namespace lazuli::bench

int main() {
  using namespace lazuli;
  set_default_device(Device::gpu);
  for (int64_t count : {int64_t{1} << 26, int64_t{1} << 28}) {
    for (Dtype dtype : {float32, bfloat16}) {
      try {
        bench::rows_of(count, dtype);
      } catch (const std::exception& error) {
        fmt::print("stopped: {}\n", error.what());
      }
    }
  }
}
