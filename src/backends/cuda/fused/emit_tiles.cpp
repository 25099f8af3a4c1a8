// Where operands are contiguous along another dimension than the results (transposed ones): a
// block computes a square tile of the two dimensions. Such operands are read along theirs, into
// shared memory, and taken from there along the results'.
#include "backends/cuda/fused/emitter.h"

namespace lazuli::cuda {
namespace {

class TilesEmitter : public Emitter {
 public:
  TilesEmitter(const FusedStep& step, const Variant& variant) : Emitter(step, variant) {}

 private:
  int last() const { return variant_.inner_rank - 1; }
  std::string extent(int d) const { return "(index_t)" + slot(slots_.inner + 3 * d); }
  std::string axis(int d) const { return "x" + number(d); }

  void functions() override {
    std::string side = number(tile_side);
    open_kernel(elements_threads);
    constants();
    single_operands("");
    for (uint16_t v = 0; v < count(); ++v) {
      if (access(v) != Access::tiled) continue;
      // An odd number of words a line: neither direction meets a bank twice.
      line("__shared__ " + stored_type(v) + " tile" + number(v) + "[" + side + "][" + side +
           " + (sizeof(" + stored_type(v) + ") < 4 ? 4 / sizeof(" + stored_type(v) + ") : 1)];");
    }
    batch();
    line("const int lane = threadIdx.x % " + side + ", first = threadIdx.x / " + side + ";");
    read_tiles();
    line("__syncthreads();");
    write_tile();
    close();
  }

  // Coordinates along the other dimensions, from the blocks' third index.
  void batch() {
    line("index_t batch = blockIdx.z;");
    for (int d = last(); d-- > 0;) {
      if (d == variant_.tile_axis) continue;
      line("const index_t " + axis(d) + " = batch % " + extent(d) + ";");
      line("batch /= " + extent(d) + ";");
    }
    std::string side = number(tile_side);
    line("const index_t row = (index_t)blockIdx.y * " + side + ", column = (index_t)blockIdx.x * " +
         side + ";");
  }

  void open_lines() {
    std::string step = number(elements_threads / tile_side);
    open_unrolled("for (int k = first; k < " + number(tile_side) + "; k += " + step + ")");
  }

  void read_tiles() {
    open_lines();
    line("const index_t " + axis(variant_.tile_axis) + " = row + lane, " + axis(last()) +
         " = column + k;");
    line("if (" + axis(variant_.tile_axis) + " >= " + extent(variant_.tile_axis) + " || " +
         axis(last()) + " >= " + extent(last()) + ") continue;");
    for (uint16_t v = 0; v < count(); ++v) {
      if (access(v) != Access::tiled) continue;
      line("tile" + number(v) + "[k][lane] = " + pointer(v) + "[" + inner_offset(v) + "];");
    }
    close();
  }

  // Position of the element in a dense value.
  std::string dense_position() const {
    std::string at = "(int64_t)x0";
    for (int d = 1; d <= last(); ++d) at = "(" + at + ") * " + extent(d) + " + " + axis(d);
    return at;
  }

  void write_tile() {
    open_lines();
    line("constexpr int n = 0, e = 0;");
    line("const index_t " + axis(variant_.tile_axis) + " = row + k, " + axis(last()) +
         " = column + lane;");
    line("if (" + axis(variant_.tile_axis) + " >= " + extent(variant_.tile_axis) + " || " +
         axis(last()) + " >= " + extent(last()) + ") continue;");
    line("const int64_t i = " + dense_position() + ";");
    for (uint16_t v = 0; v < count(); ++v) {
      if (!is_full_operand(v)) continue;
      line("Vector<" + stored_type(v) + ", V> a" + number(v) + "[1];");
      if (access(v) == Access::tiled) {
        line("a" + number(v) + "[0][0] = tile" + number(v) + "[lane][k];");
      } else {
        load(v, pointer(v), "i", "a" + number(v) + "[0]");
      }
    }
    declare_stores(0);
    compute(swept(step_, 0, false), 0, false);
    fill_stores(0);
    stores(0, "i", false);
    close();
  }
};

}  // namespace

std::string emit_tiles(const FusedStep& step, const Variant& variant) {
  return TilesEmitter(step, variant).run();
}

}  // namespace lazuli::cuda
