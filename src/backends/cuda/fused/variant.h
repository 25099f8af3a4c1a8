// The forms one fused step takes on the GPU. What the form depends on (how values lie, how many
// elements a thread computes) is part of the source; sizes, strides and addresses are arguments.
#pragma once

#include <string>
#include <vector>

#include "compiler/plan.h"
#include "lazuli/small_vector.h"

namespace lazuli::cuda {

// How the elements of a row, or of the whole space where there are no rows, lie in memory.
enum class Access : uint8_t {
  none,      // not in memory
  direct,    // one after the other
  common,    // one after the other, and every row has the same
  splat,     // one for the whole row
  strided,   // found through the coordinates, each on its own
  vectors,   // likewise, but neighbours along the innermost dimension are one after the other
  repeated,  // likewise, but there is one for the whole innermost dimension
  tiled,     // neighbours along another dimension are one after the other; through shared memory
};

enum class Form : uint8_t {
  elements,          // no rows: a thread computes a few vectors
  tiles,             // no rows: a block computes a square of two dimensions
  row_in_registers,  // a block or a warp holds a row
  row_in_loop,       // a block goes over a long row once for each phase
  row_in_parts,      // few long rows: blocks share a row; a launch for each phase
};

struct Variant {
  Form form = Form::elements;
  uint8_t vector = 1;    // elements in one access
  uint8_t vectors = 1;   // accesses in flight: of a thread for each operand
  bool wide_index = false;   // 64-bit positions
  bool warp_rows = false;    // a warp to a row, several rows to a block
  bool joined = false;  // two steps: the arguments of both, and how many blocks are the first's
  bool exact = false;  // the length is a multiple of what a block computes at a time
  uint16_t threads = 256;  // of a block, at most
  uint8_t part = 0;  // of row_in_parts: the phase; `phases` to finish
  uint8_t tile_axis = 0;  // of tiles: the dimension along which operands are contiguous
  uint8_t outer_rank = 0, inner_rank = 0;
  SmallVector<Access, 16> access;  // by value of the step

  bool operator==(const Variant&) const = default;
};

// Where arguments are among the kernel's 64-bit slots.
struct Slots {
  static constexpr uint16_t none = 0xffff;
  static constexpr uint16_t rows = 0, length = 1, parts = 2, part_length = 3;
  uint16_t outer = none, inner = none;  // extents, each followed by its two words for division
  std::vector<uint16_t> pointer;  // by value: address, or the constant's value
  std::vector<uint16_t> outer_strides, inner_strides;  // by value
  std::vector<uint16_t> partials;  // by value: of reductions, in row_in_parts
  uint16_t count = 0;
};
Slots make_slots(const FusedStep& step, const Variant& variant);

constexpr int elements_threads = 256;
constexpr int tile_side = 64;
constexpr int warp_rows_per_block = 8;

// The source of a kernel named "fused_step".
std::string emit(const FusedStep& step, const Variant& variant);

// Products of one row (kernels/products/few_rows.cuh) with steps before and after them.
struct ProductsForm {
  Dtype::Val dtype;
  int columns;  // rows of matrices to a warp
  // Makes the row, as its value `x`, in each block, a vector a thread; the first block writes what
  // the step writes. Null if the row is in memory.
  const FusedStep* before = nullptr;
  const Variant* before_variant = nullptr;
  uint16_t x = 0;
  // Takes products with one matrix, or two, as its operands `given`. Null: no step follows.
  const FusedStep* after = nullptr;
  const Variant* after_variant = nullptr;
  SmallVector<uint16_t, 2> given;
};
// The source of a kernel named "fused_step". It takes the arguments of the step before, FewRows,
// and the arguments of the step after.
std::string emit_products(const ProductsForm& form);

// Whether a Full value is read in a later phase than its own. Casts of operands are made again
// there.
bool is_kept(const FusedStep& step, uint16_t v);
// Bytes of registers that an element's kept values take.
int kept_bytes(const FusedStep& step);

// Values that are Full and needed in the sweep of a phase: its reductions and outputs and what they
// are made of; where values of earlier phases are kept in registers, those are not made again.
std::vector<bool> swept(const FusedStep& step, uint8_t phase, bool keeps_earlier);

}  // namespace lazuli::cuda
