// Products of some tens of rows with levels of four bits (nibble_tiles.cuh).
#include "backends/cuda/kernels/levels/nibble_tiles.h"

#include <algorithm>
#include <optional>

#include "backends/cuda/kernels/function_table.h"

namespace lazuli::cuda {
namespace {

// As in nibble_tiles.cuh.
struct TilePlan {
  int stages, share;
};

// A product for nibble_tiles.cuh: levels of four bits, some tens of rows of a half type.
struct NibbleTiles {
  static constexpr int64_t stages_max = 8;
  static constexpr unsigned threads = 20 * 32;
  static constexpr int64_t block_rows = 128;
  static constexpr int counts[] = {2, 4, 8};  // of 8 columns

  const LevelFormat& format;
  const LevelProduct& product;

  size_t which() const {
    size_t i = 0;
    while (counts[i] * 8 < product.m) ++i;
    return i;
  }
  // As TileShape and TileStage have it.
  int64_t columns() const { return counts[which()] * 8; }
  int64_t sums_bytes() const { return columns() * block_rows * 4; }
  int64_t stage_bytes() const {
    return block_rows * (144 + (format.packed ? 0 : 32)) + 32 * (columns() * 16 + 16);
  }
  int64_t stages() const {
    int64_t bytes = gpu().shared_bytes_max - 1536;  // less what the driver takes
    return std::clamp<int64_t>((bytes - sums_bytes()) / stage_bytes(), 0, stages_max);
  }
  bool suits(int64_t row_bytes, const LevelPart* parts, size_t count) const {
    return product.m > level_rows_max && product.m <= level_columns_max &&
           product.dtype != Dtype::Val::float32 &&
           are_nibbles(product, format, row_bytes, parts, count) && stages() >= 2;
  }
  // Whole tiles where that is nearly as even, or where there are more than counters; otherwise so
  // many chunks that their levels take longer than what is left of their sums.
  int share(int64_t tiles) const {
    int64_t chunks = product.k / 256, blocks = gpu().multiprocessors;
    int64_t whole = ceil_div(tiles, blocks) * chunks, even = ceil_div(tiles * chunks, blocks);
    if (whole * 5 <= even * 6 || tiles > counters_max) return static_cast<int>(whole);
    return static_cast<int>(std::max<int64_t>({even, 2, columns() / 16}));
  }
  const Function& function() const;
  void launch_all(const LevelRows& p) const {
    TilePlan plan{static_cast<int>(stages()), share(p.tiles)};
    int64_t chunks = product.k / 256, blocks = ceil_div(p.tiles * chunks, plan.share);
    std::optional<Scratch> parts;
    if (plan.share % chunks != 0) {
      parts.emplace(product.stream, static_cast<size_t>(blocks * 2 * sums_bytes()));
    }
    launch(product.stream, function(),
           {{static_cast<unsigned>(blocks)},
            {threads},
            static_cast<unsigned>(sums_bytes() + plan.stages * stage_bytes())},
           p, plan, parts ? parts->data<float>() : nullptr, counters_of(product.stream));
  }
};

// By dtype and columns; of affine levels, groups of 64 and 128.
std::string nibble_tiles_name(const std::string& levels, size_t slot) {
  Dtype::Val dtype = float_types[slot / 3 % 2 + 1];
  return instance_name("nibble_tiles",
                       {levels, device_type(dtype), std::to_string(NibbleTiles::counts[slot % 3])});
}
FunctionTable<12> affine_nibble_tiles("quantized_rows.cu", [](size_t slot) {
  return nibble_tiles_name(
      instance_name("AffineNibbles",
                    {slot / 6 ? "128" : "64", device_type(float_types[slot / 3 % 2 + 1])}),
      slot);
});
FunctionTable<6> packed_nibble_tiles("packed_rows.cu", [](size_t slot) {
  return nibble_tiles_name("KNibbles", slot);
});

const Function& NibbleTiles::function() const {
  size_t slot = (float_slot(product.dtype) - 1) * 3 + which();
  if (format.packed) return packed_nibble_tiles.at(slot);
  return affine_nibble_tiles.at(slot + (format.group == 128 ? 6 : 0));
}

}  // namespace

void place_parts(LevelRows& p, const LevelPart* parts, size_t count, int rows) {
  LevelMatrices& m = p.matrices;
  m.count = static_cast<int>(count);
  p.settled = true;
  int64_t tiles = 0;
  for (size_t i = 0; i < count; ++i) {
    m.w[i] = parts[i].w;
    m.scales[i] = parts[i].scales;
    m.biases[i] = parts[i].biases;
    m.rows[i] = parts[i].rows;
    m.out[i] = parts[i].column;
    m.first_tile[i] = static_cast<int>(tiles);
    if (!parts[i].settled) p.settled = false;
    tiles += ceil_div(parts[i].rows, rows);
  }
  m.first_tile[count] = static_cast<int>(tiles);
  p.tiles = static_cast<int>(tiles);
}

int64_t nibble_scales_bytes(const LevelProduct& product, const LevelFormat& format) {
  return format.packed ? 0 : product.k / format.group * dtype_of(product.dtype).size();
}

bool are_nibbles(const LevelProduct& product, const LevelFormat& format, int64_t row_bytes,
                 const LevelPart* parts, size_t count) {
  bool packed = format.packed && format.format == PackedFormat::q4_k;
  bool affine = !format.packed && format.bits == 4 && format.group >= 64 && format.aligned;
  if (!packed && !affine) return false;
  if (product.k % 256 != 0 || row_bytes % 16 != 0) return false;
  for (size_t i = 0; affine && i < count; ++i) {
    if (reinterpret_cast<uintptr_t>(parts[i].scales) % 16 != 0) return false;
    if (reinterpret_cast<uintptr_t>(parts[i].biases) % 16 != 0) return false;
    if (parts[i].rows * nibble_scales_bytes(product, format) % 16 != 0) return false;
  }
  return true;
}

bool multiply_nibble_tiles(const LevelProduct& product, const LevelFormat& format, LevelRows p,
                           const LevelPart* parts, size_t count) {
  NibbleTiles tiles{format, product};
  if (!tiles.suits(p.row_bytes, parts, count)) return false;
  for (size_t first = 0; first < count; first += matrices_max) {
    place_parts(p, parts + first, std::min<size_t>(matrices_max, count - first),
                static_cast<int>(tiles.block_rows));
    tiles.launch_all(p);
  }
  return true;
}

}  // namespace lazuli::cuda
