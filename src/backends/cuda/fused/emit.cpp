// The text of a kernel. Every form is made of the same parts: positions, loads, the values of a
// sweep over vectors of elements, stores, and values of whole rows.
#include <algorithm>

#include "backends/cuda/fused/expressions.h"
#include "backends/cuda/fused/variant.h"
#include "backends/cuda/kernel.h"

namespace lazuli::cuda {

using Kind = FusedValue::Kind;

Slots make_slots(const FusedStep& step, const Variant& variant) {
  Slots slots;
  size_t count = step.values.size();
  slots.pointer.assign(count, Slots::none);
  slots.outer_strides = slots.inner_strides = slots.partials = slots.pointer;
  uint16_t next = 4;
  auto take = [&](size_t words) {
    uint16_t at = next;
    next = static_cast<uint16_t>(next + words);
    return at;
  };
  slots.outer = take(3u * variant.outer_rank);
  slots.inner = take(3u * variant.inner_rank);
  for (size_t v = 0; v < count; ++v) {
    const FusedValue& x = step.values[v];
    if (x.kind == Kind::constant || variant.access[v] != Access::none) slots.pointer[v] = take(1);
    if (variant.access[v] != Access::none) {
      slots.outer_strides[v] = take(variant.outer_rank);
      slots.inner_strides[v] = take(variant.inner_rank);
    }
    if (variant.form == Form::row_in_parts && x.kind == Kind::reduce) slots.partials[v] = take(1);
  }
  slots.count = next;
  return slots;
}

std::vector<bool> swept(const FusedStep& step, uint8_t phase, bool keeps_earlier) {
  std::vector<bool> needed(step.values.size(), false);
  auto later_use = [&](uint16_t v) {
    for (const FusedValue& user : step.values) {
      if (user.phase <= phase) continue;
      for (int k = 0; k < user.input_count; ++k) {
        if (user.inputs[k] == v) return true;
      }
    }
    return false;
  };
  for (uint16_t v = static_cast<uint16_t>(step.values.size()); v-- > 0;) {
    const FusedValue& x = step.values[v];
    bool reduces_here = x.kind == Kind::reduce && x.phase == phase;
    bool made_here = x.kind == Kind::compute && x.scope == Scope::full && x.phase == phase;
    if (made_here && (x.output || (keeps_earlier && later_use(v)))) needed[v] = true;
    if (!reduces_here && !needed[v]) continue;
    if (reduces_here) needed[v] = true;
    if (x.kind == Kind::compute && keeps_earlier && x.phase < phase) continue;
    for (int k = 0; k < x.input_count; ++k) {
      if (step.values[x.inputs[k]].scope == Scope::full) needed[x.inputs[k]] = true;
    }
  }
  return needed;
}

namespace {

std::string number(int64_t n) { return std::to_string(n); }
std::string slot(uint16_t at) { return "p.slot[" + number(at) + "]"; }

class Emitter {
 public:
  Emitter(const FusedStep& step, const Variant& variant)
      : step_(step), variant_(variant), slots_(make_slots(step, variant)) {}

  std::string run() {
    line("#include \"fused.cuh\"");
    text_ += definitions(step_);
    line("struct Parameters { uint64_t slot[" + number(slots_.count) + "]; };");
    line(std::string("typedef ") + (variant_.wide_index ? "int64_t" : "uint32_t") + " index_t;");
    line("constexpr int V = " + number(variant_.vector) + ", N = " + number(variant_.vectors) + ";");
    if (variant_.form == Form::elements) elements();
    else rows();
    return std::move(text_);
  }

 private:
  const FusedValue& value(uint16_t v) const { return step_.values[v]; }
  uint16_t count() const { return static_cast<uint16_t>(step_.values.size()); }
  Access access(uint16_t v) const { return variant_.access[v]; }
  bool is_operand(uint16_t v) const { return value(v).kind == Kind::operand; }
  bool is_full_operand(uint16_t v) const {
    return is_operand(v) && access(v) != Access::splat && value(v).scope == Scope::full;
  }
  std::string type(uint16_t v) const { return computed_type(value(v).dtype); }
  std::string stored_type(uint16_t v) const { return device_type(value(v).dtype); }

  void line(const std::string& text) { text_ += std::string(2 * depth_, ' ') + text + "\n"; }
  void open(const std::string& text) {
    line(text + " {");
    ++depth_;
  }
  void close() {
    --depth_;
    line("}");
  }

  // ---- Arguments ----
  void constants() {
    for (uint16_t v = 0; v < count(); ++v) {
      if (value(v).kind != Kind::constant) continue;
      line("const " + type(v) + " v" + number(v) + " = constant<" + type(v) + ">(" +
           slot(slots_.pointer[v]) + ");");
    }
  }
  std::string pointer(uint16_t v) const {
    std::string constness = is_operand(v) ? "const " : "";
    return "(" + constness + stored_type(v) + "*)" + slot(slots_.pointer[v]);
  }

