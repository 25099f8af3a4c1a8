#include "backends/cuda/fused/choose.h"

#include <algorithm>
#include <array>

namespace lazuli::cuda {
namespace {

constexpr int vector_bytes = 16;
constexpr int threads_max = 1024;
constexpr int register_words_max = 96;  // of a thread, for the elements of a row it holds
constexpr int64_t tile_extent_min = 16;
constexpr size_t tile_bytes_max = 48 << 10;
constexpr int64_t grid_limit = 65535;  // of the second and third dimension
constexpr int64_t index_limit = (int64_t{1} << 31) - (1 << 24);

bool all_zero(const SmallVector<int64_t, 4>& strides) {
  return std::all_of(strides.begin(), strides.end(), [](int64_t s) { return s == 0; });
}

Access access_of(const FusedStep& step, const Shape& space, const BoundPlace& place,
                 const Walk& walk, const Walk::Place& lies) {
  if (step.values[place.value].scope == Scope::row && step.row_axes) return Access::splat;
  if (place.output) return Access::direct;
  if (all_zero(lies.inner)) return Access::splat;
  bool plain = place.layout->dense && *place.shape == space;
  bool together = lies.inner.size() == 1 && lies.inner[0] == 1;
  // Where there are few rows, how long each takes counts, not how much it leaves room for.
  bool shared = step.row_axes && together && all_zero(lies.outer);
  if (shared && walk.rows >= gpu().multiprocessors) return Access::common;
  if (plain || together) return Access::direct;
  int64_t innermost = lies.inner.back();
  return innermost == 1 ? Access::vectors : innermost == 0 ? Access::repeated : Access::strided;
}

bool needs_coordinates(Access access) { return access >= Access::strided; }

bool divides(const SmallVector<int64_t, 4>& strides, size_t count, int vector) {
  for (size_t d = 0; d < count; ++d) {
    if (strides[d] % vector) return false;
  }
  return true;
}

// Whether every place can be read `vector` elements at a time.
bool fits(const Choice& choice, std::span<const BoundPlace> places, const Walk& walk, int vector,
          bool rows) {
  if (rows && walk.length % vector) return false;
  bool coordinates = false;
  for (size_t k = 0; k < places.size(); ++k) {
    const BoundPlace& place = places[k];
    Access access = choice.variant.access[place.value];
    coordinates |= needs_coordinates(access);
    if (access == Access::splat || access == Access::strided || access == Access::repeated) {
      continue;
    }
    const Walk::Place& lies = walk.places[k];
    int bytes = std::min(vector_bytes, vector * place.itemsize);
    if (reinterpret_cast<uintptr_t>(device_data(*place.layout)) % static_cast<uintptr_t>(bytes)) {
      return false;
    }
    if (!divides(lies.outer, lies.outer.size(), vector)) return false;
    bool inner = access == Access::vectors;
    if (inner && !divides(lies.inner, lies.inner.size() - 1, vector)) return false;
  }
  return !coordinates || walk.inner.back() % vector == 0;
}

// A thread reads up to two words of 16 bytes at once and writes one: halves of what memory takes as
// a whole, written one after the other, cost twice.
int widest_vector(const Choice& choice, std::span<const BoundPlace> places, const Walk& walk,
                  bool rows) {
  int most = vector_bytes, narrow = vector_bytes;
  for (const BoundPlace& place : places) {
    if (choice.variant.access[place.value] == Access::splat) continue;
    narrow = std::min(narrow, place.itemsize);
    most = std::min(most, (place.output ? 1 : 2) * vector_bytes / place.itemsize);
  }
  int vector = std::max(1, std::min(vector_bytes / narrow, most));
  while (vector > 1 && !fits(choice, places, walk, vector, rows)) vector /= 2;
  return vector;
}

unsigned blocks(int64_t items, int64_t per_block) {
  return static_cast<unsigned>(ceil_div(items, per_block));
}

// The dimension along which operands are contiguous that are not along the innermost one; -1 if
// there is none, or tiles would not pay.
int tile_axis(std::span<const BoundPlace> places, const Walk& walk, const Variant& variant) {
  int axis = -1;
  size_t rank = walk.inner.size(), bytes = 0;
  for (size_t k = 0; k < places.size(); ++k) {
    if (variant.access[places[k].value] != Access::strided) continue;
    for (size_t d = 0; d + 1 < rank; ++d) {
      if (walk.places[k].inner[d] != 1 || walk.inner[d] < tile_extent_min) continue;
      if (axis >= 0 && axis != static_cast<int>(d)) return -1;
      axis = static_cast<int>(d);
      bytes += static_cast<size_t>(places[k].itemsize) * tile_side * (tile_side + 4);
      break;
    }
  }
  if (axis < 0 || walk.inner.back() < tile_extent_min || bytes > tile_bytes_max) return -1;
  int64_t batch = walk.length / walk.inner[static_cast<size_t>(axis)] / walk.inner.back();
  int64_t lines = ceil_div(walk.inner[static_cast<size_t>(axis)], tile_side);
  return batch <= grid_limit && lines <= grid_limit ? axis : -1;
}

// Elements that a thread reads at once along the tile's axis, and writes along the innermost one.
int tile_vector(std::span<const BoundPlace> places, const Walk& walk, const Variant& variant) {
  size_t axis = variant.tile_axis, rank = walk.inner.size();
  int vector = 4;
  auto fits = [&](const BoundPlace& place, const Walk::Place& lies, int wanted) {
    Access access = variant.access[place.value];
    if (access == Access::splat) return true;
    auto bytes = static_cast<uintptr_t>(wanted * place.itemsize);
    bool tiled = access == Access::tiled;
    if (!tiled && access != Access::direct && access != Access::vectors) return true;
    if (reinterpret_cast<uintptr_t>(device_data(*place.layout)) % std::min<uintptr_t>(bytes, 16)) {
      return false;
    }
    for (size_t d = 0; d < rank; ++d) {
      bool contiguous = d == (tiled ? axis : rank - 1);
      if (!contiguous && lies.inner[d] % wanted) return false;
    }
    return !tiled || bytes <= 8;
  };
  for (; vector > 1; vector /= 2) {
    bool good = walk.inner[axis] % vector == 0 && walk.inner.back() % vector == 0;
    for (size_t k = 0; good && k < places.size(); ++k) {
      good = fits(places[k], walk.places[k], vector);
    }
    if (good) break;
  }
  return vector;
}

bool choose_tiles(std::span<const BoundPlace> places, const Walk& walk, Choice& choice) {
  Variant& variant = choice.variant;
  int axis = tile_axis(places, walk, variant);
  if (axis < 0) return false;
  auto d = static_cast<size_t>(axis);
  for (size_t k = 0; k < places.size(); ++k) {
    Access& access = variant.access[places[k].value];
    if (access == Access::strided && walk.places[k].inner[d] == 1) access = Access::tiled;
  }
  variant.form = Form::tiles;
  variant.tile_axis = static_cast<uint8_t>(axis);
  variant.vectors = 1;
  variant.vector = static_cast<uint8_t>(tile_vector(places, walk, variant));
  choice.shape.block.x = elements_threads;
  choice.shape.grid.x = static_cast<unsigned>(ceil_div(walk.inner.back(), tile_side));
  choice.shape.grid.y = static_cast<unsigned>(ceil_div(walk.inner[d], tile_side));
  choice.shape.grid.z = static_cast<unsigned>(walk.length / walk.inner[d] / walk.inner.back());
  return true;
}

// Many blocks of little work were faster than fewer that read more at once: 4.17 against 3.97 TB/s
// in a copy of 2^26 floats on an H200.
void choose_elements(const Walk& walk, Choice& choice) {
  Variant& variant = choice.variant;
  variant.vectors = 1;
  variant.wide_index = walk.length >= index_limit;
  choice.shape.block.x = elements_threads;
  choice.shape.grid.x = std::max(1u, blocks(walk.length / variant.vector, elements_threads));
}

// Words of registers that elements of a row take, as many as a vector has: operands as they lie in
// memory, and values kept between phases.
int words_of_vector(const FusedStep& step, int kept, const Variant& variant) {
  int bytes = kept;
  for (uint16_t v = 0; v < step.values.size(); ++v) {
    const FusedValue& x = step.values[v];
    int size = dtype_of(x.dtype).size();
    Access access = variant.access[v];
    bool own = access != Access::splat && access != Access::common;
    if (x.kind == FusedValue::Kind::operand && own) bytes += size;
  }
  return std::max(bytes * variant.vector / 4, 1);
}

bool choose_registers(const FusedStep& step, int kept, const Walk& walk, Choice& choice) {
  Variant& variant = choice.variant;
  int64_t columns = walk.length / variant.vector;
  int words = words_of_vector(step, kept, variant);
  auto set = [&](int64_t vectors, int64_t threads, bool warps) {
    variant.form = Form::row_in_registers;
    variant.vectors = static_cast<uint8_t>(vectors);
    variant.warp_rows = warps;
    variant.exact = columns == vectors * threads;
    int64_t per_block = warps ? warp_rows_per_block : 1;
    choice.shape.block.x = static_cast<unsigned>(threads * per_block);
    variant.threads = choice.shape.block.x <= 256 ? 256 : choice.shape.block.x <= 512 ? 512 : 1024;
    choice.shape.grid.x = blocks(walk.rows, per_block);
    return true;
  };
  // One row is summed as products that make it for themselves do (fused/products.h): each thread
  // has one vector.
  bool one = walk.rows == 1;
  for (int vectors : {1, 2, 4}) {
    if (one && vectors > 1) break;
    if (columns <= 32 * vectors && words * vectors <= register_words_max) {
      return set(vectors, 32, true);
    }
  }
  // Of few rows what counts is how long one takes: many threads have little to do each.
  bool few = walk.rows < gpu().multiprocessors;
  for (int vectors : few ? std::array{1, 2, 4, 8} : std::array{4, 2, 1, 8}) {
    int64_t threads = ceil_div(ceil_div(columns, vectors), 32) * 32;
    int allowed = threads > 512 ? register_words_max / 3 : register_words_max;
    if (threads < (one ? 32 : 96) || threads > threads_max || words * vectors > allowed) continue;
    return set(vectors, threads, false);
  }
  return false;
}

void choose_rows(const FusedStep& step, int kept, const Walk& walk, Choice& choice) {
  Variant& variant = choice.variant;
  variant.wide_index = walk.length >= index_limit || walk.rows >= index_limit;
  int64_t columns = walk.length / variant.vector;
  int64_t processors = gpu().multiprocessors;
  if (columns > 2048 && walk.rows < processors) {
    variant.form = Form::row_in_parts;
    variant.vectors = 4;
    variant.threads = 512;
    choice.shape.block.x = 512;
    int64_t part_min = 512 * 4;
    int64_t wanted = std::max<int64_t>(1, 4 * processors / walk.rows);
    choice.parts = std::min({wanted, ceil_div(columns, part_min), int64_t{1024}});
    choice.part_length = ceil_div(columns, choice.parts);
    choice.parts = ceil_div(columns, choice.part_length);
    choice.shape.grid.x = static_cast<unsigned>(choice.parts);
    choice.shape.grid.y = static_cast<unsigned>(walk.rows);
    return;
  }
  if (choose_registers(step, kept, walk, choice)) return;
  variant.form = Form::row_in_loop;
  variant.vectors = words_of_vector(step, kept, variant) <= 16 ? 4 : 1;
  variant.threads = 512;
  choice.shape.block.x = 512;
  choice.shape.grid.x = static_cast<unsigned>(walk.rows);
}

}  // namespace

void choose(const FusedStep& step, int kept, const Shape& space, std::span<const BoundPlace> places,
            const Walk& walk, Choice& choice) {
  Variant& variant = choice.variant;
  variant.access.clear();
  variant.access.resize(step.values.size(), Access::none);
  bool coordinates = false;
  for (size_t k = 0; k < places.size(); ++k) {
    Access access = access_of(step, space, places[k], walk, walk.places[k]);
    variant.access[places[k].value] = access;
    coordinates |= needs_coordinates(access);
  }
  variant.inner_rank = coordinates ? static_cast<uint8_t>(walk.inner.size()) : 0;
  variant.outer_rank = step.row_axes ? static_cast<uint8_t>(walk.outer.size()) : 0;
  bool rows = step.row_axes > 0;
  if (!rows && coordinates && choose_tiles(places, walk, choice)) return;
  variant.vector = static_cast<uint8_t>(widest_vector(choice, places, walk, rows));
  if (rows) choose_rows(step, kept, walk, choice);
  else choose_elements(walk, choice);
}

}  // namespace lazuli::cuda
