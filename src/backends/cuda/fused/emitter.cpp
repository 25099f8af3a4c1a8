#include "backends/cuda/fused/emitter.h"

#include <algorithm>

#include "backends/cuda/kernel.h"

namespace lazuli::cuda {

std::string Emitter::run() { return "#include \"fused.cuh\"\n" + definitions({&step_}) + body(); }

std::string Emitter::body() {
  line("struct Parameters { uint64_t slot[" + number(slots_.count) + "]; };");
  line(std::string("typedef ") + (variant_.wide_index ? "int64_t" : "uint32_t") + " index_t;");
  line("static constexpr int V = " + number(variant_.vector) + ", N = " + number(variant_.vectors) +
       ";");
  functions();
  return std::move(text_);
}

std::string Emitter::stored_type(uint16_t v) const { return device_type(value(v).dtype); }

void Emitter::open_kernel(int threads) {
  std::string takes = variant_.joined ? "Joined both" : "Parameters p";
  if (variant_.joined) line("struct Joined { Parameters step[2]; uint64_t first; };");
  open("extern \"C\" __global__ void __launch_bounds__(" + number(threads) +
       ") fused_step(const __grid_constant__ " + takes + ")");
  line("start_after_earlier();");
  if (!variant_.joined) return;
  line("const bool later = blockIdx.x >= (uint32_t)both.first;");
  line("const Parameters& p = both.step[later];");
  line("const uint32_t block = blockIdx.x - (later ? (uint32_t)both.first : 0);");
}

void Emitter::constants() {
  for (uint16_t v = 0; v < count(); ++v) {
    if (value(v).kind != Kind::constant) continue;
    line(declared(v) + "constant<" + type(v) + ">(" + slot(slots_.pointer[v]) + ");");
  }
}

std::string Emitter::pointer(uint16_t v) const {
  std::string constness = is_operand(v) ? "const " : "";
  return "((" + constness + stored_type(v) + "*)" + slot(slots_.pointer[v]) + ")";
}

void Emitter::single_operands(const char* base) {
  for (uint16_t v = 0; v < count(); ++v) {
    if (!is_operand(v) || is_full_operand(v)) continue;
    std::string from = *base ? base + number(v) : pointer(v);
    line(declared(v) + "static_cast<" + type(v) + ">(*" + from + ");");
  }
}

void Emitter::coordinates(const std::string& position, uint16_t extents, int rank,
                          const std::string& prefix) {
  line("index_t " + prefix + "rest = " + position + ";");
  for (int d = rank; d-- > 0;) {
    std::string at = prefix + number(d);
    if (d == 0) {
      line("const index_t " + at + " = " + prefix + "rest;");
      continue;
    }
    int e = extents + 3 * d;
    std::string q = prefix + "q" + number(d);
    line("const index_t " + q + " = divide<index_t>(" + prefix + "rest, " + slot(e) + ", " +
         slot(e + 1) + ", " + slot(e + 2) + ");");
    line("const index_t " + at + " = " + prefix + "rest - " + q + " * (index_t)" + slot(e) + ";");
    line(prefix + "rest = " + q + ";");
  }
}

std::string Emitter::offset(uint16_t strides, int rank, const std::string& prefix) const {
  std::string sum = "(";
  for (int d = 0; d < rank; ++d) {
    sum += (d ? " + " : "") + std::string("(int64_t)") + prefix + number(d) + " * (int64_t)" +
           slot(strides + d);
  }
  return rank ? sum + ")" : "0";
}

bool Emitter::needs_coordinates() const {
  return std::any_of(variant_.access.begin(), variant_.access.end(),
                     [](Access a) { return a >= Access::strided; });
}

void Emitter::load(uint16_t v, const std::string& base, const std::string& position,
                   const std::string& into) {
  switch (access(v)) {
    case Access::direct:
    case Access::common: return line(into + ".load(" + base + " + " + position + ");");
    case Access::vectors: return line(into + ".load(" + base + " + " + inner_offset(v) + ");");
    case Access::repeated:
      return line("repeat(" + into + ", " + base + "[" + inner_offset(v) + "]);");
    default: {
      std::string stride = slot(slots_.inner_strides[v] + variant_.inner_rank - 1);
      line("gather_vector(" + into + ", " + base + " + " + inner_offset(v) + ", (int64_t)" +
           stride + ");");
    }
  }
}

std::string Emitter::applied(uint16_t v) const {
  std::string inputs[4];
  for (int k = 0; k < value(v).input_count; ++k) inputs[k] = name(value(v).inputs[k]);
  if (divides_by_row(v)) inputs[3] = "inverse" + number(value(v).inputs[1]);
  return declared(v) + apply(step_, v, inputs) + ";";
}

void Emitter::compute(const std::vector<bool>& needed, uint8_t phase, bool kept) {
  for (uint16_t v = 0; v < count(); ++v) {
    const FusedValue& x = value(v);
    if (!needed[v]) continue;
    if (is_full_operand(v) && access(v) != Access::tiled) {
      line(declared(v) + "a" + number(v) + "[n].get(e);");
    }
    if (x.kind != Kind::compute || x.scope != Scope::full) continue;
    std::string place = "kept" + number(v) + "[n * V + e]";
    if (kept && x.phase < phase && is_kept(step_, v)) {
      line(declared(v) + place + ";");
      continue;
    }
    line(applied(v));
    if (kept && is_kept(step_, v)) line(place + " = " + name(v) + ";");
  }
}

bool Emitter::divides_by_row(uint16_t v) const {
  const FusedValue& x = value(v);
  return step_.row_axes && x.op == Op::divide && x.scope == Scope::full &&
         x.dtype != Dtype::Val::float64 && x.dtype != Dtype::Val::complex64 &&
         value(x.inputs[1]).scope == Scope::row && value(x.inputs[1]).kind != Kind::constant;
}

void Emitter::inverses(uint8_t phase) {
  inverted_.resize(count(), false);
  for (uint16_t v = 0; v < count(); ++v) {
    if (value(v).phase != phase || !divides_by_row(v) || inverted_[value(v).inputs[1]]) continue;
    uint16_t by = value(v).inputs[1];
    inverted_[by] = true;
    line("const float inverse" + number(by) + " = 1.0f / " + name(by) + ";");
  }
}

bool Emitter::stored_in(uint16_t v, uint8_t phase) const {
  const FusedValue& x = value(v);
  return x.output && x.kind == Kind::compute && x.scope == Scope::full && x.phase == phase;
}

void Emitter::declare_stores(uint8_t phase) {
  for (uint16_t v = 0; v < count(); ++v) {
    if (stored_in(v, phase)) line("Vector<" + stored_type(v) + ", V> o" + number(v) + ";");
  }
}

void Emitter::fill_stores(uint8_t phase) {
  for (uint16_t v = 0; v < count(); ++v) {
    if (!stored_in(v, phase)) continue;
    line("o" + number(v) + "[e] = static_cast<" + stored_type(v) + ">(" + name(v) + ");");
  }
}

void Emitter::stores(uint8_t phase, const std::string& position, bool row) {
  for (uint16_t v = 0; v < count(); ++v) {
    if (!stored_in(v, phase)) continue;
    std::string base = row ? "b" + number(v) : pointer(v);
    line("store_vector(" + base + " + " + position + ", o" + number(v) + ");");
  }
}

}  // namespace lazuli::cuda