  // Coordinates of `position` along dimensions with the extents at `extents`, as `prefix`0, 1, ...
  void coordinates(const std::string& position, uint16_t extents, int rank,
                   const std::string& prefix) {
    line("index_t " + prefix + "rest = " + position + ";");
    for (int d = rank; d-- > 0;) {
      std::string at = prefix + number(d);
      if (d == 0) {
        line("const index_t " + at + " = " + prefix + "rest;");
        continue;
      }
      uint16_t e = static_cast<uint16_t>(extents + 3 * d);
      std::string q = prefix + "q" + number(d);
      line("const index_t " + q + " = divide<index_t>(" + prefix + "rest, " + slot(e) + ", " +
           slot(static_cast<uint16_t>(e + 1)) + ", " + slot(static_cast<uint16_t>(e + 2)) + ");");
      line("const index_t " + at + " = " + prefix + "rest - " + q + " * (index_t)" + slot(e) + ";");
      line(prefix + "rest = " + q + ";");
    }
  }
  std::string offset(uint16_t strides, int rank, const std::string& prefix) const {
    std::string sum;
    for (int d = 0; d < rank; ++d) {
      sum += (d ? " + " : "") + std::string("(int64_t)") + prefix + number(d) + " * (int64_t)" +
             slot(static_cast<uint16_t>(strides + d));
    }
    return rank ? sum : "0";
  }

  // ---- Elements ----
  // What one thread reads first: vectors of every operand, so that all are under way at once.
  void load(uint16_t v, const std::string& base, const std::string& position,
            const std::string& into) {
    std::string at = number(v);
    switch (access(v)) {
      case Access::direct: line(into + " = load_vector<V>(" + base + " + " + position + ");"); break;
      case Access::vectors:
        line(into + " = load_vector<V>(" + base + " + " + inner_offset(v) + ");");
        break;
      case Access::repeated:
        line(into + " = repeat<V>(" + base + "[" + inner_offset(v) + "]);");
        break;
      default: {
        std::string stride = slot(static_cast<uint16_t>(slots_.inner_strides[v] +
                                                        variant_.inner_rank - 1));
        line(into + " = gather_vector<V>(" + base + " + " + inner_offset(v) + ", (int64_t)" +
             stride + ");");
      }
    }
  }
  std::string inner_offset(uint16_t v) const {
    return offset(slots_.inner_strides[v], variant_.inner_rank, "x");
  }
  bool needs_coordinates() const {
    return std::any_of(variant_.access.begin(), variant_.access.end(),
                       [](Access a) { return a >= Access::strided; });
  }

  // The values of a sweep for element `e` of vector `n`. `arrays`: Full values of earlier phases
  // are in registers.
  void compute(const std::vector<bool>& needed, uint8_t phase, bool arrays) {
    for (uint16_t v = 0; v < count(); ++v) {
      const FusedValue& x = value(v);
      if (!needed[v] || x.kind == Kind::reduce) continue;
      if (is_full_operand(v)) {
        line("const " + type(v) + " v" + number(v) + " = static_cast<" + type(v) + ">(a" +
             number(v) + "[n][e]);");
      } else if (x.kind == Kind::compute && x.scope == Scope::full) {
        if (arrays && x.phase < phase) {
          line("const " + type(v) + " v" + number(v) + " = kept" + number(v) + "[n * V + e];");
          continue;
        }
        std::string inputs[3];
        for (int k = 0; k < x.input_count; ++k) inputs[k] = "v" + number(x.inputs[k]);
        line("const " + type(v) + " v" + number(v) + " = " + apply(step_, v, inputs) + ";");
        if (arrays && used_after(v, phase)) {
          line("kept" + number(v) + "[n * V + e] = v" + number(v) + ";");
        }
      }
    }
  }
  bool used_after(uint16_t v, uint8_t phase) const {
    for (const FusedValue& user : step_.values) {
      if (user.phase <= phase) continue;
      for (int k = 0; k < user.input_count; ++k) {
        if (user.inputs[k] == v) return true;
      }
    }
    return false;
  }
  bool stored_in(uint16_t v, uint8_t phase) const {
    const FusedValue& x = value(v);
    return x.output && x.kind == Kind::compute && x.scope == Scope::full && x.phase == phase;
  }
  void declare_stores(uint8_t phase) {
    for (uint16_t v = 0; v < count(); ++v) {
      if (stored_in(v, phase)) line("Vector<" + stored_type(v) + ", V> o" + number(v) + ";");
    }
  }
  void fill_stores(uint8_t phase) {
    for (uint16_t v = 0; v < count(); ++v) {
      if (!stored_in(v, phase)) continue;
      line("o" + number(v) + "[e] = static_cast<" + stored_type(v) + ">(v" + number(v) + ");");
    }
  }
  void stores(uint8_t phase, const std::string& position, bool row) {
    for (uint16_t v = 0; v < count(); ++v) {
      if (!stored_in(v, phase)) continue;
      std::string base = row ? "b" + number(v) : "(" + pointer(v) + ")";
      line("store_vector(" + base + " + " + position + ", o" + number(v) + ");");
    }
  }

