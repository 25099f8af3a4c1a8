// concatenate and slice_update: see move.cu.
#include "backends/cuda/kernel_table.h"
#include "backends/cuda/kernels/byte_range.h"
#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/kernels/moves/rope.h"
#include "backends/cuda/kernels/moves/units.h"
#include "backends/cuda/kernels/reductions/axes.h"
#include "ops/table/params.h"

namespace lazuli::cuda {

#include "backends/cuda/device/pieces.cuh"

namespace {

constexpr int64_t block_units = 1024, blocks_max = int64_t{1} << 30;

// One copy: from an operand into the output, steps in elements.
struct Copy {
  const char* from;
  char* to;
  AxisList axes;
};

// In units of the elements where these have such a step and extent along the last axis.
int unit_of(std::span<const Copy> copies, int64_t itemsize) {
  Alignment alignment;
  for (const Copy& copy : copies) {
    alignment.see(copy.from);
    alignment.see(copy.to);
    for (size_t d = 0; d < copy.axes.size(); ++d) {
      const AxisSteps& axis = copy.axes[d];
      const bool single = axis.extent == 1;
      const bool dense = d + 1 == copy.axes.size() && (single || (axis.from == 1 && axis.to == 1));
      if (dense) alignment.see(axis.extent * itemsize);
      else if (d + 1 == copy.axes.size()) alignment.see(itemsize);
      if (!dense) {
        alignment.see(axis.from * itemsize);
        alignment.see(axis.to * itemsize);
      }
    }
  }
  return alignment.bytes();
}

// Steps and extents in units of `unit` bytes.
AxisList in_units(AxisList axes, int64_t itemsize, int64_t unit) {
  for (size_t d = 0; d < axes.size(); ++d) {
    AxisSteps& axis = axes[d];
    const bool dense =
        d + 1 == axes.size() && (axis.extent == 1 || (axis.from == 1 && axis.to == 1));
    if (dense) {
      axis = {axis.extent * itemsize / unit, 1, 1};
    } else {
      axis.from = axis.from * itemsize / unit;
      axis.to = axis.to * itemsize / unit;
    }
  }
  return axes;
}

template <int RankMax, int Count>
std::string instance(size_t slot) {
  return instance_name("move_pieces",
                       {unit_at(slot), std::to_string(RankMax), std::to_string(Count)});
}
template <int RankMax, int Count>
FunctionTable<unit_sizes> functions("move.cu", instance<RankMax, Count>);

template <int RankMax>
ByteRange range_of(const char* at, const Axes<RankMax>& axes, int64_t Axis::* step, int unit) {
  ByteRange range = ByteRange::of(at, unit);
  for (int d = 0; d < axes.rank; ++d) {
    range = range.along(axes.axis[d].extent, axes.axis[d].*step * unit);
  }
  return range;
}

// Adds a copy to the launch before it, where it is a copy too and neither writes what the other
// reads or writes.
template <int RankMax>
bool join_copy(int stream, const Function& function, const Piece<RankMax>& piece, int64_t blocks,
               int unit) {
  using Pair = Pieces<RankMax, 2>;
  return extend_last<Pair>(stream, function, [&](LaunchShape& shape, Pair& pair) {
    const Piece<RankMax>& first = pair.piece[0];
    ByteRange from = range_of(first.from, first.axes, &Axis::from, unit);
    ByteRange to = range_of(first.to, first.axes, &Axis::to, unit);
    ByteRange own_to = range_of(piece.to, piece.axes, &Axis::to, unit);
    bool apart = own_to.apart_from(from) && own_to.apart_from(to) &&
                 range_of(piece.from, piece.axes, &Axis::from, unit).apart_from(to);
    if (pair.count != 1 || !apart || shape.grid.x + blocks > blocks_max) return false;
    pair.piece[1] = piece;
    pair.piece[1].first_block = shape.grid.x;
    pair.count = 2;
    shape.grid.x += static_cast<unsigned>(blocks);
    return true;
  });
}

template <int RankMax, int Count>
void launch_copies(const KernelCall& call, std::span<const Copy> copies, int64_t itemsize,
                   int unit) {
  Pieces<RankMax, Count> pieces{};
  int64_t blocks = 0;
  for (const Copy& copy : copies) {
    Piece<RankMax>& piece = pieces.piece[pieces.count++];
    piece.from = copy.from;
    piece.to = copy.to;
    piece.first_block = blocks;
    piece.axes = packed_axes<RankMax>(call, in_units(copy.axes, itemsize, unit));
    blocks += ceil_div(piece.axes.count, block_units);
  }
  const Function& function = functions<RankMax, Count>.at(unit_slot(unit));
  if constexpr (Count == 2) {
    if (pieces.count == 1 && join_copy(call.stream, function, pieces.piece[0], blocks, unit)) {
      return;
    }
  }
  launch(call.stream, function, {{static_cast<unsigned>(blocks)}, {256}}, pieces);
}

// Up to 4 axes and many pieces, or few pieces of any rank.
constexpr int usual_rank = 4, usual_count = 16, largest_rank = 16, largest_count = 2;

void move(const KernelCall& call, std::span<Copy> copies) {
  const int64_t itemsize = call.node->type().size();
  bool usual = true;
  for (Copy& copy : copies) {
    merge_axes(copy.axes);
    usual = usual && copy.axes.size() <= usual_rank;
  }
  const size_t group = usual ? usual_count : largest_count;
  for (size_t k = 0; k < copies.size(); k += group) {
    std::span<Copy> part = copies.subspan(k, std::min(group, copies.size() - k));
    const int unit = unit_of(part, itemsize);
    if (!usual) launch_copies<largest_rank, largest_count>(call, part, itemsize, unit);
    else if (part.size() <= 2) launch_copies<usual_rank, 2>(call, part, itemsize, unit);
    else launch_copies<usual_rank, usual_count>(call, part, itemsize, unit);
  }
}

AxisList axes_of(const Operand& operand, const Strides& to) {
  AxisList axes;
  Strides from = strides_of(operand);
  for (size_t d = 0; d < operand.shape->size(); ++d) {
    axes.push_back({(*operand.shape)[d], from[d], to[d]});
  }
  return axes;
}

}  // namespace

void kernel_concatenate(const KernelCall& call) {
  const int axis = params<AxisParams>(call.node).axis;
  const int64_t itemsize = call.node->type().size();
  Strides to = dense_strides(*call.output.shape);
  char* at = device_data<char>(call.output);
  std::vector<Copy> copies;
  copies.reserve(call.inputs.size());
  for (const Operand& input : call.inputs) {
    if (input.size() > 0) copies.push_back({device_data<char>(input), at, axes_of(input, to)});
    at += input.extent(axis) * to[static_cast<size_t>(axis)] * itemsize;
  }
  move(call, copies);
}

// Inputs: values (already in the output), update.
void kernel_slice_update(const KernelCall& call) {
  const Operand& update = call.inputs[1];
  const size_t rank = update.shape->size();
  if (update.size() == 0) return;
  Strides to = dense_strides(*call.output.shape);
  int64_t first = 0;
  auto part = params<SliceParams>(call.node);
  for (size_t d = 0; d < rank; ++d) {
    first += part.starts[d] * to[d];
    to[d] *= part.strides[d];
  }
  const int64_t itemsize = call.node->type().size();
  char* at = device_data<char>(call.output) + first * itemsize;
  if (write_with_rope(call.stream, update, at, to)) return;
  Copy copy{device_data<char>(update), at, axes_of(update, to)};
  move(call, {&copy, 1});
}

}  // namespace lazuli::cuda
