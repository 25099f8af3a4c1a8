// Products of few rows with levels that come in slabs (slab_rows.cuh).
#include "backends/cuda/kernels/levels/slab_rows.h"

#include <algorithm>
#include <array>

#include "backends/cuda/kernels/byte_range.h"
#include "backends/cuda/kernels/function_table.h"

namespace lazuli::cuda {
namespace {

// The name in device code of levels that become signed bytes; empty of other formats.
std::string bytes_name(PackedFormat format) {
  switch (format) {
    case PackedFormat::q4_0: return "SlabBlocks<18>";
    case PackedFormat::q5_0: return "SlabBlocks<22>";
    case PackedFormat::q8_0: return "SlabBlocks<34>";
    case PackedFormat::q6_k: return "SlabSixBits";
    default: return "";
  }
}

// As in slab_rows.cuh.
struct SlabPlan {
  int stages, chunks, row_bytes, bytes;
  int scale_slots, scales_bytes;
  int dense, apart;
};

// A product for slab_rows.cuh.
struct SlabRows {
  static constexpr int slab_warps = 8, stages_max = 8, sum_slots = 2;

  const LevelFormat& format;
  const LevelProduct& product;

  // As in slab_rows.cuh: so many at most are there.
  int columns() const { return product.m == 1 ? 1 : is_nibbles() ? 8 : 4; }
  bool are_planes() const { return columns() < 8; }
  bool is_nibbles() const { return !format.packed || format.format == PackedFormat::q4_k; }
  // Of rows of x as planes with zeros, units and sums.
  int64_t planes_bytes() const {
    int64_t each = product.k / 64 * (3 * 64 + 3 * 4) + 16;
    return are_planes() ? product.m * (ceil_div(each, 16) * 16) : 0;
  }
  int64_t scales_bytes() const { return nibble_scales_bytes(product, format); }