  // ---- Without rows ----
  void elements() {
    open("template <int V, int N> __device__ __forceinline__ void sweep(const Parameters& p, "
         "index_t first, index_t step, index_t count)");
    constants();
    for (uint16_t v = 0; v < count(); ++v) {
      if (!is_operand(v)) continue;
      if (access(v) == Access::splat) {
        line("const " + type(v) + " v" + number(v) + " = static_cast<" + type(v) + ">(*(" +
             pointer(v) + "));");
      } else {
        line("Vector<" + stored_type(v) + ", V> a" + number(v) + "[N];");
      }
    }
    line("#pragma unroll");
    open("for (int n = 0; n < N; ++n)");
    line("const index_t i = (first + n * step) * V;");
    line("if (first + n * step >= count) continue;");
    if (needs_coordinates()) coordinates("i", slots_.inner, variant_.inner_rank, "x");
    for (uint16_t v = 0; v < count(); ++v) {
      if (is_full_operand(v)) load(v, "(" + pointer(v) + ")", "i", "a" + number(v) + "[n]");
    }
    close();
    line("#pragma unroll");
    open("for (int n = 0; n < N; ++n)");
    line("const index_t i = (first + n * step) * V;");
    line("if (first + n * step >= count) continue;");
    declare_stores(0);
    line("#pragma unroll");
    open("for (int e = 0; e < V; ++e)");
    compute(swept(step_, 0, false), 0, false);
    fill_stores(0);
    close();
    stores(0, "i", false);
    close();
    close();
    open("extern \"C\" __global__ void __launch_bounds__(" + number(elements_threads) +
         ") fused_step(const __grid_constant__ Parameters p)");
    line("const index_t count = " + slot(Slots::length) + ", vectors = count / V;");
    line("sweep<V, N>(p, (index_t)blockIdx.x * (N * " + number(elements_threads) +
         ") + threadIdx.x, " + number(elements_threads) + ", vectors);");
    open("if (V > 1 && blockIdx.x == 0 && vectors * V + threadIdx.x < count)");
    line("sweep<1, 1>(p, vectors * V + threadIdx.x, 1, count);");
    close();
    close();
  }

  // ---- Rows ----
  bool in_registers() const { return variant_.form == Form::row_in_registers; }
  bool in_parts() const { return variant_.form == Form::row_in_parts; }

  std::string join(uint16_t v) const { return reduction_name(value(v).op); }

  void rows() {
    open("extern \"C\" __global__ void __launch_bounds__(1024) "
         "fused_step(const __grid_constant__ Parameters p)");
    constants();
    line("const index_t length = " + slot(Slots::length) + ";");
    row_position();
    bases();
    row_operands();
    if (in_registers()) {
      line("const index_t columns = length / V;");
      registers();
    }
    uint8_t last = in_parts() ? variant_.part : step_.phases;
    for (uint8_t phase = 0; phase < step_.phases; ++phase) {
      if (in_parts() && phase > last) break;
      if (in_parts() && phase < last) {
        row_values(phase);
        combine(phase);
      } else {
        row_values(phase);
        sweep_row(phase);
      }
    }
    if (in_parts() && last == step_.phases) finish_rows();
    close();
  }

  void row_position() {
    if (variant_.warp_rows) {
      line("const int thread = threadIdx.x & 31, threads = 32;");
      line("const index_t row = (index_t)blockIdx.x * " + number(warp_rows_per_block) +
           " + threadIdx.x / 32;");
      line("if (row >= (index_t)" + slot(Slots::rows) + ") return;");
    } else {
      line("const int thread = threadIdx.x, threads = blockDim.x;");
      line("const index_t row = " + std::string(in_parts() ? "blockIdx.y" : "blockIdx.x") + ";");
    }
    if (variant_.outer_rank > 0) coordinates("row", slots_.outer, variant_.outer_rank, "r");
  }

