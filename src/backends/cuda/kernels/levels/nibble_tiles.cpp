// Products of some tens of rows with levels of four bits (nibble_tiles.cuh, nibble_groups.cuh).
#include "backends/cuda/kernels/levels/nibble_tiles.h"

#include <algorithm>
#include <optional>

#include "backends/cuda/kernels/function_table.h"

namespace lazuli::cuda {
namespace {

// As in nibble_pieces.cuh.
struct TilePlan {
  int stages, share;
};

// How many tiles of so many rows matrices have.
int64_t count_tiles(const LevelPart* parts, size_t count, int64_t rows) {
  int64_t tiles = 0;
  for (size_t i = 0; i < count; ++i) tiles += ceil_div(parts[i].rows, rows);
  return tiles;
}

// A product for these kernels: levels of four bits, some tens of rows of a half type.
struct NibbleTiles {
  static constexpr int64_t stages_max = 8, group_rows = 128;
  static constexpr int counts[] = {2, 4, 8};  // of 8 columns

  const LevelFormat& format;
  const LevelProduct& product;
  bool groups = false;  // nibble_groups.cuh; else nibble_tiles.cuh

  size_t which() const {
    size_t i = 0;
    while (counts[i] * 8 < product.m) ++i;
    return i;
  }
  bool many() const { return counts[which()] > 4; }
  // Whether matrices go by nibble_groups.cuh: on chips of sm_90a more than 16 columns do, unless
  // they are many, levels affine and tiles enough for most multiprocessors: then the other is
  // faster.
  bool want_groups(const LevelPart* parts, size_t count) const {
    if (gpu().capability != 90 || which() == 0) return false;
    return format.packed || !many() ||
           count_tiles(parts, count, group_rows) * 2 <= gpu().multiprocessors;
  }
  // As TileShape and TileStage have it, or GroupShape and GroupStage.
  unsigned threads() const { return (groups ? 20 : 12) * 32; }
  int64_t blocks_each() const { return groups || many() ? 1 : 2; }
  int64_t block_rows() const { return groups ? group_rows : many() ? 128 : 64; }
  int64_t columns() const { return counts[which()] * 8; }
  int64_t sums_bytes() const { return columns() * (block_rows() + (groups ? 0 : 4)) * 4; }
  int64_t stage_bytes() const {
    int64_t scales = format.packed ? 0 : 32;
    if (groups) return block_rows() * (144 + scales) + 32 * (columns() * 16 + 16);
    return block_rows() * (160 + scales) + columns() * (format.packed ? 576 : 528);
  }
  // What a block leaves of a tile.
  int64_t part_bytes() const { return (groups ? columns() : product.m) * block_rows() * 4; }
  int64_t stages() const {
    int64_t bytes = gpu().shared_bytes_max / blocks_each() - 1536;  // less what the driver takes
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
    int64_t chunks = product.k / 256, blocks = gpu().multiprocessors * blocks_each();
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
      parts.emplace(product.stream, static_cast<size_t>(blocks * 2 * part_bytes()));
    }
    launch(product.stream, function(),
           {{static_cast<unsigned>(blocks)},
            {threads()},
            static_cast<unsigned>(sums_bytes() + plan.stages * stage_bytes())},
           p, plan, parts ? parts->data<float>() : nullptr, counters_of(product.stream));
  }
};

// Of half types and so many of the counts of columns, the last ones; no group for Q4_K.
std::string nibble_name(const char* kernel, const char* group, size_t counts, size_t slot) {
  std::string dtype = device_type(float_types[slot / counts + 1]);
  std::string levels = group ? instance_name("AffineNibbles", {group, dtype}) : "KNibbles";
  int columns = NibbleTiles::counts[std::size(NibbleTiles::counts) - counts + slot % counts];
  return instance_name(kernel, {levels, dtype, std::to_string(columns)});
}
FunctionTable<12> affine_nibble_tiles("quantized_rows.cu", [](size_t slot) {
  return nibble_name("nibble_tiles", slot / 6 ? "128" : "64", 3, slot % 6);
});
FunctionTable<6> packed_nibble_tiles("packed_rows.cu", [](size_t slot) {
  return nibble_name("nibble_tiles", nullptr, 3, slot);
});
FunctionTable<8> affine_nibble_groups("quantized_rows.cu", [](size_t slot) {
  return nibble_name("nibble_groups", slot / 4 ? "128" : "64", 2, slot % 4);
});
FunctionTable<4> packed_nibble_groups("packed_rows.cu", [](size_t slot) {
  return nibble_name("nibble_groups", nullptr, 2, slot);
});

const Function& NibbleTiles::function() const {
  size_t kinds = groups ? 2 : std::size(counts), half = float_slot(product.dtype) - 1;
  size_t slot = half * kinds + which() - (std::size(counts) - kinds);
  if (!format.packed && format.group == 128) slot += 2 * kinds;
  if (groups) return format.packed ? packed_nibble_groups.at(slot) : affine_nibble_groups.at(slot);
  return format.packed ? packed_nibble_tiles.at(slot) : affine_nibble_tiles.at(slot);
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
  tiles.groups = tiles.want_groups(parts, count);
  if (!tiles.suits(p.row_bytes, parts, count)) return false;
  for (size_t first = 0; first < count; first += matrices_max) {
    place_parts(p, parts + first, std::min<size_t>(matrices_max, count - first),
                static_cast<int>(tiles.block_rows()));
    tiles.launch_all(p);
  }
  return true;
}

}  // namespace lazuli::cuda
