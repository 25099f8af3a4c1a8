// What the forms of a fused step have in common while their source is written.
#pragma once

#include <string>
#include <vector>

#include "backends/cuda/fused/expressions.h"
#include "backends/cuda/fused/variant.h"

namespace lazuli::cuda {

class Emitter {
 public:
  virtual ~Emitter() = default;
  // The whole source; or without what all sources start with.
  std::string run();
  std::string body();

 protected:
  using Kind = FusedValue::Kind;

  Emitter(const FusedStep& step, const Variant& variant)
      : step_(step), variant_(variant), slots_(make_slots(step, variant)) {}

  // The functions of the form, after what all forms start with.
  virtual void functions() = 0;

  static std::string number(int64_t n) { return std::to_string(n); }
  static std::string slot(int64_t at) { return "p.slot[" + number(at) + "]"; }
  const FusedValue& value(uint16_t v) const { return step_.values[v]; }
  uint16_t count() const { return static_cast<uint16_t>(step_.values.size()); }
  Access access(uint16_t v) const { return variant_.access[v]; }
  bool is_operand(uint16_t v) const { return value(v).kind == Kind::operand; }
  // Has a value for each element, not one for a row.
  bool is_full_operand(uint16_t v) const {
    return is_operand(v) && access(v) != Access::splat && value(v).scope == Scope::full;
  }
  std::string type(uint16_t v) const { return computed_type(value(v).dtype); }
  std::string stored_type(uint16_t v) const;
  std::string name(uint16_t v) const { return "v" + number(v); }
  std::string declared(uint16_t v) const { return "const " + type(v) + " " + name(v) + " = "; }

  void line(const std::string& text) { text_ += std::string(2 * depth_, ' ') + text + "\n"; }
  void open(const std::string& text) {
    line(text + (text.empty() ? "{" : " {"));
    ++depth_;
  }
  void close() {
    --depth_;
    line("}");
  }
  void open_unrolled(const std::string& text) {
    line("#pragma unroll");
    open(text);
  }
  void open_kernel(int threads);

  // Constants, as values.
  void constants();
  // The argument of a value in memory, as a pointer.
  std::string pointer(uint16_t v) const;
  // Operands with one value, read from `base` + their number, or from their arguments.
  void single_operands(const char* base);

  // Coordinates of `position` along dimensions with the extents at `extents`, as `prefix`0, 1, ...
  void coordinates(const std::string& position, uint16_t extents, int rank,
                   const std::string& prefix);
  std::string offset(uint16_t strides, int rank, const std::string& prefix) const;
  std::string inner_offset(uint16_t v) const {
    return offset(slots_.inner_strides[v], variant_.inner_rank, "x");
  }
  bool needs_coordinates() const;

  // Reads a vector of operand `v`, whose first element is at `base`, into `into`.
  void load(uint16_t v, const std::string& base, const std::string& position,
            const std::string& into);
  // The values of a sweep for element `e` of vector `n`; Full values of earlier phases are in
  // registers if `kept`.
  void compute(const std::vector<bool>& needed, uint8_t phase, bool kept);
  std::string applied(uint16_t v) const;
  // Whether `v` is a row of quotients by one value, whose inverse is computed once.
  bool divides_by_row(uint16_t v) const;
  void inverses(uint8_t phase);
  bool stored_in(uint16_t v, uint8_t phase) const;
  void declare_stores(uint8_t phase);
  void fill_stores(uint8_t phase);
  void stores(uint8_t phase, const std::string& position, bool row);

  const FusedStep& step_;
  const Variant& variant_;
  const Slots slots_;

 private:
  std::vector<bool> inverted_;  // by value
  std::string text_;
  int depth_ = 0;
};

// Parameters, and make_row(parameters), by which a block makes the one row of a step and leaves
// value `x` in its shared memory.
std::string emit_make_row(const FusedStep& step, const Variant& variant, uint16_t x);

std::string emit_elements(const FusedStep& step, const Variant& variant);
std::string emit_tiles(const FusedStep& step, const Variant& variant);
std::string emit_rows(const FusedStep& step, const Variant& variant);

}  // namespace lazuli::cuda
