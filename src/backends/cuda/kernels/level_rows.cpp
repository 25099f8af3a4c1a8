#include "backends/cuda/kernels/level_rows.h"

#include <algorithm>
#include <optional>

#include "backends/cuda/kernels/instances.h"

namespace lazuli::cuda {
namespace {

constexpr int matrices_max = 4, tile_rows = 16, warps_max = 8;
constexpr int64_t planes_bytes_max = 96 << 10, inner_max = int64_t{1} << 30;
constexpr int64_t rows_max = 8, columns_max = 64;
constexpr int tile_counts[] = {1, 2, 3, 4, 8};  // of 8 columns; those that there are instances for
constexpr int block_warps = 8, nibble_warps = 16;
constexpr int64_t nibble_bytes_max = int64_t{1} << 31;  // counted in 32 bits there

// As in level_rows.cuh.
struct LevelMatrices {
  const void *w[matrices_max], *scales[matrices_max], *biases[matrices_max];
  int64_t rows[matrices_max], out[matrices_max];
  int first_tile[matrices_max + 1];
  int count;
};
struct LevelRows {
  const void* x;
  void* out;
  int64_t x_stride, out_stride, row_bytes;
  int columns, planes;
  int k, tiles;
  LevelMatrices matrices;
};

// Bytes of the slot for a row of a chunk, as level_rows.cuh counts them.
int64_t slot_bytes(const LevelFormat& format) {
  int64_t bytes = ceil_div(format.chunk_bytes + (format.aligned ? 0 : 14 + 8), 16) * 16;
  while (bytes % 128 != (format.long_words ? 32 : 16)) bytes += 16;
  return bytes;
}

// What a launch depends on besides pointers and sizes.
struct Variant {
  const LevelFormat& format;
  Dtype::Val dtype;
  size_t tiles;  // index in tile_counts
  bool shared;  // whether planes of x lie in shared memory

