#include <algorithm>
#include <optional>

#include "backends/cuda/kernels/instances.h"
#include "backends/cuda/kernels/packed.h"
#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

constexpr int matrices_max = 4, tile_rows = 16, warps_max = 8;
constexpr int64_t planes_bytes_max = 96 << 10;

// As in packed_rows.cu.
struct PackedMatrices {
  const uint8_t* w[matrices_max];
  int64_t rows[matrices_max], out[matrices_max];
  int first_tile[matrices_max + 1];
  int count;
};
struct PackedRows {
  const void* x;
  void* out;
  int64_t x_stride, out_stride, row_bytes;
  int columns, planes;
  int k, tiles;
  PackedMatrices matrices;
};

// Bytes of the kernel's slots for one warp, as packed_rows.cu counts them.
int64_t warp_slot_bytes(PackedFormat format) {
  const PackedFormatInfo& info = packed_format_info(format);
  bool aligned = format == PackedFormat::q4_k || format == PackedFormat::q5_k;
  int64_t chunk = info.block_bytes * (256 / info.block_elements);
  int64_t bytes = ceil_div(chunk + (aligned ? 0 : 14 + 8), 16) * 16;
  while (bytes % 128 != (aligned ? 32 : 16)) bytes += 16;
  return bytes * tile_rows * (bytes <= 160 ? 3 : 2);
}

// What a launch depends on besides pointers and sizes.
struct Variant {
  PackedFormat format;
  Dtype::Val dtype;
  int tiles;     // of 8 columns
  bool shared;   // whether planes of x lie in shared memory
  size_t slot() const {
    size_t of = dtype == Dtype::Val::float32 ? 0 : dtype == Dtype::Val::float16 ? 1 : 2;
    return ((static_cast<size_t>(format) * 3 + of) * 3 + static_cast<size_t>(tiles - 1)) * 2 +
           shared;
  }
};
constexpr size_t variants = packed_format_count * 3 * 3 * 2;

const Function& instance(const Variant& v) {
  static Instances<variants> instances;
  return instances.get(v.slot(), "packed_rows.cu", [&] {
    bool plain = v.dtype == Dtype::Val::float32;
    return "packed_rows<" + device_format(v.format) + ", " +
           (plain ? "bfloat_t" : device_type(v.dtype)) + ", " + device_type(v.dtype) + ", " +
           std::to_string(v.tiles) + (v.shared ? ", true>" : ", false>");
  });
}

struct Shape2 {
  int warps;
  unsigned shared_bytes;
};

// As many warps as there are chunks and shared memory for.
Shape2 block_of(const Variant& v, const PackedRows& p) {
  int64_t chunks = ceil_div(p.k, 256), slots = warp_slot_bytes(v.format);
  int64_t planes = v.shared ? int64_t{p.columns} * (p.k + 8) * 2 : 0;
  int64_t each = slots + v.tiles * 8 * tile_rows * 2 * 4;
  int64_t warps = std::min<int64_t>({warps_max, chunks, (gpu().shared_bytes_max - planes) / each});
  return {static_cast<int>(std::max<int64_t>(1, warps)),
          static_cast<unsigned>(planes + std::max<int64_t>(1, warps) * each)};
}

// How many blocks of this kind a multiprocessor runs; asked once for each.
int64_t resident_blocks(const Variant& v, const Function& function, const Shape2& block) {
  struct Known {
    std::atomic<int64_t> key{0};  // shared bytes and warps, then the answer
  };
  static std::array<Known, variants> known;
  int64_t key = int64_t{block.shared_bytes} << 16 | block.warps << 8;
  int64_t last = known[v.slot()].key.load(std::memory_order_relaxed);
  if ((last & ~int64_t{255}) == key) return last & 255;
  int blocks =
      std::max(1, function.blocks_per_multiprocessor(block.warps * 32, block.shared_bytes));
  known[v.slot()].key.store(key | std::min(blocks, 255), std::memory_order_relaxed);
  return blocks;
}

void place_parts(PackedRows& p, const PackedPart* parts, size_t count) {
  PackedMatrices& m = p.matrices;
  m.count = static_cast<int>(count);
  int64_t tiles = 0;
  for (size_t i = 0; i < count; ++i) {
    m.w[i] = parts[i].w;
    m.rows[i] = parts[i].rows;
    m.out[i] = parts[i].column;
    m.first_tile[i] = static_cast<int>(tiles);
    tiles += ceil_div(parts[i].rows, tile_rows);
  }
  m.first_tile[count] = static_cast<int>(tiles);
  p.tiles = static_cast<int>(tiles);
}

// x as planes of bfloats in memory.
void split_planes(const PackedProduct& product, void* to) {
  static Instances<1> instances;
  const Function& function =
      instances.get(0, "packed_rows.cu", [] { return std::string("split_planes"); });
  int64_t count = product.m * product.k;
  auto blocks =
      static_cast<unsigned>(std::min<int64_t>(ceil_div(count, 256), gpu().multiprocessors * 8));
  launch(product.stream, function, {{blocks}, {256}}, product.x, count, product.k, to);
}

}  // namespace

bool multiply_packed_rows(const PackedProduct& product, const PackedPart* parts, size_t count) {
  bool plain = product.dtype == Dtype::Val::float32;
  int64_t columns = plain ? product.m * 3 : product.m;
  if (columns > (plain ? 24 : 16) || product.k > (int64_t{1} << 30)) return false;
  PackedRows p{};
  p.x = product.x;
  p.out = product.out;
  p.x_stride = product.k;
  p.out_stride = product.columns;
  p.row_bytes = packed_row_bytes(parts[0].format, product.k);
  p.columns = static_cast<int>(columns);
  p.planes = plain ? 3 : 1;
  p.k = static_cast<int>(product.k);
  Variant variant{parts[0].format, product.dtype, static_cast<int>(ceil_div(columns, 8)), false};
  variant.shared = plain && variant.tiles == 1 && columns * (product.k + 8) * 2 <= planes_bytes_max;
  std::optional<Scratch> planes;
  if (plain && !variant.shared) {
    planes.emplace(product.stream, static_cast<size_t>(columns * product.k) * 2);
    split_planes(product, planes->data());
    p.x = planes->data();
  }
  const Function& function = instance(variant);
  Shape2 block = block_of(variant, p);
  for (size_t first = 0; first < count; first += matrices_max) {
    place_parts(p, parts + first, std::min<size_t>(matrices_max, count - first));
    int64_t blocks = std::min<int64_t>(
        p.tiles, gpu().multiprocessors * resident_blocks(variant, function, block));
    launch(product.stream, function,
           {{static_cast<unsigned>(blocks)},
            {32, static_cast<unsigned>(block.warps)},
            block.shared_bytes},
           p);
  }
  return true;
}

}  // namespace lazuli::cuda
