// Without rows: a thread reads a few vectors of every operand, so that all are under way at once,
// then computes and stores. The last elements are done one by one by the first block.
#include "backends/cuda/fused/emitter.h"

namespace lazuli::cuda {
namespace {

class ElementsEmitter : public Emitter {
 public:
  ElementsEmitter(const FusedStep& step, const Variant& variant) : Emitter(step, variant) {}

 private:
  void functions() override {
    sweep();
    open_kernel(elements_threads);
    std::string threads = number(elements_threads);
    line("const index_t count = " + slot(Slots::length) + ", vectors = count / V;");
    line("const index_t first = (index_t)blockIdx.x * (N * " + threads + ");");
    line("if (first + N * " + threads + " <= vectors) sweep<V, N, true>(p, first + threadIdx.x, " +
         threads + ", vectors);");
    line("else sweep<V, N, false>(p, first + threadIdx.x, " + threads + ", vectors);");
    open("if (V > 1 && blockIdx.x == 0 && vectors * V + threadIdx.x < count)");
    line("sweep<1, 1, true>(p, vectors * V + threadIdx.x, 1, count);");
    close();
    close();
  }

  void open_vectors() {
    open_unrolled("for (int n = 0; n < N; ++n)");
    line("const index_t i = (first + n * step) * V;");
    line("if (!Whole && first + n * step >= count) continue;");
  }

  void sweep() {
    open(
        "template <int V, int N, bool Whole> __device__ __forceinline__ void sweep(const "
        "Parameters& p, "
        "index_t first, index_t step, index_t count)");
    constants();
    single_operands("");
    for (uint16_t v = 0; v < count(); ++v) {
      if (is_full_operand(v)) {
        line("Read<" + stored_type(v) + ", V> a" + number(v) + "[N];");
      }
    }
    open_vectors();
    if (needs_coordinates()) coordinates("i", slots_.inner, variant_.inner_rank, "x");
    for (uint16_t v = 0; v < count(); ++v) {
      if (is_full_operand(v)) load(v, pointer(v), "i", "a" + number(v) + "[n]");
    }
    close();
    open_vectors();
    declare_stores(0);
    open_unrolled("for (int e = 0; e < V; ++e)");
    compute(swept(step_, 0, false), 0, false);
    fill_stores(0);
    close();
    stores(0, "i", false);
    close();
    close();
  }
};

}  // namespace

std::string emit_elements(const FusedStep& step, const Variant& variant) {
  return ElementsEmitter(step, variant).run();
}

}  // namespace lazuli::cuda
