// Square matrix products of side 1024 in each float type.
#include "chains.h"
#include "rows.h"

namespace lazuli::bench {
namespace {

void run() {
  constexpr int64_t n = 1024;
  for (const NamedDtype& kind : float_dtypes) {
    array a = random_array({n, n}, kind.dtype, 0), b = random_array({n, n}, kind.dtype, 1);
    report("matmul", "lazuli", kind.name, n, measured([&] { matmul(a, b).eval(); }));
  }
}

}  // namespace
}  // namespace lazuli::bench

int main() { lazuli::bench::run(); }
