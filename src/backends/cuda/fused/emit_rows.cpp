// Rows: sweeps over a row, one for each phase, with reductions between them. A row is held in the
// registers of a warp or block; a long one is gone over again for each phase; of few long rows,
// blocks take parts, and the next launch joins what they have left.
#include <algorithm>

#include "backends/cuda/fused/emitter.h"

namespace lazuli::cuda {
namespace {

class RowsEmitter : public Emitter {
 public:
  // `x`: the value that products follow, or `none`.
  static constexpr uint16_t none = 0xffff;
  RowsEmitter(const FusedStep& step, const Variant& variant, uint16_t x)
      : Emitter(step, variant), x_(x) {}

 private:
  bool in_registers() const { return variant_.form == Form::row_in_registers; }
  bool before_products() const { return x_ != none; }
  bool in_parts() const { return variant_.form == Form::row_in_parts; }

  std::string block() const { return variant_.joined ? "block" : "blockIdx.x"; }
  std::string join(uint16_t v) const { return reduction_name(value(v).op); }

  void functions() override {
    if (before_products()) open_row_of_products();
    else open_kernel(variant_.threads);
    constants();
    line("const index_t length = " + slot(Slots::length) + ";");
    row_position();
    bases();
    single_operands("b");
    if (in_registers()) {
      line("const index_t columns = length / V;");
      registers();
    }
    uint8_t last = in_parts() ? variant_.part : step_.phases;
    for (uint8_t phase = 0; phase < step_.phases; ++phase) {
      if (in_parts() && phase > last) break;
      if (in_parts() && phase < last) {
        row_values(phase);
        inverses(phase);
        combine(phase);
      } else {
        row_values(phase);
        inverses(phase);
        sweep_row(phase);
      }
    }
    if (in_parts() && last == step_.phases) finish_rows();
    if (before_products()) close_row_of_products();
    else close();
  }

  void open_row_of_products() {
    std::string type = stored_type(x_);
    open("__device__ __forceinline__ const " + type + "* make_row(const Parameters& p)");
    line("extern __shared__ uint4 row_memory[];");
    line(type + "* const made = reinterpret_cast<" + type + "*>(row_memory);");
  }
  void close_row_of_products() {
    line("__syncthreads();");
    line("return made;");
    close();
  }

  void row_position() {
    if (variant_.warp_rows) {
      line("const int thread = threadIdx.x & 31, threads = 32;");
      line("const index_t row = (index_t)" + block() + " * " + number(warp_rows_per_block) +
           " + threadIdx.x / 32;");
      line("if (row >= (index_t)" + slot(Slots::rows) + ") return;");
    } else if (before_products()) {
      line("const int thread = threadIdx.x, threads = blockDim.x;");
      line("const index_t row = 0;");
      line("const bool writes = blockIdx.x == 0;");
    } else {
      line("const int thread = threadIdx.x, threads = blockDim.x;");
      line("const index_t row = " + std::string(in_parts() ? "blockIdx.y" : block()) + ";");
    }
    if (variant_.outer_rank > 0) coordinates("row", slots_.outer, variant_.outer_rank, "r");
  }

  // Where the row starts in every value in memory.
  void bases() {
    for (uint16_t v = 0; v < count(); ++v) {
      if (access(v) == Access::none) continue;
      std::string constness = is_operand(v) ? "const " : "";
      line(constness + stored_type(v) + "* const b" + number(v) + " = " + pointer(v) + " + " +
           offset(slots_.outer_strides[v], variant_.outer_rank, "r") + ";");
    }
  }

  // Whether an operand that all rows share is needed in the last phase alone: it is read there,
  // from a cache, so that registers are left for what comes from far away.
  bool is_late(uint16_t v) const {
    if (!in_registers() || access(v) != Access::common || step_.phases < 2) return false;
    for (uint8_t phase = 0; phase + 1 < step_.phases; ++phase) {
      if (swept(step_, phase, true)[v]) return false;
    }
    return true;
  }

  // The row's operands, read at once, and what later phases need.
  void registers() {
    for (uint16_t v = 0; v < count(); ++v) {
      if (is_full_operand(v)) {
        line("Read<" + stored_type(v) + ", V> a" + number(v) + "[N];");
      } else if (is_kept(step_, v)) {
        line(type(v) + " kept" + number(v) + "[N * V];");
      }
    }
    open_unrolled("for (int n = 0; n < N; ++n)");
    column();
    line("const index_t j = c * V;");
    load_row();
    close();
  }
  void load_row() {
    if (needs_coordinates()) coordinates("j", slots_.inner, variant_.inner_rank, "x");
    for (uint16_t v = 0; v < count(); ++v) {
      if (is_full_operand(v) && (in_registers() ? !is_late(v) : loaded_[v])) {
        load(v, "b" + number(v), "j", "a" + number(v) + "[n]");
      }
    }
  }

  // Row values of a phase: reductions of earlier phases are known.
  void row_values(uint8_t phase) {
    for (uint16_t v = 0; v < count(); ++v) {
      const FusedValue& x = value(v);
      if (x.kind != Kind::compute || x.scope != Scope::row || x.phase != phase) continue;
      line(applied(v));
      bool here = !in_parts() || variant_.part == step_.phases;
      if (x.output && here) store_row_value(v);
    }
  }
  void store_row_value(uint16_t v) {
    line("if (thread == 0" + std::string(before_products() ? " && writes" : "") + ") *b" +
         number(v) + " = static_cast<" + stored_type(v) + ">(v" + number(v) + ");");
  }
  std::vector<uint16_t> reductions(uint8_t phase) const {
    std::vector<uint16_t> found;
    for (uint16_t v = 0; v < count(); ++v) {
      if (value(v).kind == Kind::reduce && value(v).phase == phase) found.push_back(v);
    }
    return found;
  }

