// From the values of a fused step to a chain of stages.
#include <algorithm>
#include <string>

#include "backends/cpu/fused/program.h"
#include "lazuli/error.h"

namespace lazuli {
namespace cpu {
namespace {

using Kind = FusedValue::Kind;

bool is_half(Dtype::Val d) { return d == Dtype::Val::float16 || d == Dtype::Val::bfloat16; }
bool in_accumulator(Dtype::Val d) { return d == Dtype::Val::float32 || is_half(d); }
Dtype::Val widened(Dtype::Val d) { return is_half(d) ? Dtype::Val::float32 : d; }

class Compiler {
 public:
  explicit Compiler(const FusedStep& step)
      : step_(step), table_(stage_table()), program_(std::make_unique<Program>()) {}

  std::unique_ptr<Program> run() {
    size_t count = step_.values.size();
    stored_.assign(count, nowhere);
    memory_.assign(count, nowhere);
    count_uses();
    for (uint16_t v = 0; v < count; ++v) place_source(v);
    for (uint8_t p = 0; p < step_.phases; ++p) {
      Program::Phase phase;
      phase.once = part(p, Scope::row, phase);
      phase.row = part(p, Scope::full, phase);
      program_->phases.push_back(std::move(phase));
    }
    find_take_overs();
    return std::move(program_);
  }

 private:
  const FusedValue& value(uint16_t v) const { return step_.values[v]; }

  void count_uses() {
    users_.resize(step_.values.size());
    for (uint16_t v = 0; v < step_.values.size(); ++v) {
      for (int k = 0; k < value(v).input_count; ++k) users_[value(v).inputs[k]].push_back(v);
    }
  }

  uint16_t new_slot(SlotKind kind, Dtype::Val dtype, uint16_t v) {
    program_->slots.push_back({kind, dtype, v});
    return static_cast<uint16_t>(program_->slots.size() - 1);
  }

  // Operands and constants have a place from the start; so have outputs.
  void place_source(uint16_t v) {
    const FusedValue& x = value(v);
    if (x.kind == Kind::operand) {
      bool row = x.scope == Scope::row;
      Dtype::Val dtype = row ? widened(x.dtype) : x.dtype;
      stored_[v] = new_slot(row ? SlotKind::row_value : SlotKind::operand, dtype, v);
      if (!is_half(dtype)) memory_[v] = stored_[v];
    } else if (x.kind == Kind::constant) {
      memory_[v] = stored_[v] = new_slot(SlotKind::constant, widened(x.dtype), v);
    }
    if (x.output) {
      SlotKind kind = x.scope == Scope::row ? SlotKind::row_output : SlotKind::output;
      output_.resize(step_.values.size(), nowhere);
      output_[v] = new_slot(kind, x.dtype, v);
    }
  }

  Part part(uint8_t phase, Scope scope, Program::Phase& into) {
    order_.clear();
    for (uint16_t v = 0; v < step_.values.size(); ++v) {
      const FusedValue& x = value(v);
      if (x.phase != phase) continue;
      bool here = x.kind == Kind::compute ? x.scope == scope
                                          : x.kind == Kind::reduce && scope == Scope::full;
      if (here) order_.push_back(v);
    }
    Part result;
    result.first = static_cast<uint32_t>(program_->instructions.size());
    accumulator_ = nowhere;
    free_.clear();
    live_.clear();
    expanded_.clear();
    if (scope == Scope::full) prefetch(phase, result);
    for (at_ = 0; at_ < order_.size(); ++at_) {
      uint16_t v = order_[at_];
      if (value(v).kind == Kind::reduce) {
        reduce(v, into);
      } else {
        compute(v);
      }
      release_temporaries();
    }
    for (uint16_t v : expanded_) memory_[v] = nowhere;
    bool empty = result.first == program_->instructions.size();
    if (!empty) {
      join_pairs(result.first);
      emit(table_.end);
      find_slots(result);
    }
    result.count = static_cast<uint32_t>(program_->instructions.size()) - result.first;
    return result;
  }