  size_t slot() const {
    size_t of = dtype == Dtype::Val::float32 ? 0 : dtype == Dtype::Val::float16 ? 1 : 2;
    return ((static_cast<size_t>(format.id) * 3 + of) * std::size(tile_counts) + tiles) * 2 +
           shared;
  }
};
constexpr size_t variants = LevelFormat::count * 3 * std::size(tile_counts) * 2;

const char* file_of(const LevelFormat& format) {
  return format.packed ? "packed_rows.cu" : "quantized_rows.cu";
}

const char* type_of_x(Dtype::Val dtype) {
  return dtype == Dtype::Val::float32 ? "bfloat_t" : device_type(dtype);
}

const Function& rows_instance(const Variant& v) {
  static Instances<variants> instances;
  return instances.get(v.slot(), file_of(v.format), [&] {
    return "level_rows<" + v.format.device_name(v.dtype) + ", " + type_of_x(v.dtype) + ", " +
           device_type(v.dtype) + ", " + std::to_string(tile_counts[v.tiles]) +
           (v.shared ? ", true>" : ", false>");
  });
}

const Function& tiles_instance(const Variant& v) {
  static Instances<variants> instances;
  return instances.get(v.slot(), file_of(v.format), [&] {
    return "level_tiles<" + v.format.device_name(v.dtype) + ", " + type_of_x(v.dtype) + ", " +
           std::to_string(tile_counts[v.tiles]) + ">";
  });
}

const Function& join_instance(Dtype::Val dtype, size_t tiles) {
  static Instances<dtype_slots * std::size(tile_counts)> instances;
  return instances.get(slot_of(dtype) * std::size(tile_counts) + tiles, "quantized_rows.cu", [&] {
    return std::string("level_join<") + device_type(dtype) + ", " +
           std::to_string(tile_counts[tiles]) + ">";
  });
}

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

void place_parts(LevelRows& p, const LevelPart* parts, size_t count, int64_t height = tile_rows) {
  LevelMatrices& m = p.matrices;
  m.count = static_cast<int>(count);
  int64_t tiles = 0;
  for (size_t i = 0; i < count; ++i) {
    m.w[i] = parts[i].w;
    m.scales[i] = parts[i].scales;
    m.biases[i] = parts[i].biases;
    m.rows[i] = parts[i].rows;
    m.out[i] = parts[i].column;
    m.first_tile[i] = static_cast<int>(tiles);
    tiles += ceil_div(parts[i].rows, height);
  }
  m.first_tile[count] = static_cast<int>(tiles);
  p.tiles = static_cast<int>(tiles);
}

void launch_rows(int stream, const Variant& variant, const LevelRows& p) {
  const Function& function = rows_instance(variant);
  Block block = block_of(variant, p);
  int64_t resident = gpu().multiprocessors * resident_blocks(variant, function, block);
  launch(stream, function,
         {{static_cast<unsigned>(std::min<int64_t>(p.tiles, resident))},
          {32, static_cast<unsigned>(block.warps)},
          block.shared_bytes},
         p);
}

// Whether nibble_rows.cuh has this product: levels of four bits, few rows of a half type.
bool suits_nibbles(const LevelProduct& product, const LevelFormat& format, int64_t row_bytes,
                   const LevelPart* parts, size_t count) {
  bool packed = format.packed && format.format == PackedFormat::q4_k;
  bool affine = !format.packed && format.bits == 4 && format.group >= 64 && format.aligned;
  if (!packed && !affine) return false;
  if (product.dtype == Dtype::Val::float32 || product.m > rows_max) return false;
  if (product.k % 256 != 0 || row_bytes >= nibble_bytes_max) return false;
  for (size_t i = 0; affine && i < count; ++i) {
    uintptr_t scales = reinterpret_cast<uintptr_t>(parts[i].scales);
    uintptr_t biases = reinterpret_cast<uintptr_t>(parts[i].biases);
    if (scales % 4 != 0 || biases % 4 != 0) return false;
    if (parts[i].rows * (product.k / format.group) >= nibble_bytes_max) return false;
  }
  return true;
}

const Function& nibbles_instance(const LevelFormat& format, Dtype::Val dtype, int halves) {
  static Instances<LevelFormat::count * dtype_slots * 2> instances;
  size_t index = static_cast<size_t>(format.id) * dtype_slots + slot_of(dtype);
  return instances.get(index * 2 + static_cast<size_t>(halves - 1), file_of(format), [&] {
    std::string type = device_type(dtype);
    std::string levels = "KNibbles";
    if (!format.packed) {
      levels = "AffineNibbles<" + std::to_string(format.group) + ", " + type + ">";
    }
    return "nibble_rows<" + levels + ", " + type + ", " + std::to_string(halves) + ">";
  });
}

// As many warps as share out the chunks evenly.
void launch_nibbles(const LevelProduct& product, const LevelFormat& format, LevelRows& p,
                    const LevelPart* parts, size_t count) {
  int64_t chunks = product.k / 256, warps = ceil_div(chunks, ceil_div(chunks, nibble_warps));
  int64_t multiprocessors = gpu().multiprocessors;
  place_parts(p, parts, count);
  int halves = p.tiles <= multiprocessors ? 1 : 2;
  place_parts(p, parts, count, halves * tile_rows);
  const Function& function = nibbles_instance(format, product.dtype, halves);
  // A multiprocessor has registers for sixteen warps.
  int64_t resident = multiprocessors * std::max<int64_t>(1, nibble_warps / warps);
  launch(product.stream, function,
         {{static_cast<unsigned>(std::min<int64_t>(p.tiles, resident))},
          {32, static_cast<unsigned>(warps)}},
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
  launch(stream, tiles_instance(v),
         {{static_cast<unsigned>(blocks), static_cast<unsigned>(stretches)},
          {32, block_warps},
          shared_bytes},
         p, static_cast<int>(each), parts.data());
  launch(stream, join_instance(v.dtype, v.tiles), {{static_cast<unsigned>(p.tiles)}, {256}}, p,
         static_cast<int>(stretches), parts.data());
}

}  // namespace

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
  static Instances<1> instances;
  const Function& function =
      instances.get(0, "packed_rows.cu", [] { return std::string("split_planes"); });
  int64_t count = product.m * product.k;
  auto blocks =
      static_cast<unsigned>(std::min<int64_t>(ceil_div(count, 256), gpu().multiprocessors * 8));
  launch(product.stream, function, {{blocks}, {256}}, product.x, count, product.k, to);
}

bool multiply_level_rows(const LevelProduct& product, const LevelFormat& format, int64_t row_bytes,
                         const LevelPart* parts, size_t count) {
  bool plain = product.dtype == Dtype::Val::float32;
  int64_t columns = plain ? product.m * 3 : product.m;
  if (columns > columns_max || product.k > inner_max) return false;
  LevelRows p{};
  p.x = product.x;
  p.out = product.out;
  p.x_stride = product.k;
  p.out_stride = product.columns;
  p.row_bytes = row_bytes;
  p.columns = static_cast<int>(columns);
  p.planes = plain ? 3 : 1;
  p.k = static_cast<int>(product.k);
  if (suits_nibbles(product, format, row_bytes, parts, count)) {
    for (size_t first = 0; first < count; first += matrices_max) {
      size_t some = std::min<size_t>(matrices_max, count - first);
      launch_nibbles(product, format, p, parts + first, some);
    }
    return true;
  }
  Variant variant{format, product.dtype, 0, false};
  while (tile_counts[variant.tiles] * 8 < columns) ++variant.tiles;
  bool few = product.m <= rows_max;
  unsigned shared_bytes = tiles_shared_bytes(variant);
  if (!few && shared_bytes > static_cast<unsigned>(gpu().shared_bytes_max)) return false;
  variant.shared = plain && variant.tiles == 0 && columns * (product.k + 8) * 2 <= planes_bytes_max;
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
