// Softmax and rms_norm over the rows of 4096 x 4096. The floor of each is r1w1 of
// memory_floor_bench.
#include <optional>

#include "chains.h"
#include "rows.h"

namespace lazuli::bench {
namespace {

void run() {
  for (const NamedDtype& kind : {float_dtypes[0], float_dtypes[1]}) {
    array x = random_array({side, side}, kind.dtype, 0);
    report("softmax", "lazuli", kind.name, side, measured([&] { softmax(x, -1).eval(); }));
    report("rms_norm", "lazuli", kind.name, side,
           measured([&] { fast::rms_norm(x, std::nullopt, 1e-5f).eval(); }));
  }
}

}  // namespace
}  // namespace lazuli::bench

int main() { lazuli::bench::run(); }