  // Operands are asked for early: a sweep asks for its own next blocks, one of several sweeps
  // over a row for the next row.
  void prefetch(uint8_t phase, Part& part) {
    if (phase != step_.phases / 2) return;
    for (uint16_t v = 0; v < step_.values.size(); ++v) {
      if (value(v).kind != Kind::operand || value(v).scope != Scope::full) continue;
      uint16_t itemsize = static_cast<uint16_t>(dtype_of(value(v).dtype).size());
      uint16_t slot = new_slot(SlotKind::ahead, value(v).dtype, v);
      part.prefetches.push_back({slot, itemsize, step_.phases > 1});
    }
  }

  void find_slots(Part& part) const {
    auto add = [&](std::vector<uint16_t>& to, SlotKind kind, uint16_t slot) {
      if (slot == nowhere || program_->slots[slot].kind != kind) return;
      if (std::find(to.begin(), to.end(), slot) == to.end()) to.push_back(slot);
    };
    for (size_t k = part.first; k < program_->instructions.size(); ++k) {
      const Instruction& instruction = program_->instructions[k];
      for (uint16_t slot : {instruction.a, instruction.b, instruction.c}) {
        add(part.operands, SlotKind::operand, slot);
      }
      add(part.outputs, SlotKind::output, instruction.out);
    }
  }

  // Replaces neighbours, from instruction `first` on, by stages that do the work of both.
  void join_pairs(size_t first) {
    std::vector<Instruction>& code = program_->instructions;
    size_t to = first;
    for (size_t from = first + 1; from < code.size(); ++from) {
      if (join(code[to], code[from])) continue;
      code[++to] = code[from];
    }
    code.resize(to + 1);
  }

  bool join(Instruction& x, const Instruction& y) const {
    for (const StageTable::Pair& pair : table_.pairs) {
      if (pair.first != x.stage || pair.second != y.stage) continue;
      x.stage = pair.both;
      x.b = y.a;
      x.out = y.out;
      return true;
    }
    return false;
  }

  Instruction& emit(void (*stage)(), uint16_t a = nowhere, uint16_t b = nowhere,
                    uint16_t out = nowhere) {
    return program_->instructions.emplace_back(Instruction{stage, nullptr, a, b, nowhere, out});
  }
  // Unused inputs repeat the first one: a tile is given three addresses that exist.
  void emit_tile(Tile tile, uint16_t out, uint16_t a) { emit_tile(tile, out, a, a, a); }
  void emit_tile(Tile tile, uint16_t out, uint16_t a, uint16_t b, uint16_t c) {
    program_->instructions.push_back({table_.tile, tile, a, b, c, out});
    program_->cost += 1;
    accumulator_ = nowhere;
  }

  // ---- Where values are ----
  bool used_later(uint16_t v) const {
    for (uint16_t user : users_[v]) {
      if (value(user).phase > value(v).phase) return true;
    }
    return false;
  }

  uint16_t new_temporary(Dtype::Val dtype, uint16_t v) {
    for (size_t k = 0; k < free_.size(); ++k) {
      if (program_->slots[free_[k]].dtype == dtype) {
        uint16_t slot = free_[k];
        free_.erase(free_.begin() + static_cast<long>(k));
        live_.push_back({slot, v});
        return slot;
      }
    }
    uint16_t slot = new_slot(SlotKind::temporary, dtype, v);
    live_.push_back({slot, v});
    return slot;
  }

  // Scratch of values without users left in this part is used again.
  void release_temporaries() {
    for (size_t k = 0; k < live_.size();) {
      auto [slot, v] = live_[k];
      bool needed = false;
      for (uint16_t user : users_[v]) {
        for (size_t j = at_ + 1; j < order_.size(); ++j) needed |= order_[j] == user;
      }
      if (needed) {
        ++k;
      } else {
        memory_[v] = nowhere;
        free_.push_back(slot);
        live_.erase(live_.begin() + static_cast<long>(k));
      }
    }
  }

  // Where a value that is read again is kept. Not where an output lies: its stores may bypass the
  // caches.
  uint16_t home_for(uint16_t v) {
    const FusedValue& x = value(v);
    Dtype::Val dtype = widened(x.dtype);
    if (x.scope == Scope::row) {
      return new_slot(SlotKind::temporary, dtype, v);  // outlives the part
    }
    if (x.output && !in_accumulator(x.dtype)) return output_[v];
    if (used_later(v)) return new_slot(SlotKind::row_buffer, dtype, v);
    return new_temporary(dtype, v);
  }

