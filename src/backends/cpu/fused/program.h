// A fused step as the CPU runs it: a chain of stages over blocks of a row.
//
// Floats (float32, and halves widened to it) pass from stage to stage in eight vector registers,
// the accumulator; every other value, and every float needed more than once, lies in memory. Where
// a value lies is a slot: a base address and a step in bytes per element, so that one program serves
// operands in memory (step > 0), and scratch blocks (step 0) alike, and nothing in it changes when
// it is bound. A stage reads the slots it names and jumps to the next stage.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compiler/backend.h"

namespace lazuli::cpu {

struct Context;

// Works on `n` elements in memory. `out` never overlaps an input unless it is equal to it.
using Tile = void (*)(int64_t n, void* out, const void* a, const void* b, const void* c);

struct Instruction {
  void (*stage)();  // of the type the stages of the chosen SIMD target have
  Tile tile;  // of tile stages
  uint16_t a, b, c, out;
};

struct Slot {
  char* base;
  int64_t step;  // bytes per element
};

// What a thread carries through a chain.
struct Context {
  Slot* slots;
  int64_t i;  // first element of the block, within the row
  int64_t n;  // elements of the block that count
  bool nontemporal;  // outputs bypass the caches
};

// A slot whose block is asked for before it is read: into the first cache or only into the second.
struct Prefetch {
  uint16_t slot;
  uint16_t itemsize;
  bool far;
};

// The largest block of any target, in elements; scratch blocks have room for it.
inline constexpr int64_t block_max = 128;
inline constexpr int64_t scratch_bytes = block_max * 8;

// Accumulates `n` values into a state of at most `state_bytes`.
inline constexpr int64_t state_bytes = block_max * 4;
struct Reducer {
  Tile tile;  // of dtypes that are not computed in the accumulator: out is the state
  void (*init)(void* state);
  void (*finish)(const void* state, void* total);  // from lanes to one total
  void (*combine)(void* total, const void* other);  // totals
  void (*write)(const void* total, void* value);  // in the dtype's own form
};

enum class SlotKind : uint8_t {
  unused,
  operand,  // Full operand
  ahead,  // what of a Full operand will be read soon
  row_value,  // Row operand: one block of copies, refreshed for each row
  constant,  // one block of copies of a scalar
  temporary,  // scratch block
  row_buffer,  // Full value kept from one phase to another: one row
  output,  // Full output
  row_output,  // Row output: scratch block, its first element is kept
  state,  // of a reduction
  reduced,  // one block of copies of a reduction's result
};

inline constexpr uint16_t nowhere = 0xffff;

struct SlotInfo {
  SlotKind kind;
  Dtype::Val dtype;  // of the elements in the slot
  uint16_t value;  // index in FusedStep::values
  uint16_t other = nowhere;  // state: slot of the result; reduced: slot of the Row output
};

struct Part {
  uint32_t first = 0, count = 0;  // instructions; the last is `end`
  std::vector<Prefetch> prefetches;  // before each block
  std::vector<uint16_t> operands, outputs;  // slots of Full ones that are read, and written
};

class Program : public CompiledStep {
 public:
  std::string text() const override;

  std::vector<Instruction> instructions;
  std::vector<SlotInfo> slots;
  struct Phase {
    Part once;  // on Row values, before the row is swept
    Part row;
    std::vector<uint16_t> states;  // reductions finished after the row
    std::vector<const Reducer*> reducers;
  };
  std::vector<Phase> phases;
  std::vector<std::pair<uint16_t, uint16_t>> take_overs;  // operand value, output value
  float cost = 0;  // rough cycles an element
};

// The stages of the SIMD target in use.
struct StageTable {
  using Stage = void (*)();
  int64_t block;  // elements
  Stage end, tile;
  Stage load_f32, load_f16, load_bf16, load_bool;
  Stage expand_f16, expand_bf16;
  Stage keep;  // float32 into memory that is read again
  Stage store_f32, store_f16, store_bf16;  // outputs
  Stage round_f16, round_bf16;
  Stage select_true, select_false;  // accumulator is taken where the condition holds, or not
  Stage reduce_sum, reduce_prod, reduce_max, reduce_min;
  Stage unary[static_cast<size_t>(Op::count_)];  // accumulator = f(accumulator)
  Stage unary_half[static_cast<size_t>(Op::count_)];  // cheaper forms for half types, or nullptr
  Stage unary_of_row[static_cast<size_t>(Op::count_)];  // where all elements are equal
  Stage divide_by_row[2];  // accumulator /= the number that all of a holds; [1] for half types
  Stage test[static_cast<size_t>(Op::count_)];  // booleans in `out` = f(accumulator)
  Stage binary[static_cast<size_t>(Op::count_)];  // accumulator = f(accumulator, a)
  Stage reversed[static_cast<size_t>(Op::count_)];  // accumulator = f(a, accumulator)
  // The same where slot a holds halves; nullptr if it must be widened first.
  Stage binary_f16[static_cast<size_t>(Op::count_)], reversed_f16[static_cast<size_t>(Op::count_)];
  Stage binary_bf16[static_cast<size_t>(Op::count_)];
  Stage reversed_bf16[static_cast<size_t>(Op::count_)];
  Stage compare[static_cast<size_t>(Op::count_)];  // booleans in `out` = f(accumulator, a)
  // Two stages in a row that one stage can replace, which reads slot a of both as a and b and
  // writes where the second one does.
  struct Pair {
    Stage first, second, both;
  };
  std::vector<Pair> pairs;
  // Elements of the last block past `end` are computed too, but never reduced.
  void (*run)(const Instruction* first, std::span<const Prefetch> prefetches, Context* context,
              int64_t begin, int64_t end);
  void (*fill)(uint32_t bits, char* to);  // a block of copies
  void (*flush)();  // waits for nontemporal stores
  Reducer float_sum, float_prod, float_max, float_min;
};
const StageTable& stage_table();
void add_unary_stages(StageTable& table);
void add_binary_stages(StageTable& table);
void add_reducing_stages(StageTable& table);

// Loops over memory, for every op and dtype the accumulator does not serve; nullptr if none.
Tile elementwise_tile(Op op, Dtype::Val input, Dtype::Val output);
const Reducer* tile_reducer(Op op, Dtype::Val dtype);

}  // namespace lazuli::cpu
