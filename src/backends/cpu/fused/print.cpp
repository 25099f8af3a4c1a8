// A program as text, for LAZULI_DEBUG=4: its slots, then the stages of each phase.
#include <map>
#include <string>

#include "backends/cpu/fused/program.h"

namespace lazuli::cpu {
namespace {

using Names = std::map<StageTable::Stage, std::string>;

Names names_of(const StageTable& t) {
  Names names = {{t.end, "end"},
                 {t.tile, "loop"},
                 {t.load_f32, "load f32"},
                 {t.load_f16, "load f16"},
                 {t.load_bf16, "load bf16"},
                 {t.load_bool, "load bool"},
                 {t.expand_f16, "expand f16"},
                 {t.expand_bf16, "expand bf16"},
                 {t.keep, "keep"},
                 {t.store_f32, "store f32"},
                 {t.store_f16, "store f16"},
                 {t.store_bf16, "store bf16"},
                 {t.round_f16, "round f16"},
                 {t.round_bf16, "round bf16"},
                 {t.select_true, "select"},
                 {t.select_false, "select reversed"},
                 {t.reduce_sum, "reduce sum"},
                 {t.reduce_prod, "reduce prod"},
                 {t.reduce_max, "reduce max"},
                 {t.reduce_min, "reduce min"},
                 {t.divide_by_row[0], "divide by row"},
                 {t.divide_by_row[1], "divide by row, half"}};
  for (size_t k = 0; k < static_cast<size_t>(Op::count_); ++k) {
    std::string op = op_info(static_cast<Op>(k)).name;
    names.emplace(t.unary[k], op);
    names.emplace(t.unary_of_row[k], op + " of row");
    names.emplace(t.unary_half[k], op + ", half");
    names.emplace(t.test[k], op);
    names.emplace(t.binary[k], op);
    names.emplace(t.reversed[k], op + " reversed");
    names.emplace(t.binary_f16[k], op + " with f16");
    names.emplace(t.reversed_f16[k], op + " reversed with f16");
    names.emplace(t.binary_bf16[k], op + " with bf16");
    names.emplace(t.reversed_bf16[k], op + " reversed with bf16");
    names.emplace(t.compare[k], op);
  }
  for (const StageTable::Pair& pair : t.pairs) {
    names.emplace(pair.both, names[pair.first] + ", " + names[pair.second]);
  }
  names.erase(nullptr);
  return names;
}

const char* kind_of(SlotKind kind) {
  switch (kind) {
    case SlotKind::unused: return "unused";
    case SlotKind::operand: return "operand";
    case SlotKind::ahead: return "ahead";
    case SlotKind::row_value: return "row value";
    case SlotKind::constant: return "constant";
    case SlotKind::temporary: return "temporary";
    case SlotKind::row_buffer: return "row buffer";
    case SlotKind::output: return "output";
    case SlotKind::row_output: return "row output";
    case SlotKind::state: return "state";
    case SlotKind::reduced: return "reduced";
  }
  return "";
}

std::string slot(uint16_t s) { return s == nowhere ? "" : " s" + std::to_string(s); }

}  // namespace

std::string Program::text() const {
  static const Names names = names_of(stage_table());
  std::string text;
  for (size_t s = 0; s < slots.size(); ++s) {
    text += "  s" + std::to_string(s) + ": " + kind_of(slots[s].kind) + " " +
            dtype_name(dtype_of(slots[s].dtype)) + "\n";
  }
  auto show = [&](const char* title, const Part& part) {
    if (part.count == 0) return;
    text += std::string("  ") + title + ":\n";
    for (uint32_t i = part.first; i < part.first + part.count; ++i) {
      const Instruction& at = instructions[i];
      auto found = names.find(at.stage);
      text += "    " + (found == names.end() ? "a stage" : found->second) + slot(at.a);
      if (at.stage == stage_table().tile) text += slot(at.b) + slot(at.c);
      text += at.out == nowhere ? "\n" : " ->" + slot(at.out) + "\n";
    }
  };
  for (const Phase& phase : phases) {
    show("once a row", phase.once);
    show("along the row", phase.row);
  }
  return text;
}

}  // namespace lazuli::cpu