  // A slot that holds v in the form stages read: float32 for halves.
  uint16_t in_memory(uint16_t v) {
    if (memory_[v] != nowhere) return memory_[v];
    if (accumulator_ == v) {
      memory_[v] = home_for(v);
      emit(table_.keep, nowhere, nowhere, memory_[v]);
      return memory_[v];
    }
    // A half operand: widened into scratch, which leaves the accumulator alone.
    uint16_t slot = new_temporary(Dtype::Val::float32, v);
    bool f16 = value(v).dtype == Dtype::Val::float16;
    emit(f16 ? table_.expand_f16 : table_.expand_bf16, stored_[v], nowhere, slot);
    memory_[v] = slot;
    expanded_.push_back(v);
    return slot;
  }

  void into_accumulator(uint16_t v) {
    if (accumulator_ == v) return;
    Dtype::Val dtype = value(v).dtype;
    if (memory_[v] != nowhere) {
      emit(dtype == Dtype::Val::bool_ ? table_.load_bool : table_.load_f32, memory_[v]);
    } else {
      emit(dtype == Dtype::Val::float16 ? table_.load_f16 : table_.load_bf16, stored_[v]);
    }
    accumulator_ = v;
  }

  // The accumulator holds v: store what others need of it.
  void settle(uint16_t v) {
    accumulator_ = v;
    bool next_takes_it = users_[v].size() == 1 && at_ + 1 < order_.size() &&
                         order_[at_ + 1] == users_[v][0] && takes_accumulator(order_[at_ + 1], v);
    if (!users_[v].empty() && !next_takes_it) in_memory(v);
    if (value(v).output) keep_output(v);
  }

  void keep_output(uint16_t v) {
    uint16_t slot = output_[v];
    if (memory_[v] == slot) return;
    Dtype::Val dtype = value(v).dtype;
    if (in_accumulator(dtype)) {
      into_accumulator(v);
      emit(dtype == Dtype::Val::float32   ? table_.store_f32
           : dtype == Dtype::Val::float16 ? table_.store_f16
                                          : table_.store_bf16,
           nowhere, nowhere, slot);
    } else {
      emit_tile(elementwise_tile(Op::copy, dtype, dtype), slot, memory_[v]);
    }
  }

  bool takes_accumulator(uint16_t user, uint16_t v) const {
    const FusedValue& u = value(user);
    if (u.kind == Kind::reduce) return in_accumulator(u.dtype);
    if (!in_accumulator(value(v).dtype)) return false;
    if (u.op == Op::select) return u.inputs[0] != v;
    if (u.op == Op::astype) return in_accumulator(u.dtype);
    int times = 0;
    for (int k = 0; k < u.input_count; ++k) times += u.inputs[k] == v;
    return times == 1;
  }

  // ---- Ops ----
  void compute(uint16_t v) {
    const FusedValue& x = value(v);
    Dtype::Val from = value(x.inputs[0]).dtype;
    if (x.op == Op::select) return select(v);
    if (x.op == Op::astype || x.op == Op::copy || x.op == Op::identity) return convert(v);
    if (!in_accumulator(from)) return tile(v);
    size_t op = static_cast<size_t>(x.op);
    if (x.dtype == Dtype::Val::bool_) return test(v, op);
    if (x.scope == Scope::full) program_->cost += x.input_count == 1 ? 4 : 1;
    if (x.input_count == 1) {
      into_accumulator(x.inputs[0]);
      bool half = is_half(x.dtype) && table_.unary_half[op];
      bool row = x.scope == Scope::row;
      emit(half ? table_.unary_half[op] : (row ? table_.unary_of_row : table_.unary)[op]);
    } else if (accumulator_ == x.inputs[1] && x.inputs[0] != x.inputs[1]) {
      binary(x.inputs[0], table_.reversed[op], table_.reversed_f16[op], table_.reversed_bf16[op]);
    } else {
      if (!read_in_place(x.inputs[1], table_.binary_f16[op])) in_memory(x.inputs[1]);
      into_accumulator(x.inputs[0]);
      bool by_row =
          x.op == Op::divide && x.scope == Scope::full && value(x.inputs[1]).scope == Scope::row;
      binary(x.inputs[1], by_row ? table_.divide_by_row[is_half(x.dtype)] : table_.binary[op],
             table_.binary_f16[op], table_.binary_bf16[op]);
    }
    settle(v);
  }