  // Where the row starts in every value in memory.
  void bases() {
    for (uint16_t v = 0; v < count(); ++v) {
      if (access(v) == Access::none) continue;
      std::string constness = is_operand(v) ? "const " : "";
      line(constness + stored_type(v) + "* const b" + number(v) + " = (" + pointer(v) + ") + (" + offset(slots_.outer_strides[v], variant_.outer_rank, "r") + ");");
    }
  }
  void row_operands() {
    for (uint16_t v = 0; v < count(); ++v) {
      if (!is_operand(v) || is_full_operand(v)) continue;
      line("const " + type(v) + " v" + number(v) + " = static_cast<" + type(v) + ">(*b" +
           number(v) + ");");
    }
  }

  // The row's operands, read at once, and what later phases need.
  void registers() {
    for (uint16_t v = 0; v < count(); ++v) {
      const FusedValue& x = value(v);
      if (is_full_operand(v)) {
        line("Vector<" + stored_type(v) + ", V> a" + number(v) + "[N];");
      } else if (x.kind == Kind::compute && x.scope == Scope::full && used_after(v, x.phase)) {
        line(type(v) + " kept" + number(v) + "[N * V];");
      }
    }
    line("#pragma unroll");
    open("for (int n = 0; n < N; ++n)");
    column();
    line("const index_t j = c * V;");
    load_row();
    close();
  }
  void load_row() {
    if (needs_coordinates()) coordinates("j", slots_.inner, variant_.inner_rank, "x");
    for (uint16_t v = 0; v < count(); ++v) {
      if (is_full_operand(v) && (in_registers() || loaded_[v])) {
        load(v, "b" + number(v), "j", "a" + number(v) + "[n]");
      }
    }
  }

  // Row values of a phase: reductions of earlier phases are known.
  void row_values(uint8_t phase) {
    for (uint16_t v = 0; v < count(); ++v) {
      const FusedValue& x = value(v);
      if (x.kind != Kind::compute || x.scope != Scope::row || x.phase != phase) continue;
      std::string inputs[3];
      for (int k = 0; k < x.input_count; ++k) inputs[k] = "v" + number(x.inputs[k]);
      line("const " + type(v) + " v" + number(v) + " = " + apply(step_, v, inputs) + ";");
      bool here = !in_parts() || variant_.part == step_.phases;
      if (x.output && here) store_row_value(v);
    }
  }
  void store_row_value(uint16_t v) {
    line("if (thread == 0) *b" + number(v) + " = static_cast<" + stored_type(v) + ">(v" +
         number(v) + ");");
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
    if (!in_registers()) open_row_loop(needed);
    line("#pragma unroll");
    open("for (int n = 0; n < N; ++n)");
    column();
    line("const index_t j = c * V;");
    declare_stores(phase);
    line("#pragma unroll");
    open("for (int e = 0; e < V; ++e)");
    compute(needed, phase, in_registers());
    for (uint16_t v : reductions(phase)) {
      line("s" + number(v) + " = " + join(v) + "::join(s" + number(v) + ", convert<" + type(v) +
           ">(v" + number(value(v).inputs[0]) + "));");
    }
    fill_stores(phase);
    close();
    stores(phase, "j", true);
    close();
    if (!in_registers()) {
      close();
      close();
    }
    for (uint16_t v : reductions(phase)) reduced(v);
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
    line("{");
    ++depth_;
    std::string part = in_parts() ? "(index_t)" + slot(Slots::part_length) : "length / V";
    line("const index_t begin = " + std::string(in_parts() ? "blockIdx.x * " + part : "0") + ";");
    line("const index_t end = begin + " + part + " < length / V ? begin + " + part +
         " : length / V;");
    open("for (index_t at = begin + thread; at < end; at += N * threads)");
    for (uint16_t v = 0; v < count(); ++v) {
      if (needed[v] && is_full_operand(v)) {
        line("Vector<" + stored_type(v) + ", V> a" + number(v) + "[N];");
      }
    }
    line("#pragma unroll");
    open("for (int n = 0; n < N; ++n)");
    column();
    line("const index_t j = c * V;");
    load_row();
    close();
  }

  void reduced(uint16_t v) {
    std::string reduce = variant_.warp_rows ? "warp_reduce<" : "block_reduce<";
    line("const " + type(v) + " v" + number(v) + " = " + reduce + join(v) + ">(s" + number(v) +
         ");");
    if (in_parts()) {
      line("if (thread == 0) ((" + type(v) + "*)" + slot(slots_.partials[v]) + ")[row * gridDim.x + "
           "blockIdx.x] = v" + number(v) + ";");
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

  const FusedStep& step_;
  const Variant& variant_;
  const Slots slots_;
  std::vector<bool> loaded_;
  std::string text_;
  int depth_ = 0;
};

}  // namespace

std::string emit(const FusedStep& step, const Variant& variant) {
  return Emitter(step, variant).run();
}

}  // namespace lazuli::cuda
