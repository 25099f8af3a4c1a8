#include "backends/cuda/kernels/levels/level_rows.h"

#include <algorithm>
#include <array>
#include <optional>

#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/kernels/levels/slab_rows.h"

namespace lazuli::cuda {
namespace {

constexpr int warps_max = 8;
constexpr int64_t planes_bytes_max = 96 << 10, inner_max = int64_t{1} << 30;
constexpr int tile_counts[] = {1, 2, 3, 4, 8};  // of 8 columns; those that there are instances for
constexpr int block_warps = 8;

// Bytes of the slot for a row of a chunk, as level_rows.cuh counts them.
int64_t slot_bytes(const LevelFormat& format) {
  int64_t bytes = ceil_div(format.chunk_bytes + (format.aligned ? 0 : 14 + 8), 16) * 16;
  while (bytes % 128 != (format.long_words ? 32 : 16)) bytes += 16;
  return bytes;
}

// What a launch depends on besides pointers and sizes.
struct Variant {
  LevelFormat format;
  Dtype::Val dtype;
  size_t tiles;  // index in tile_counts
  bool shared;  // whether planes of x lie in shared memory

  size_t slot() const {
    return ((static_cast<size_t>(format.id) * float_count + float_slot(dtype)) *
                std::size(tile_counts) +
            tiles) *
               2 +
           shared;
  }
  static Variant at(size_t slot) {
    size_t tiles = slot / 2 % std::size(tile_counts), rest = slot / 2 / std::size(tile_counts);
    return {LevelFormat::at(static_cast<int>(rest / float_count)), float_types[rest % float_count],
            tiles, slot % 2 != 0};
  }
  // Planes lie in shared memory where they are a few.
  bool may_share() const { return plain() && tiles == 0; }
  bool plain() const { return dtype == Dtype::Val::float32; }
  const char* type_of_x() const { return plain() ? "bfloat_t" : device_type(dtype); }
  int columns() const { return tile_counts[tiles] * 8; }
};
constexpr size_t variants = LevelFormat::count * float_count * std::size(tile_counts) * 2;

// Columns of so many rows of x: those of floats are three planes.
int64_t columns_of(Dtype::Val dtype, int64_t rows) {
  return dtype == Dtype::Val::float32 ? rows * 3 : rows;
}

template <bool Packed>
std::string rows_instance(size_t slot) {
  Variant v = Variant::at(slot);
  bool few = v.columns() - 8 < columns_of(v.dtype, level_rows_max);
  if (v.format.packed != Packed || !few || (v.shared && !v.may_share())) return "";
  return instance_name("level_rows",
                       {v.format.device_name(v.dtype), v.type_of_x(), device_type(v.dtype),
                        std::to_string(tile_counts[v.tiles]), truth(v.shared)});
}
FunctionTable<variants> packed_rows("packed_rows.cu", rows_instance<true>);
FunctionTable<variants> affine_rows("quantized_rows.cu", rows_instance<false>);

template <bool Packed>
std::string tiles_instance(size_t slot) {
  Variant v = Variant::at(slot);
  bool many = v.columns() > columns_of(v.dtype, level_rows_max);
  if (v.format.packed != Packed || !many || v.shared) return "";
  return instance_name("level_tiles", {v.format.device_name(v.dtype), v.type_of_x(),
                                       std::to_string(tile_counts[v.tiles])});
}
FunctionTable<variants> packed_tiles("packed_rows.cu", tiles_instance<true>);
FunctionTable<variants> affine_tiles("quantized_rows.cu", tiles_instance<false>);

FunctionTable<float_count * std::size(tile_counts)> joins("quantized_rows.cu", [](size_t slot) {
  Dtype::Val dtype = float_types[slot / std::size(tile_counts)];
  int tiles = tile_counts[slot % std::size(tile_counts)];
  if (tiles * 8 <= columns_of(dtype, level_rows_max)) return std::string();
  return instance_name("level_join", {device_type(dtype), std::to_string(tiles)});
});

FunctionTable<1> splits("packed_rows.cu", [](size_t) { return std::string("split_planes"); });

struct Block {
  int64_t warps;
  unsigned shared_bytes;
};

// As many warps as there are chunks and shared memory for.
Block block_of(const Variant& v, const LevelRows& p) {
  int64_t chunks = ceil_div(p.k, 256), row = slot_bytes(v.format);
  int64_t slots = row * tile_rows * (row <= 160 ? 3 : 2);
  int64_t planes = v.shared ? int64_t{p.columns} * (p.k + 8) * 2 : 0;
  int64_t each = slots + tile_counts[v.tiles] * 8 * tile_rows * 2 * 4;
  int64_t fitting = (gpu().shared_bytes_max - planes) / each;
  int64_t warps = std::max<int64_t>(1, std::min<int64_t>({warps_max, chunks, fitting}));
  return {warps, static_cast<unsigned>(planes + warps * each)};
}

// How many blocks of this kind a multiprocessor runs; asked once for each kind.
int64_t resident_blocks(const Variant& v, const Function& function, const Block& block) {
  // The kind (shared bytes and warps), then the answer in the low bits.
  static std::array<std::atomic<int64_t>, variants> known{};
  int64_t kind = int64_t{block.shared_bytes} << 16 | block.warps << 8;
  int64_t last = known[v.slot()].load(std::memory_order_relaxed);
  if ((last & ~int64_t{255}) == kind) return last & 255;
  int threads = static_cast<int>(block.warps * 32);
  int blocks = std::clamp(function.blocks_per_multiprocessor(threads, block.shared_bytes), 1, 255);
  known[v.slot()].store(kind | blocks, std::memory_order_relaxed);
  return blocks;
}

void launch_rows(int stream, const Variant& variant, const LevelRows& p) {
  const Function& function = (variant.format.packed ? packed_rows : affine_rows).at(variant.slot());
  Block block = block_of(variant, p);
  int64_t resident = gpu().multiprocessors * resident_blocks(variant, function, block);
  launch(stream, function,
         {{static_cast<unsigned>(std::min<int64_t>(p.tiles, resident))},
          {32, static_cast<unsigned>(block.warps)},
          block.shared_bytes},
         p);
}

// As level_tiles.cuh lays it out: columns of x, then the warps' slots.
unsigned tiles_shared_bytes(const Variant& v) {
  int tiles = tile_counts[v.tiles], stages = tiles > 4 ? 2 : 3;
  int64_t stride = v.format.split ? 272 : 288;
  return static_cast<unsigned>(
      stages * (tiles * 8 * stride * 2 + block_warps * tile_rows * slot_bytes(v.format)));
}

void launch_tiles(int stream, const Variant& v, const LevelRows& p, unsigned shared_bytes) {
  int64_t blocks = ceil_div(p.tiles, block_warps), chunks = ceil_div(p.k, 256);
  // Two blocks for each multiprocessor, as long as the sums take less time than the levels.
  int64_t most = std::max<int64_t>(1, std::min(p.row_bytes / (8 * p.columns), chunks / 2));
  int64_t stretches = std::clamp<int64_t>(2 * gpu().multiprocessors / blocks, 1, most);
  int64_t each = ceil_div(chunks, stretches);
  stretches = ceil_div(chunks, each);
  Scratch parts(
      stream, static_cast<size_t>(stretches * p.tiles * tile_counts[v.tiles]) * 8 * tile_rows * 4);
  launch(stream, (v.format.packed ? packed_tiles : affine_tiles).at(v.slot()),
         {{static_cast<unsigned>(blocks), static_cast<unsigned>(stretches)},
          {32, block_warps},
          shared_bytes},
         p, static_cast<int>(each), parts.data());
  launch(stream, joins.at(float_slot(v.dtype) * std::size(tile_counts) + v.tiles),
         {{static_cast<unsigned>(p.tiles)}, {256}}, p, static_cast<int>(stretches), parts.data());
}

}  // namespace

LevelFormat LevelFormat::at(int id) {
  if (id < packed_format_count) return of(static_cast<PackedFormat>(id));
  int rest = id - packed_format_count, bits = rest / 6 + 2;
  return affine(bits == 7 ? 8 : bits, 32 << rest / 2 % 3, rest % 2 != 0);
}

LevelFormat LevelFormat::of(PackedFormat format) {
  const PackedFormatInfo& info = packed_format_info(format);
  bool aligned = format == PackedFormat::q4_k || format == PackedFormat::q5_k;
  bool split = !aligned && format != PackedFormat::q8_0;
  return {static_cast<int>(format),
          true,
          0,
          0,
          format,
          info.block_bytes * (256 / info.block_elements),
          aligned,
          split,
          aligned};
}

LevelFormat LevelFormat::affine(int bits, int group, bool aligned) {
  int bits_index = bits == 8 ? 5 : bits - 2, group_index = group == 32 ? 0 : group == 64 ? 1 : 2;
  int id = packed_format_count + (bits_index * 3 + group_index) * 2 + aligned;
  return {id, false, bits, group, PackedFormat::q4_0, 32 * bits, aligned, false, bits == 8};
}

std::string LevelFormat::device_name(Dtype::Val dtype) const {
  if (packed) return packed_format_info(format).name;
  return "Affine<" + std::to_string(bits) + ", " + std::to_string(group) + ", " +
         device_type(dtype) + (aligned ? ", true>" : ", false>");
}

void split_planes(const LevelProduct& product, void* to) {
  int64_t count = product.m * product.k;
  auto blocks =
      static_cast<unsigned>(std::min<int64_t>(ceil_div(count, 256), gpu().multiprocessors * 8));
  launch(product.stream, splits.at(0), {{blocks}, {256}}, product.x, count, product.k, to);
}

bool multiply_level_rows(const LevelProduct& product, const LevelFormat& format, int64_t row_bytes,
                         const LevelPart* parts, size_t count) {
  bool plain = product.dtype == Dtype::Val::float32;
  int64_t columns = columns_of(product.dtype, product.m);
  if (columns > level_columns_max || product.k > inner_max || product.exact) return false;
  LevelRows p{};
  p.x = product.x;
  p.out = product.out;
  p.x_stride = product.k;
  p.out_stride = product.columns;
  p.row_bytes = row_bytes;
  p.columns = static_cast<int>(columns);
  p.planes = plain ? 3 : 1;
  p.k = static_cast<int>(product.k);
  if (multiply_nibble_tiles(product, format, p, parts, count)) return true;
  if (multiply_slab_rows(product, format, p, parts, count)) return true;
  Variant variant{format, product.dtype, 0, false};
  while (tile_counts[variant.tiles] * 8 < columns) ++variant.tiles;
  bool few = product.m <= level_rows_max;
  unsigned shared_bytes = tiles_shared_bytes(variant);
  if (!few && shared_bytes > static_cast<unsigned>(gpu().shared_bytes_max)) return false;
  variant.shared = variant.may_share() && columns * (product.k + 8) * 2 <= planes_bytes_max;
  std::optional<Scratch> planes;
  if (plain && !variant.shared) {
    planes.emplace(product.stream, static_cast<size_t>(columns * product.k) * 2);
    split_planes(product, planes->data());
    p.x = planes->data();
  }
  for (size_t first = 0; first < count; first += matrices_max) {
    place_parts(p, parts + first, std::min<size_t>(matrices_max, count - first));
    if (few) launch_rows(product.stream, variant, p);
    else launch_tiles(product.stream, variant, p, shared_bytes);
  }
  return true;
}

int64_t dense_slice_rows(int64_t rows, int64_t row_bytes) {
  constexpr int64_t slice_bytes = int64_t{64} << 20, tile = 128;
  int64_t slices = std::max<int64_t>(1, ceil_div(rows * row_bytes, slice_bytes));
  return std::min(rows, ceil_div(ceil_div(rows, slices), tile) * tile);
}

const void* aligned_data(int stream, const Operand& operand, uintptr_t bytes,
                         std::optional<Scratch>& copy) {
  const void* data = device_data(operand);
  if (reinterpret_cast<uintptr_t>(data) % bytes == 0) return data;
  size_t size = static_cast<size_t>(operand.size() * dtype_of(operand.dtype).size());
  copy.emplace(stream, size);
  LAZULI_CUDA(cuMemcpyDtoDAsync, reinterpret_cast<CUdeviceptr>(copy->data()),
              reinterpret_cast<CUdeviceptr>(data), size, queue_of(stream).stream());
  return copy->data();
}

}  // namespace lazuli::cuda
