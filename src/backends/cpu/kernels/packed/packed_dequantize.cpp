// One block at a time: its integers to a 256-byte buffer in L1, its scales beside them, then
// scale * level + bias, widened from int8, in vectors of floats.
//
// Floor: the bytes read and written (0.6 to 1.1 read, 2 or 4 written per element).
#include "backends/cpu/kernels/packed/packed_dequantize.h"

#include <algorithm>
#include <string>

#include "base/thread_pool.h"
#include "lazuli/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/packed/packed_dequantize.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "backends/cpu/kernels/packed/packed_floats-inl.h"
#include "backends/cpu/kernels/packed/packed_formats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {

template <class F, class T>
void dequantize_block(const uint8_t* p, T* out) {
  const hn::CappedTag<float, 16> d;
  const hn::Rebind<int32_t, decltype(d)> d_int;
  const hn::Rebind<int8_t, decltype(d)> d_level;
  HWY_ALIGN int8_t levels[F::elements];
  float scales[F::elements / F::group], biases[F::elements / F::group];
  F::levels(p, levels);
  block_scales<F>(p, scales, biases);
  for (int g = 0; g < F::elements / F::group; ++g) {
    const auto scale = hn::Set(d, scales[g]);
    for (size_t i = 0; i < F::group; i += hn::Lanes(d)) {
      const auto level = hn::LoadU(d_level, levels + g * F::group + i);
      auto value = hn::Mul(scale, hn::ConvertTo(d, hn::PromoteTo(d_int, level)));
      if constexpr (F::biased) value = hn::Add(value, hn::Set(d, biases[g]));
      store_floats(d, value, out + g * F::group + i);
    }
  }
}

void dequantize_blocks(PackedFormat format, const uint8_t* blocks, int64_t count, void* out,
                       Dtype out_dtype) {
  with_format(format, [&](auto f) {
    using F = decltype(f);
    with_float(out_dtype, [&](auto t) {
      using T = decltype(t);
      for (int64_t i = 0; i < count; ++i) {
        dequantize_block<F>(blocks + i * F::bytes, static_cast<T*>(out) + i * F::elements);
      }
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli::cpu {

namespace packed {

HWY_EXPORT(dequantize_blocks);

// The function for this machine.
auto best_dequantize_blocks() { return HWY_DYNAMIC_POINTER(dequantize_blocks); }

void packed_floats(PackedFormat format, const std::byte* blocks, int64_t elements, float* out) {
  int64_t count = elements / packed_format_info(format).block_elements;
  HWY_DYNAMIC_DISPATCH(dequantize_blocks)
  (format, reinterpret_cast<const uint8_t*>(blocks), count, out, float32);
}

}  // namespace packed

namespace {

constexpr int64_t elements_per_task = 1 << 15;

void require_float(const char* name, Dtype dtype) {
  if (dtype == float32 || dtype == bfloat16 || dtype == float16) return;
  throw ArgumentError(std::string(name) + ": packed weights become float32, bfloat16 or float16, " +
                      "not " + dtype_name(dtype) + "; convert the result with astype");
}

int64_t index_at(const PackedGather& g, int64_t i) {
  switch (g.index_dtype.val()) {
    case Dtype::Val::int32: return static_cast<const int32_t*>(g.indices)[i];
    case Dtype::Val::uint32: return static_cast<const uint32_t*>(g.indices)[i];
    default: return static_cast<const int64_t*>(g.indices)[i];
  }
}

void require_indices(const PackedGather& g) {
  if (g.index_dtype != int32 && g.index_dtype != uint32 && g.index_dtype != int64) {
    throw ArgumentError(std::string("[packed_take] indices are int32, uint32 or int64, not ") +
                        dtype_name(g.index_dtype) + "; convert them with astype");
  }
  for (int64_t i = 0; i < g.count; ++i) {
    int64_t index = index_at(g, i);
    if (index >= -g.rows && index < g.rows) continue;
    throw IndexError("[packed_take] index " + std::to_string(index) + " at position " +
                     std::to_string(i) + " is outside a matrix of " + std::to_string(g.rows) +
                     " rows");
  }
}

}  // namespace

void packed_dequantize(PackedFormat format, const std::byte* blocks, int64_t elements, void* out,
                       Dtype out_dtype) {
  require_float("packed_dequantize", out_dtype);
  const PackedFormatInfo& info = packed_format_info(format);
  int64_t count = packed_row_bytes(format, elements) / info.block_bytes;
  int64_t per_task = elements_per_task / info.block_elements;
  auto run = packed::best_dequantize_blocks();
  ThreadPool::instance().run((count + per_task - 1) / per_task, [&](int64_t task) {
    int64_t first = task * per_task;
    run(format, reinterpret_cast<const uint8_t*>(blocks) + first * info.block_bytes,
        std::min(per_task, count - first),
        static_cast<std::byte*>(out) + first * info.block_elements * out_dtype.size(), out_dtype);
  });
}

void packed_gather(const PackedGather& g) {
  require_float("packed_take", g.out_dtype);
  int64_t row_bytes = packed_row_bytes(g.format, g.columns);
  require_indices(g);
  int64_t blocks = row_bytes / packed_format_info(g.format).block_bytes;
  int64_t per_task = std::max<int64_t>(1, elements_per_task / std::max<int64_t>(1, g.columns));
  auto run = packed::best_dequantize_blocks();
  ThreadPool::instance().run((g.count + per_task - 1) / per_task, [&](int64_t task) {
    int64_t end = std::min(g.count, (task + 1) * per_task);
    for (int64_t i = task * per_task; i < end; ++i) {
      int64_t index = index_at(g, i);
      if (index < 0) index += g.rows;
      run(g.format, reinterpret_cast<const uint8_t*>(g.w) + index * row_bytes, blocks,
          static_cast<std::byte*>(g.out) + i * g.columns * g.out_dtype.size(), g.out_dtype);
    }
  });
}

}  // namespace lazuli::cpu
#endif  // HWY_ONCE
