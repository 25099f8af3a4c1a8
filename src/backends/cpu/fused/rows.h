// How a thread that runs a fused step goes from row to row: where its slots point.
#pragma once

#include <vector>

#include "backends/cpu/fused/access.h"
#include "backends/cpu/fused/program.h"

namespace lazuli::cpu {

// A step with the extents and addresses of one run.
struct Bound {
  const FusedStep& step;
  const Program& program;
  const FusedBinding& binding;
  const StageTable& table;
  Walk& walk;
  SmallVector<uint16_t, 16> operand_of_value;
  bool nontemporal = false;

  const Node* node_of(uint16_t v) const { return binding.graph->nodes[step.values[v].node]; }
  const OperandAccess& access_of(uint16_t slot) const {
    return walk.operands[operand_of_value[program.slots[slot].value]];
  }
  int64_t row_buffer_bytes() const { return ((walk.length + table.block) * 8 + 63) / 64 * 64; }
};

// What a new row changes in a slot.
struct Move {
  enum class Kind : uint8_t {
    point,  // the slot lies where the row lies
    ahead,  // it lies where the row to come lies
    gather,  // its blocks are gathered from the row
    splat,  // it holds a block of copies of the row's only element
    widen,  // the same, of a half as float32
  };
  Kind kind;
  uint16_t slot;
  int64_t stride;  // in bytes from row to row, where there is one outer dimension
  const OperandAccess* access;
};

struct Thread {
  Context context;
  SmallVector<Slot, 24> slots;
  SmallVector<uint16_t, 8> gathers;  // slots filled block by block
  SmallVector<char*, 8> rows;        // by slot in `gathers`: the row's first element
  SmallVector<char*, 24> tails;      // by slot: room for a block of a direct one, or nullptr
  SmallVector<Move, 16> moves;       // for each row
  SmallVector<Move, 4> results;      // Row outputs
  SmallVector<Prefetch, 8> prefetches;
};

int64_t itemsize(Dtype::Val dtype);

// `block` copies of an element.
void splat(const StageTable& table, const void* element, int64_t size, char* to);

// Gives a thread its slots, in memory that lasts until it prepares again. `shared_rows` replaces
// the own row buffers of threads that work on one row together.
void prepare(const Bound& bound, Thread& thread, char* shared_rows);

void enter_row(const Bound& bound, Thread& thread, int64_t row);

// Keeps the Row outputs.
void leave_row(const Bound& bound, const Thread& thread, int64_t row);

}  // namespace lazuli::cpu