  // Whether a stage is to read this half operand as it lies in memory.
  bool read_in_place(uint16_t v, StageTable::Stage stage) const {
    return stage && memory_[v] == nowhere && accumulator_ != v && is_half(value(v).dtype);
  }

  // The op on the accumulator and `other`.
  void binary(uint16_t other, StageTable::Stage f32, StageTable::Stage f16,
              StageTable::Stage bf16) {
    if (read_in_place(other, f16)) {
      emit(value(other).dtype == Dtype::Val::float16 ? f16 : bf16, stored_[other]);
    } else {
      uint16_t from = in_memory(other);
      emit(f32, from);
    }
  }

  void test(uint16_t v, size_t op) {
    const FusedValue& x = value(v);
    program_->cost += 1;
    if (x.input_count == 1) {
      into_accumulator(x.inputs[0]);
      uint16_t out = boolean_home(v);
      emit(table_.test[op], nowhere, nowhere, out);
    } else {
      uint16_t other = in_memory(x.inputs[1]);
      into_accumulator(x.inputs[0]);
      uint16_t out = boolean_home(v);
      emit(table_.compare[op], other, nowhere, out);
    }
    if (x.output) keep_output(v);
  }

  uint16_t boolean_home(uint16_t v) { return memory_[v] = home_for(v); }

  void select(uint16_t v) {
    const FusedValue& x = value(v);
    if (!in_accumulator(x.dtype)) return tile(v);
    uint16_t condition = in_memory(x.inputs[0]);
    program_->cost += 1;
    if (accumulator_ == x.inputs[2] && x.inputs[1] != x.inputs[2]) {
      uint16_t other = in_memory(x.inputs[1]);
      emit(table_.select_false, other, condition);
    } else {
      uint16_t other = in_memory(x.inputs[2]);
      into_accumulator(x.inputs[1]);
      emit(table_.select_true, other, condition);
    }
    settle(v);
  }

  void convert(uint16_t v) {
    const FusedValue& x = value(v);
    uint16_t from = x.inputs[0];
    Dtype::Val source = value(from).dtype;
    bool to_float = in_accumulator(x.dtype);
    if (!to_float || !(in_accumulator(source) || source == Dtype::Val::bool_)) return tile(v);
    into_accumulator(from);
    // A computed half has not been rounded yet; the wider result shows that it should have been.
    bool computed = value(from).kind != Kind::operand;
    Dtype::Val rounded = is_half(x.dtype) ? x.dtype : computed ? source : Dtype::Val::float32;
    // A store rounds by itself.
    bool stored_only = x.output && users_[v].empty() && rounded == x.dtype;
    if (is_half(rounded) && x.op == Op::astype && !stored_only) {
      emit(rounded == Dtype::Val::float16 ? table_.round_f16 : table_.round_bf16);
    }
    settle(v);
  }

  void tile(uint16_t v) {
    const FusedValue& x = value(v);
    uint16_t in[3] = {};
    for (int k = 0; k < 3; ++k) in[k] = k < x.input_count ? in_memory(x.inputs[k]) : in[0];
    Dtype::Val source = widened(value(x.inputs[x.op == Op::select ? 1 : 0]).dtype);
    Dtype::Val target = widened(x.dtype);
    Tile loop = elementwise_tile(x.op, source, target);
    if (!loop) {
      throw TypeError("[" + std::string(op_info(x.op).name) +
                      "] has no form for this dtype on the CPU.");
    }
    memory_[v] = home_for(v);
    emit_tile(loop, memory_[v], in[0], in[1], in[2]);
    // A half made by a loop lies in memory as float32 and is rounded there.
    if (is_half(x.dtype)) {
      emit(table_.load_f32, memory_[v]);
      emit(x.dtype == Dtype::Val::float16 ? table_.round_f16 : table_.round_bf16);
      emit(table_.keep, nowhere, nowhere, memory_[v]);
      accumulator_ = v;
    }
    if (x.output) keep_output(v);
  }

