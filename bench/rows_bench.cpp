// Softmax and rms_norm over the rows of 4096 x 4096, whose floor is r1w1 of memory_floor_bench, and
// over the short rows of a language model: chains of steps of which each needs the last one's
// result, as layers do. Times of chains are those of one step.
#include <optional>

#include "chains.h"
#include "rows.h"

namespace lazuli::bench {
namespace {

void large_rows() {
  for (const NamedDtype& kind : {float_dtypes[0], float_dtypes[1]}) {
    array x = random_array({side, side}, kind.dtype, 0);
    report("softmax", "lazuli", kind.name, side, measured([&] { softmax(x, -1).eval(); }));
    report("rms_norm", "lazuli", kind.name, side,
           measured([&] { fast::rms_norm(x, std::nullopt, 1e-5f).eval(); }));
  }
}

// Reshaping keeps neighbours from becoming one step.
template <class Layer>
std::vector<double> chain_of_steps(const array& x, Layer layer) {
  constexpr int steps = 100;
  Shape other = {1, x.shape(0), x.shape(1)};
  std::vector<double> times = measured(
      [&] {
        array y = x;
        for (int i = 0; i < steps; ++i) {
          y = layer(y);
          y = reshape(y, i % 2 == 0 ? other : x.shape());
        }
        y.eval();
      },
      row_ms() / 2);
  for (double& ms : times) ms /= steps;
  return times;
}

void short_rows(const std::string& wanted) {
  for (int64_t length : {640, 256}) {
    array weight = random_array({length}, float32, 1);
    for (int64_t rows : {1, 9, 512}) {
      array x = random_array({rows, length}, float32, 0);
      auto measure = [&](const char* op, auto layer) {
        std::string name = fmt::format("{}_{}x{}", op, rows, length);
        if (name.find(wanted) == std::string::npos) return;
        report(name, "lazuli", "f32", length, chain_of_steps(x, layer));
      };
      measure("add", [&](const array& y) { return y + weight; });
      measure("softmax", [](const array& y) { return softmax(y, -1); });
      measure("rms_norm", [&](const array& y) { return fast::rms_norm(y, weight, 1e-5f); });
    }
  }
}

}  // namespace
}  // namespace lazuli::bench

// rows_bench [PART]: with a part of their names, only chains of short rows.
int main(int count, char** arguments) {
  if (count < 2) lazuli::bench::large_rows();
  lazuli::bench::short_rows(count < 2 ? "_" : arguments[1]);
}