  void sweep_row(uint8_t phase) {
    std::vector<bool> needed = swept(step_, phase, in_registers());
    if (std::find(needed.begin(), needed.end(), true) == needed.end()) return;
    for (uint16_t v : reductions(phase)) {
      line(type(v) + " s" + number(v) + " = " + join(v) + "::none<" + type(v) + ">();");
    }
    loaded_ = needed;
    // In a loop, each turn adds up apart: a sum of many values must not lose the small ones.
    std::string sum = in_registers() ? "s" : "t";
    if (!in_registers()) {
      open_row_loop(needed);
      for (uint16_t v : reductions(phase)) {
        line(type(v) + " t" + number(v) + " = " + join(v) + "::none<" + type(v) + ">();");
      }
    }
    open_unrolled("for (int n = 0; n < N; ++n)");
    column();
    line("const index_t j = c * V;");
    for (uint16_t v = 0; v < count(); ++v) {
      if (needed[v] && is_full_operand(v) && is_late(v)) {
        load(v, "b" + number(v), "j", "a" + number(v) + "[n]");
      }
    }
    declare_stores(phase);
    open_unrolled("for (int e = 0; e < V; ++e)");
    compute(needed, phase, in_registers());
    for (uint16_t v : reductions(phase)) {
      line(sum + number(v) + " = " + join(v) + "::join(" + sum + number(v) + ", convert<" +
           type(v) + ">(v" + number(value(v).inputs[0]) + "));");
    }
    fill_stores(phase);
    close();
    if (before_products()) store_before_products(phase);
    else stores(phase, "j", true);
    close();
    if (!in_registers()) {
      for (uint16_t v : reductions(phase)) {
        std::string s = "s" + number(v);
        line(s + " = " + join(v) + "::join(" + s + ", t" + number(v) + ");");
      }
      close();
      close();
    }
    for (uint16_t v : reductions(phase)) reduced(v);
  }

  void store_before_products(uint8_t phase) {
    if (stored_in(x_, phase)) line("store_vector(made + j, o" + number(x_) + ");");
    bool any = false;
    for (uint16_t v = 0; v < count(); ++v) any |= stored_in(v, phase);
    if (!any) return;
    open("if (writes)");
    stores(phase, "j", true);
    close();
  }

  // Column `c` of the n-th vector of this thread; skips what is not there.
  void column() {
    if (in_registers()) {
      line("const index_t c = thread + n * threads;");
      if (!variant_.exact) line("if (c >= columns) continue;");
    } else {
      line("const index_t c = at + n * threads;");
      line("if (c >= end) continue;");
    }
  }

  // Over a long row, or the block's part of it; N vectors of each operand are read at once.
  void open_row_loop(const std::vector<bool>& needed) {
    open("");
    std::string part = in_parts() ? "(index_t)" + slot(Slots::part_length) : "length / V";
    line("const index_t begin = " + std::string(in_parts() ? "blockIdx.x * " + part : "0") + ";");
    line("const index_t end = begin + " + part + " < length / V ? begin + " + part +
         " : length / V;");
    open("for (index_t at = begin + thread; at < end; at += N * threads)");
    for (uint16_t v = 0; v < count(); ++v) {
      if (needed[v] && is_full_operand(v)) {
        line("Read<" + stored_type(v) + ", V> a" + number(v) + "[N];");
      }
    }
    open_unrolled("for (int n = 0; n < N; ++n)");
    column();
    line("const index_t j = c * V;");
    load_row();
    close();
  }

  void reduced(uint16_t v) {
    std::string reduce = variant_.warp_rows ? "warp_reduce<" : "block_reduce<";
    line(declared(v) + reduce + join(v) + ">(s" + number(v) + ");");
    if (in_parts()) {
      line("if (thread == 0) ((" + type(v) + "*)" + slot(slots_.partials[v]) +
           ")[row * gridDim.x + "
           "blockIdx.x] = v" +
           number(v) + ";");
    } else if (value(v).output) {
      store_row_value(v);
    }
  }

  // The reductions of an earlier phase, from the parts that all blocks have left.
  void combine(uint8_t phase) {
    for (uint16_t v : reductions(phase)) {
      line(type(v) + " s" + number(v) + " = " + join(v) + "::none<" + type(v) + ">();");
      open("for (int k = thread; k < (int)" + slot(Slots::parts) + "; k += threads)");
      line("s" + number(v) + " = " + join(v) + "::join(s" + number(v) + ", ((const " + type(v) +
           "*)" + slot(slots_.partials[v]) + ")[row * (index_t)" + slot(Slots::parts) + " + k]);");
      close();
      line("const " + type(v) + " v" + number(v) + " = block_reduce<" + join(v) + ">(s" +
           number(v) + ");");
    }
  }
  void finish_rows() {
    for (uint16_t v = 0; v < count(); ++v) {
      if (value(v).kind == Kind::reduce && value(v).output) store_row_value(v);
    }
  }

  const uint16_t x_;
  std::vector<bool> loaded_;
};

}  // namespace

std::string emit_rows(const FusedStep& step, const Variant& variant) {
  return RowsEmitter(step, variant, RowsEmitter::none).run();
}

std::string emit_make_row(const FusedStep& step, const Variant& variant, uint16_t x) {
  return RowsEmitter(step, variant, x).body();
}

}  // namespace lazuli::cuda
