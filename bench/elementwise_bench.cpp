// Chains of elementwise operations written as plain calls: 2^24 elements, two arrays in, one out.
// The floor of each row is r2w1 of memory_floor_bench; with an intermediate held, r2w2.
#include <functional>
#include <string>
#include <vector>

#include "chains.h"
#include "rows.h"

namespace lazuli::bench {
namespace {

using Chain = std::function<array(const array&, const array&)>;

void plain(const char* name, const NamedDtype& kind, const Chain& chain) {
  array a = random_array({elements}, kind.dtype, 0), b = random_array({elements}, kind.dtype, 1);
  report(name, "lazuli", kind.name, elements, measured([&] { chain(a, b).eval(); }));
}

// The value inside tanh(...) stays in use, so the fused step has two outputs.
void held(const NamedDtype& kind) {
  array a = random_array({elements}, kind.dtype, 0), b = random_array({elements}, kind.dtype, 1);
  report("chain_tanh_held", "lazuli", kind.name, elements, measured([&] {
           array kept = tanh(a * b + a);
           array y = kept * sigmoid(b) - a * one_half(a) + b;
           eval(y, kept);
         }));
}

// Another size at each call, close to 2^24.
void sizes(const NamedDtype& kind) {
  std::vector<std::pair<array, array>> inputs;
  for (int64_t i = 0; i < 5; ++i) {
    Shape shape{elements - i * 4099};
    inputs.emplace_back(random_array(shape, kind.dtype, 0), random_array(shape, kind.dtype, 1));
  }
  size_t turn = 0;
  report("chain_tanh_sizes", "lazuli", kind.name, elements, measured([&] {
           const auto& [a, b] = inputs[turn++ % inputs.size()];
           chain_tanh(a, b).eval();
         }));
}

void run() {
  for (const NamedDtype& kind : float_dtypes) {
    plain("add", kind, [](const array& a, const array& b) { return a + b; });
    plain("chain_tanh", kind, chain_tanh);
    held(kind);
    sizes(kind);
    plain("chain_8", kind, chain_8);
  }
}

}  // namespace
}  // namespace lazuli::bench

int main() { lazuli::bench::run(); }
