// From a form to its source, and what a form needs.
#include <algorithm>

#include "backends/cuda/fused/emitter.h"
#include "compiler/backend.h"

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

namespace {

bool is_cast_of_operand(const FusedStep& step, uint16_t v) {
  const FusedValue& x = step.values[v];
  bool cast = x.op == Op::astype || x.op == Op::copy || x.op == Op::identity;
  return x.kind == Kind::compute && cast && step.values[x.inputs[0]].kind == Kind::operand;
}

// Whether it costs less to compute the value anew from what is held anyway than registers for it.
bool is_cheap(const FusedStep& step, uint16_t v) {
  const FusedValue& x = step.values[v];
  bool simple =
      x.op == Op::add || x.op == Op::subtract || x.op == Op::multiply || x.op == Op::negative;
  for (int k = 0; simple && k < x.input_count; ++k) {
    const FusedValue& input = step.values[x.inputs[k]];
    bool held = input.kind != Kind::compute || is_cast_of_operand(step, x.inputs[k]);
    simple = held || input.scope == Scope::row;
  }
  return simple;
}

}  // namespace

bool is_kept(const FusedStep& step, uint16_t v) {
  const FusedValue& x = step.values[v];
  if (x.kind != Kind::compute || x.scope != Scope::full) return false;
  if (is_cast_of_operand(step, v) || is_cheap(step, v)) return false;
  for (const FusedValue& user : step.values) {
    if (user.phase <= x.phase) continue;
    for (int k = 0; k < user.input_count; ++k) {
      if (user.inputs[k] == v) return true;
    }
  }
  return false;
}

int kept_bytes(const FusedStep& step) {
  int bytes = 0;
  for (uint16_t v = 0; v < step.values.size(); ++v) {
    if (is_kept(step, v)) bytes += std::max<int>(dtype_of(step.values[v].dtype).size(), 4);
  }
  return bytes;
}

std::vector<bool> swept(const FusedStep& step, uint8_t phase, bool keeps_earlier) {
  std::vector<bool> needed(step.values.size(), false);
  for (uint16_t v = static_cast<uint16_t>(step.values.size()); v-- > 0;) {
    const FusedValue& x = step.values[v];
    bool reduces_here = x.kind == Kind::reduce && x.phase == phase;
    bool made_here = x.kind == Kind::compute && x.scope == Scope::full && x.phase == phase;
    if (made_here && (x.output || (keeps_earlier && is_kept(step, v)))) needed[v] = true;
    if (!reduces_here && !needed[v]) continue;
    if (reduces_here) needed[v] = true;
    if (keeps_earlier && x.phase < phase && is_kept(step, v)) continue;
    for (int k = 0; k < x.input_count; ++k) {
      if (step.values[x.inputs[k]].scope == Scope::full) needed[x.inputs[k]] = true;
    }
  }
  return needed;
}

std::string emit(const FusedStep& step, const Variant& variant) {
  switch (variant.form) {
    case Form::elements: return emit_elements(step, variant);
    case Form::tiles: return emit_tiles(step, variant);
    default: return emit_rows(step, variant);
  }
}

}  // namespace lazuli::cuda
