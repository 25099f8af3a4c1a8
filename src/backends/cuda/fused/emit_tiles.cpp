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
      // An odd number of words a line: few columns of a warp meet in a bank.
      line("__shared__ alignas(16) " + stored_type(v) + " tile" + number(v) + "[" + side + "][" +
           side + " + (sizeof(" + stored_type(v) + ") < 4 ? 4 / sizeof(" + stored_type(v) +
           ") : 1)];");
    }
    batch();
    line("const int lane = threadIdx.x % (" + side + " / V) * V, first = threadIdx.x / (" + side +
         " / V);");
    line("const bool whole = row + " + side + " <= " + extent(variant_.tile_axis) +
         " && column + " + side + " <= " + extent(last()) + ";");
    twice(&TilesEmitter::read_tiles);
    line("__syncthreads();");
    twice(&TilesEmitter::write_tile);
    close();
  }

  // Without a branch around every access in the tiles that are whole.
  void twice(void (TilesEmitter::*part)(bool)) {
    open("if (whole)");
    (this->*part)(true);
    close();
    open("else");
    (this->*part)(false);
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

  // Lines `k` of the tile that this thread has a vector of.
  void open_lines() {
    std::string lines = number(elements_threads) + " / (" + number(tile_side) + " / V)";
    open_unrolled("for (int n = 0; n < " + number(tile_side) + " / (" + lines + "); ++n)");
    line("const int k = first + n * (" + lines + ");");
  }
  void skip_outside(bool whole) {
    if (whole) return;
    line("if (" + axis(variant_.tile_axis) + " >= " + extent(variant_.tile_axis) + " || " +
         axis(last()) + " >= " + extent(last()) + ") continue;");
  }

  void read_tiles(bool whole) {
    std::string lines = number(tile_side * tile_side / elements_threads) + " / V";
    for (uint16_t v = 0; v < count(); ++v) {
      if (access(v) != Access::tiled) continue;
      line("Read<" + stored_type(v) + ", V> a" + number(v) + "[" + lines + "];");
    }
    open_lines();
    line("const index_t " + axis(variant_.tile_axis) + " = row + lane, " + axis(last()) +
         " = column + k;");
    skip_outside(whole);
    for (uint16_t v = 0; v < count(); ++v) {
      if (access(v) != Access::tiled) continue;
      line("a" + number(v) + "[n].load(" + pointer(v) + " + " + inner_offset(v) + ");");
    }
    close();
    open_lines();
    for (uint16_t v = 0; v < count(); ++v) {
      if (access(v) != Access::tiled) continue;
      line("store_words(&tile" + number(v) + "[k][lane], a" + number(v) + "[n]);");
    }
    close();
  }

  // Position of the first element of the vector in a dense value.
  std::string dense_position() const {
    std::string at = "(int64_t)x0";
    for (int d = 1; d <= last(); ++d) at = "(" + at + ") * " + extent(d) + " + " + axis(d);
    return at;
  }

  void write_tile(bool whole) {
    open_lines();
    line("const index_t " + axis(variant_.tile_axis) + " = row + k, " + axis(last()) +
         " = column + lane;");
    skip_outside(whole);
    line("const int64_t i = " + dense_position() + ";");
    for (uint16_t v = 0; v < count(); ++v) {
      if (!is_full_operand(v) || access(v) == Access::tiled) continue;
      line("Read<" + stored_type(v) + ", V> a" + number(v) + "[1];");
      load(v, pointer(v), "i", "a" + number(v) + "[0]");
    }
    declare_stores(0);
    open_unrolled("for (int e = 0; e < V; ++e)");
    for (uint16_t v = 0; v < count(); ++v) {
      if (access(v) != Access::tiled) continue;
      line(declared(v) + "static_cast<" + type(v) + ">(tile" + number(v) + "[lane + e][k]);");
    }
    line("constexpr int n = 0;");
    compute(swept(step_, 0, false), 0, false);
    fill_stores(0);
    close();
    stores(0, "i", false);
    close();
  }
};

}  // namespace

std::string emit_tiles(const FusedStep& step, const Variant& variant) {
  return TilesEmitter(step, variant).run();
}

}  // namespace lazuli::cuda