  bool suits(int64_t row_bytes, const LevelPart* parts, size_t count) const {
    if (product.m > level_rows_max) return false;
    if (is_nibbles()) {
      if (!are_nibbles(product, format, row_bytes, parts, count)) return false;
      if (product.dtype == Dtype::Val::float32 && !are_planes()) return false;
    } else if (!are_bytes(parts, count)) {
      return false;
    }
    return plan(row_bytes, stages_max, 1, slab_warps).stages >= 2;
  }
  // Whether levels become signed bytes, and rows lie where they may be copied and read. Sixteen
  // scales a chunk leave no registers for more than one row of x.
  bool are_bytes(const LevelPart* parts, size_t count) const {
    if (bytes_name(format.format).empty() || product.k % 64 != 0) return false;
    if (product.m > (format.format == PackedFormat::q6_k ? 1 : 4)) return false;
    return std::all_of(parts, parts + count, [](const LevelPart& part) {
      return reinterpret_cast<uintptr_t>(part.w) % 16 == 0;
    });
  }
  int64_t sums_bytes() const { return sum_slots * slab_warps * columns() * tile_rows * 4; }
  int64_t bytes(int64_t stages, int64_t slab, int64_t slots) const {
    return sums_bytes() + stages * slab + slots * 2 * tile_rows * scales_bytes() + planes_bytes();
  }
  // Of so many blocks to a multiprocessor.
  SlabPlan plan(int64_t row_bytes, int64_t tiles_each, int64_t blocks, int64_t most_chunks) const {
    // Slabs of about one size. Lanes of eight rows read different banks, 4 or 8 bytes each.
    int64_t chunks = ceil_div(product.k, 256);
    int64_t each = ceil_div(chunks, ceil_div(chunks, most_chunks)), row = each * format.chunk_bytes;
    bool even = row_bytes % 16 == 0 && format.chunk_bytes % 16 == 0;
    bool dense = row_bytes % 16 != 0 && each == chunks;
    if (!even) row = ceil_div(row + 14, 16) * 16;
    while (row % 128 != (is_nibbles() ? 32 : 16)) row += 16;
    if (dense) row = row_bytes;
    int64_t slab = tile_rows * row, slabs = ceil_div(chunks, each), slots = 0;
    int64_t stages = std::min<int64_t>(stages_max, slabs * tiles_each);
    int64_t most = gpu().shared_bytes_max / blocks - 1536;  // less what the driver takes
    // A tile's scales are replaced when all of its slabs have been used.
    auto fits = [&] {
      slots = std::min(ceil_div(stages - 1, slabs) + 1, tiles_each);
      return bytes(stages, slab, slots) <= most;
    };
    while (!fits() && stages > 0) --stages;
    // Warps that wait for their own slabs only, where each gets some.
    bool apart =
        are_planes() && format.packed && chunks <= slab_warps / 2 && tiles_each >= slab_warps;
    return {static_cast<int>(stages),
            static_cast<int>(each),
            static_cast<int>(row),
            static_cast<int>(slab),
            static_cast<int>(slots),
            static_cast<int>(scales_bytes()),
            dense,
            apart};
  }
  const Function& function() const;
  LaunchShape place(const LevelRows& p, SlabPlan& plan) const {
    // Two blocks share a multiprocessor where there is room: they wait at different times.
    int64_t blocks = std::min<int64_t>(p.tiles, 2 * gpu().multiprocessors);
    int64_t tiles = ceil_div(p.tiles, blocks), most = slab_warps;
    // Four small slabs rather than two large ones, where they are copied row by row anyway.
    plan = this->plan(p.row_bytes, stages_max, 2, most / 2);
    bool large = format.chunk_bytes > 256 && p.row_bytes % 16 == 0;
    if (large && plan.stages >= (product.m == 1 ? 4 : 3)) most /= 2;
    plan = this->plan(p.row_bytes, tiles, 2, most);
    if (plan.stages < std::min<int64_t>(2, tiles * ceil_div(product.k, plan.chunks * 256))) {
      blocks = std::min<int64_t>(p.tiles, gpu().multiprocessors);
      plan = this->plan(p.row_bytes, ceil_div(p.tiles, blocks), 1, most);
    }
    return {{static_cast<unsigned>(blocks)},
            {(slab_warps + 2) * 32},
            static_cast<unsigned>(bytes(plan.stages, plan.bytes, plan.scale_slots))};
  }
  // What the product reads of a matrix of levels, and what it writes.
  std::array<ByteRange, 3> read_of(const LevelRows& p, int i) const {
    const LevelMatrices& m = p.matrices;
    return {ByteRange::of(m.w[i], m.rows[i] * p.row_bytes),
            ByteRange::of(m.scales[i], m.rows[i] * scales_bytes()),
            ByteRange::of(m.biases[i], m.rows[i] * scales_bytes())};
  }
  ByteRange written_of(const LevelRows& p, int i) const {
    int64_t item = dtype_of(product.dtype).size();
    const LevelMatrices& m = p.matrices;
    return ByteRange::of(static_cast<char*>(p.out) + m.out[i] * item, m.rows[i] * item)
        .along(p.columns, p.out_stride * item);
  }
  // Adds the matrices of `one` to `all`, where they are products of the same x and neither writes
  // what the other reads or writes.
  bool join(LevelRows& all, const LevelRows& one) const {
    bool same = all.x == one.x && all.x_stride == one.x_stride && all.k == one.k &&
                all.columns == one.columns && all.row_bytes == one.row_bytes &&
                (one.columns == 1 || all.out_stride == one.out_stride);
    LevelMatrices &m = all.matrices, added = one.matrices;
    int64_t item = dtype_of(product.dtype).size();
    int64_t offset = static_cast<char*>(one.out) - static_cast<char*>(all.out);
    if (!same || m.count + added.count > matrices_max || offset % item != 0) return false;
    ByteRange x = ByteRange::of(all.x, all.k * item).along(all.columns, all.x_stride * item);
    for (int i = 0; i < m.count; ++i) {
      if (!written_of(all, i).apart_from(x)) return false;
      for (int j = 0; j < added.count; ++j) {
        if (!written_of(all, i).apart_from(written_of(one, j))) return false;
        for (const ByteRange& read : read_of(one, j)) {
          if (!written_of(all, i).apart_from(read)) return false;
        }
        for (const ByteRange& read : read_of(all, i)) {
          if (!written_of(one, j).apart_from(read)) return false;
        }
      }
    }
    for (int j = 0; j < added.count; ++j, ++m.count) {
      m.w[m.count] = added.w[j];
      m.scales[m.count] = added.scales[j];
      m.biases[m.count] = added.biases[j];
      m.rows[m.count] = added.rows[j];
      m.out[m.count] = added.out[j] + offset / item;
      m.first_tile[m.count + 1] =
          m.first_tile[m.count] + (added.first_tile[j + 1] - added.first_tile[j]);
    }
    all.tiles = m.first_tile[m.count];
    all.settled = all.settled && one.settled;
    return true;
  }
  // Makes one launch of this product and the one before it, or queues one of its own.
  void launch_joined(const LevelRows& p) const {
    bool joined = extend_last<LevelRows, SlabPlan>(
        product.stream, function(), [&](LaunchShape& shape, LevelRows& all, SlabPlan& plan) {
          if (!join(all, p)) return false;
          shape = place(all, plan);
          function().allow_shared_bytes(shape.shared_bytes);
          return true;
        });
    if (joined) return;
    SlabPlan plan;
    LaunchShape shape = place(p, plan);
    launch(product.stream, function(), shape, p, plan);
  }
};

std::string slabs_name(const std::string& levels, Dtype::Val dtype, int columns) {
  return instance_name("slab_rows", {levels, device_type(dtype), std::to_string(columns)});
}
// By dtype, and whether it is one row; of affine levels, groups of 64 and 128.
std::string nibbles_name(const std::string& levels, size_t slot) {
  Dtype::Val dtype = float_types[slot / 2 % 3];
  bool one = slot % 2 != 0;
  if (dtype == Dtype::Val::float32 && !one) return "";
  return slabs_name(levels, dtype, one ? 1 : 8);
}
FunctionTable<12> affine_slabs("quantized_rows.cu", [](size_t slot) {
  return nibbles_name(instance_name("AffineNibbles", {slot / 6 ? "128" : "64",
                                                      device_type(float_types[slot / 2 % 3])}),
                      slot);
});
FunctionTable<6> nibble_slabs("packed_rows.cu",
                              [](size_t slot) { return nibbles_name("KNibbles", slot); });
// By format, dtype, and whether it is one row.
FunctionTable<packed_format_count * 6> byte_slabs("packed_rows.cu", [](size_t slot) {
  auto format = static_cast<PackedFormat>(slot / 6);
  bool one = slot % 2 != 0;
  if (bytes_name(format).empty() || (!one && format == PackedFormat::q6_k)) return std::string();
  return slabs_name(bytes_name(format), float_types[slot / 2 % 3], one ? 1 : 4);
});

const Function& SlabRows::function() const {
  size_t slot = float_slot(product.dtype) * 2 + (product.m == 1 ? 1 : 0);
  if (!format.packed) return affine_slabs.at(slot + (format.group == 128 ? 6 : 0));
  if (is_nibbles()) return nibble_slabs.at(slot);
  return byte_slabs.at(static_cast<size_t>(format.format) * 6 + slot);
}

}  // namespace

bool multiply_slab_rows(const LevelProduct& product, const LevelFormat& format, LevelRows p,
                        const LevelPart* parts, size_t count) {
  SlabRows slabs{format, product};
  if (!slabs.suits(p.row_bytes, parts, count)) return false;
  p.columns = static_cast<int>(product.m);  // a row of floats is one column here
  for (size_t first = 0; first < count; first += matrices_max) {
    place_parts(p, parts + first, std::min<size_t>(matrices_max, count - first));
    slabs.launch_joined(p);
  }
  return true;
}

}  // namespace lazuli::cuda