  void reduce(uint16_t v, Program::Phase& phase) {
    const FusedValue& x = value(v);
    uint16_t from = x.inputs[0];
    Dtype::Val dtype = widened(x.dtype);
    uint16_t state = new_slot(SlotKind::state, dtype, v);
    uint16_t result = new_slot(SlotKind::reduced, dtype, v);
    program_->slots[state].other = result;
    program_->slots[result].other = x.output ? output_[v] : nowhere;
    program_->cost += 1;
    const Reducer* reducer;
    if (in_accumulator(x.dtype)) {
      into_accumulator(from);
      auto choose = [&](auto& sum, auto& prod, auto& max, auto& min) -> auto& {
        return x.op == Op::sum ? sum : x.op == Op::prod ? prod : x.op == Op::max ? max : min;
      };
      const StageTable& t = table_;
      emit(choose(t.reduce_sum, t.reduce_prod, t.reduce_max, t.reduce_min), nowhere, nowhere,
           state);
      reducer = &choose(t.float_sum, t.float_prod, t.float_max, t.float_min);
    } else {
      reducer = tile_reducer(x.op, x.dtype);
      uint16_t in = in_memory(from);
      emit_tile(reducer->tile, state, in);
    }
    phase.states.push_back(state);
    phase.reducers.push_back(reducer);
    memory_[v] = stored_[v] = result;
  }

  // An output may lie where a Full operand lies if every block of the operand is read before the
  // output's block is stored.
  void find_take_overs() {
    for (uint16_t in = 0; in < step_.values.size(); ++in) {
      if (value(in).kind != Kind::operand || value(in).scope != Scope::full) continue;
      uint32_t last_read = 0, phase_of_read = 0;
      bool read = false;
      scan([&](uint32_t at, uint32_t phase, const Instruction& instruction) {
        bool reads = instruction.a == stored_[in] || instruction.b == stored_[in] ||
                     instruction.c == stored_[in];
        if (reads) {
          last_read = at;
          phase_of_read = phase;
          read = true;
        }
      });
      for (uint16_t out = 0; out < step_.values.size(); ++out) {
        if (!value(out).output || value(out).scope != Scope::full) continue;
        if (value(out).dtype != value(in).dtype) continue;
        bool safe = true;
        scan([&](uint32_t at, uint32_t phase, const Instruction& instruction) {
          if (instruction.out != output_[out] || instruction.stage == table_.end) return;
          if (phase < phase_of_read || at < last_read) safe = false;
        });
        if (safe && read) program_->take_overs.push_back({in, out});
      }
    }
  }

  template <class F>
  void scan(F f) {
    for (uint32_t p = 0; p < program_->phases.size(); ++p) {
      const Part& row = program_->phases[p].row;
      for (uint32_t k = 0; k < row.count; ++k) {
        f(row.first + k, p, program_->instructions[row.first + k]);
      }
    }
  }

  const FusedStep& step_;
  const StageTable& table_;
  std::unique_ptr<Program> program_;
  std::vector<std::vector<uint16_t>> users_;
  std::vector<uint16_t> stored_;  // slot of an operand or constant, in its own dtype
  std::vector<uint16_t> memory_;  // slot stages can read the value from, or nowhere
  std::vector<uint16_t> output_;
  std::vector<uint16_t> order_;
  size_t at_ = 0;
  uint16_t accumulator_ = nowhere;
  std::vector<uint16_t> free_;
  std::vector<std::pair<uint16_t, uint16_t>> live_;
  std::vector<uint16_t> expanded_;
};

}  // namespace
}  // namespace cpu

std::unique_ptr<CompiledStep> compile_fused(const FusedStep& step) {
  return cpu::Compiler(step).run();
}

bool may_take_over(const CompiledStep& compiled, uint16_t in, uint16_t out) {
  const auto& pairs = static_cast<const cpu::Program&>(compiled).take_overs;
  return std::find(pairs.begin(), pairs.end(), std::pair{in, out}) != pairs.end();
}

}  // namespace lazuli
