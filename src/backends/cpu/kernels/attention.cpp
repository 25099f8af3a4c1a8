// Attention: softmax(queries keys^T * scale + mask) values, heads of queries in groups that share
// a head of keys and values, float32 inside, float32, bfloat16 and float16 outside.
//
// Blocks of keys (2 vectors) pass by; each row keeps the peak and the total of its softmax and
// the sum of weighted values so far, which a later peak rescales (online softmax).
// - Few rows (decode): all rows of a head meet a block of keys as it lies, four keys at a time,
//   lanes along the head's size, so that memory is read once; the keys are shared out to the
//   threads, whose parts are joined at the end.
// - Many rows (prefill): tasks of up to 96 rows. A block of keys is transposed once a task, then
//   scores and values are products of 12 x 2 vectors in registers (AVX2: 4 x 2). Blocks that a
//   causal mask hides from all rows of a task are left out.
//
// Floor: few rows: one read of keys and values; many: 2 * rows * keys * (size + value_size)
// flops. Reached on 2 cores of a Zen 4 server: 512 causal queries, 4 heads of 256: 2.9 ms, 80 % of
// the peak of float32.
#include "backends/cpu/kernels/attention.h"

#include <algorithm>
#include <vector>

#include "backends/cpu/kernels/move.h"
#include "backends/cpu/kernels/packed/packed_scratch.h"
#include "base/thread_pool.h"
#include "compiler/backend.h"
#include "ops/table/params.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/attention.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "backends/cpu/kernels/attention-inl.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::HWY_NAMESPACE {

using packed::Scratch;

struct BlockOfKeys {
  int64_t first, count;
};

// Masks and softens the scores of rows [row, row + rows) of the part.
void soften_rows(const Attention& a, const AttentionPart& part, int64_t row, int64_t rows,
                 const BlockOfKeys& block, float* scores, float* factors) {
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t index = part.row_first + row + r;
    mask_row(a, part.example, part.head * a.group + index % a.group, index / a.group, block.first,
             block.count, scores + r * key_block);
  }
  soften(rows, scores, part.peaks + row, part.totals + row, factors);
}

template <int R, class K, class W>
void few_rows_block(const Attention& a, const AttentionPart& part, int64_t row,
                    const BlockOfKeys& block, const float* queries) {
  HWY_ALIGN float scores[R * key_block], factors[16];
  const int64_t stride = padded(a.value_size);
  score_few<R>(queries + row * padded(a.size), a.k.at<K>(part.example, part.head, block.first),
               a.k.strides[2], block.count, a.size, scores);
  soften_rows(a, part, row, R, block, scores, factors);
  add_values<R>(scores, factors, a.v.at<W>(part.example, part.head, block.first), a.v.strides[2],
                block.count, a.value_size, part.sums + row * stride, stride);
}

// Asks for the keys and values of a block, which a decode step finds in memory.
void prefetch_block(const Attention& a, const AttentionPart& part, int64_t first, int64_t last) {
  const auto fetch = [&](const AttentionOperand& x, int64_t elements) {
    const int64_t item = dtype_of(x.dtype).size();
    const int64_t step = x.strides[2] * item;
    const char* row =
        x.data + (part.example * x.strides[0] + part.head * x.strides[1]) * item + first * step;
    for (int64_t key = first; key < last; ++key, row += step) {
      for (int64_t byte = 0; byte < elements * item; byte += 64) hwy::Prefetch(row + byte);
    }
  };
  fetch(a.k, a.size);
  fetch(a.v, a.value_size);
}

template <class K, class W>
void few_rows_part(const Attention& a, const AttentionPart& part, const float* queries) {
  prefetch_block(a, part, part.key_first, std::min(part.key_first + key_block, part.key_last));
  for (int64_t key = part.key_first; key < part.key_last; key += key_block) {
    const BlockOfKeys block{key, std::min(key_block, part.key_last - key)};
    const int64_t next = key + block.count;
    prefetch_block(a, part, next, std::min(next + key_block, part.key_last));
    for (int64_t row = 0; row < part.row_count; row += few_rows) {
      switch (std::min<int64_t>(few_rows, part.row_count - row)) {
        case 1: few_rows_block<1, K, W>(a, part, row, block, queries); break;
        case 2: few_rows_block<2, K, W>(a, part, row, block, queries); break;
        case 3: few_rows_block<3, K, W>(a, part, row, block, queries); break;
        default: few_rows_block<4, K, W>(a, part, row, block, queries);
      }
    }
  }
}

// The first key of the part that none of its rows before `row_end` sees.
int64_t visible_keys(const Attention& a, const AttentionPart& part, int64_t row_end) {
  // With more queries than keys there are rows that see none, and so weigh all alike.
  if (a.kind != Attention::Mask::causal || a.queries > a.keys) return part.key_last;
  const int64_t last_query = (part.row_first + row_end - 1) / a.group;
  return std::clamp<int64_t>(last_query + a.keys - a.queries + 1, part.key_first, part.key_last);
}

// part.row_count and its arrays are padded to whole tiles.
template <class Q, class K, class W>
void many_rows_part(const Attention& a, const AttentionPart& part, Scratch& scratch) {
  const int64_t tiles = (part.row_count + tile_rows - 1) / tile_rows;
  const int64_t stride = padded(a.value_size), step = padded(a.size);
  scratch.start(Scratch::bytes<float>(tiles * tile_rows * step) +
                Scratch::bytes<float>(step * key_block) + Scratch::bytes<float>(4 * step));
  float* queries = scratch.take<float>(tiles * tile_rows * step);
  float* keys = scratch.take<float>(step * key_block);
  float* buffer = scratch.take<float>(4 * step);
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const int64_t first = part.row_first + tile * tile_rows;
    const auto row = [&](int64_t r) {
      const int64_t index = first + r;
      return a.q.at<Q>(part.example, part.head * a.group + index % a.group, index / a.group);
    };
    pack_columns<Q>(row, part.row_first + part.row_count - first, tile_rows, a.size, buffer,
                    queries + tile * tile_rows * step);
  }
  HWY_ALIGN float scores[tile_rows * key_block], factors[16] = {};
  const int64_t last = visible_keys(a, part, part.row_count);
  for (int64_t key = part.key_first; key < last; key += key_block) {
    const BlockOfKeys block{key, std::min(key_block, last - key)};
    const K* from = a.k.at<K>(part.example, part.head, key);
    pack_columns<K>([&](int64_t r) { return from + r * a.k.strides[2]; }, block.count, key_block,
                    a.size, buffer, keys);
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t row = tile * tile_rows,
                    rows = std::min<int64_t>(tile_rows, part.row_count - row);
      if (key >= visible_keys(a, part, row + rows)) continue;
      score_tile<tile_rows>(queries + row * step, keys, a.size, scores);
      soften_rows(a, part, row, rows, block, scores, factors);
      add_values<tile_rows>(scores, factors, a.v.at<W>(part.example, part.head, key),
                            a.v.strides[2], block.count, a.value_size, part.sums + row * stride,
                            stride);
    }
  }
}

// Prepares the rows' sums, with the sinks if `first` of the parts of these rows.
void begin_part(const Attention& a, const AttentionPart& part, bool first) {
  for (int64_t r = 0; r < part.row_count; ++r) {
    part.peaks[r] = minus_infinity;
    part.totals[r] = 0;
    if (!a.sinks || !first) continue;
    const float sink = a.sinks[part.head * a.group + (part.row_first + r) % a.group];
    part.peaks[r] = sink;
    part.totals[r] = sink == minus_infinity ? 0.0f : 1.0f;
  }
}

void few_rows_of(const Attention& a, const AttentionPart& part, const float* queries) {
  begin_part(a, part, part.key_first == 0);
  with_float(dtype_of(a.k.dtype), [&](auto k) {
    with_float(dtype_of(a.v.dtype),
               [&](auto v) { few_rows_part<decltype(k), decltype(v)>(a, part, queries); });
  });
}

void many_rows_of(const Attention& a, const AttentionPart& part, Scratch& scratch) {
  begin_part(a, part, true);
  with_float(dtype_of(a.q.dtype), [&](auto q) {
    with_float(dtype_of(a.k.dtype), [&](auto k) {
      with_float(dtype_of(a.v.dtype), [&](auto v) {
        many_rows_part<decltype(q), decltype(k), decltype(v)>(a, part, scratch);
      });
    });
  });
}

// Rows of queries as floats, padded with zeros.
void widen_queries(const Attention& a, const AttentionPart& part, float* to) {
  with_float(dtype_of(a.q.dtype), [&](auto q) {
    for (int64_t r = 0; r < part.row_count; ++r, to += padded(a.size)) {
      const int64_t row = part.row_first + r;
      widen_row(
          a.q.at<decltype(q)>(part.example, part.head * a.group + row % a.group, row / a.group),
          a.size, to);
    }
  });
}

// Adds what `other` has seen of the same rows to `part`.
void join_parts(const Attention& a, const AttentionPart& part, const AttentionPart& other) {
  const D d;
  const int64_t stride = padded(a.value_size);
  for (int64_t r = 0; r < part.row_count; ++r) {
    const float peak = std::max(part.peaks[r], other.peaks[r]);
    const float base = peak == minus_infinity ? 0.0f : peak;
    const float mine = std::exp(part.peaks[r] - base), others = std::exp(other.peaks[r] - base);
    part.peaks[r] = peak;
    part.totals[r] = part.totals[r] * mine + other.totals[r] * others;
    for (int64_t i = r * stride; i < (r + 1) * stride; i += lanes) {
      const V sum = hn::Mul(hn::LoadU(d, part.sums + i), hn::Set(d, mine));
      hn::StoreU(hn::MulAdd(hn::LoadU(d, other.sums + i), hn::Set(d, others), sum), d,
                 part.sums + i);
    }
  }
}

void store_part(const Attention& a, const AttentionPart& part) {
  const D d;
  with_float(dtype_of(a.out_dtype), [&](auto t) {
    using T = decltype(t);
    const float* sums = part.sums;
    for (int64_t r = 0; r < part.row_count; ++r, sums += padded(a.value_size)) {
      const int64_t row = part.row_first + r, head = part.head * a.group + row % a.group;
      T* to = reinterpret_cast<T*>(a.out) +
              ((part.example * a.heads + head) * a.queries + row / a.group) * a.value_size;
      const V total = hn::Set(d, part.totals[r]);
      for (int64_t i = 0; i < a.value_size; i += lanes) {
        const V value = hn::Div(hn::LoadU(d, sums + i), total);
        const int64_t left = a.value_size - i;
        if (left >= lanes) {
          store_floats(d, value, to + i);
        } else {
          store_floats(d, value, to + i, static_cast<size_t>(left));
        }
      }
    }
  });
}

int64_t vector_lanes() { return lanes; }
int64_t rows_of_tile() { return tile_rows; }

}  // namespace lazuli::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli {
namespace cpu {

HWY_EXPORT(few_rows_of);
HWY_EXPORT(many_rows_of);
HWY_EXPORT(widen_queries);
HWY_EXPORT(join_parts);
HWY_EXPORT(store_part);
HWY_EXPORT(vector_lanes);
HWY_EXPORT(rows_of_tile);

namespace {

using packed::Scratch;

constexpr int64_t few_rows_max = 8;
constexpr int64_t keys_per_part_min = 16;
constexpr int64_t rows_per_task_max = 96;

int64_t whole_vectors(int64_t count) {
  const int64_t lanes = HWY_DYNAMIC_DISPATCH(vector_lanes)();
  return (count + lanes - 1) / lanes * lanes;
}

// Room for the arrays of a part with so many rows.
int64_t part_floats(const Attention& a, int64_t rows) {
  return rows * whole_vectors(a.value_size) + 2 * whole_vectors(rows);
}

void place_part(const Attention& a, int64_t rows, float* room, AttentionPart& part) {
  part.sums = room;
  part.peaks = room + rows * whole_vectors(a.value_size);
  part.totals = part.peaks + whole_vectors(rows);
  std::fill(part.sums, part.peaks, 0.0f);
}

// Every head of keys, cut into parts of its keys that the threads share.
void attend_few_rows(const Attention& a) {
  const int64_t heads = a.batch * (a.heads / a.group), rows = a.rows();
  const int64_t threads = ThreadPool::instance().threads();
  int64_t cuts =
      std::clamp<int64_t>(a.keys / keys_per_part_min, 1, std::max<int64_t>(1, threads / heads));
  const int64_t keys = (a.keys + cuts - 1) / cuts;
  cuts = (a.keys + keys - 1) / keys;
  const int64_t room = part_floats(a, rows), queries = rows * whole_vectors(a.size);
  thread_local Scratch scratch;
  scratch.start(Scratch::bytes<float>(heads * cuts * room) +
                Scratch::bytes<float>(heads * queries));
  float* places = scratch.take<float>(heads * cuts * room);
  float* widened = scratch.take<float>(heads * queries);
  const auto part_of = [&](int64_t head, int64_t cut) {
    const int64_t of = a.heads / a.group;
    AttentionPart part{head / of, head % of,  0,
                       rows,      cut * keys, std::min(a.keys, (cut + 1) * keys),
                       nullptr,   nullptr,    nullptr};
    float* place = places + (head * cuts + cut) * room;
    part.sums = place;
    part.peaks = place + rows * whole_vectors(a.value_size);
    part.totals = part.peaks + whole_vectors(rows);
    return part;
  };
  std::fill(places, places + heads * cuts * room, 0.0f);
  for (int64_t head = 0; head < heads; ++head) {
    HWY_DYNAMIC_DISPATCH(widen_queries)(a, part_of(head, 0), widened + head * queries);
  }
  ThreadPool::instance().run(heads * cuts, [&](int64_t task) {
    const int64_t head = task / cuts;
    HWY_DYNAMIC_DISPATCH(few_rows_of)(a, part_of(head, task % cuts), widened + head * queries);
  });
  for (int64_t head = 0; head < heads; ++head) {
    const AttentionPart whole = part_of(head, 0);
    for (int64_t cut = 1; cut < cuts; ++cut) {
      HWY_DYNAMIC_DISPATCH(join_parts)(a, whole, part_of(head, cut));
    }
    HWY_DYNAMIC_DISPATCH(store_part)(a, whole);
  }
}

void attend_many_rows(const Attention& a) {
  const int64_t heads = a.batch * (a.heads / a.group), rows = a.rows();
  const int64_t tile = HWY_DYNAMIC_DISPATCH(rows_of_tile)();
  const int64_t threads = ThreadPool::instance().threads();
  int64_t per_task = std::min(rows_per_task_max, (rows * heads + 4 * threads - 1) / (4 * threads));
  per_task = (std::min(per_task, rows) + tile - 1) / tile * tile;
  const int64_t tasks = (rows + per_task - 1) / per_task;
  const int64_t of = a.heads / a.group;
  ThreadPool::instance().run(heads * tasks, [&](int64_t index) {
    thread_local Scratch sums, operands;
    sums.start(Scratch::bytes<float>(part_floats(a, per_task)));
    // The last rows first: behind a causal mask they take longest.
    const int64_t head = index % heads, first = (tasks - 1 - index / heads) * per_task;
    AttentionPart part{head / of, head % of, first,  std::min(per_task, rows - first), 0, a.keys,
                       nullptr,   nullptr,   nullptr};
    place_part(a, per_task, sums.take<float>(part_floats(a, per_task)), part);
    HWY_DYNAMIC_DISPATCH(many_rows_of)(a, part, operands);
    HWY_DYNAMIC_DISPATCH(store_part)(a, part);
  });
}

}  // namespace

void attend(const Attention& a) {
  if (a.rows() <= few_rows_max) {
    attend_few_rows(a);
  } else {
    attend_many_rows(a);
  }
}

}  // namespace cpu

namespace {

// An operand with its last axis together, in `copy` if it does not lie so.
cpu::AttentionOperand operand_of(const Operand& operand, Layout& copy) {
  const Shape& shape = *operand.shape;
  cpu::AttentionOperand result{operand.data(), operand.dtype, {}};
  Strides strides = operand.layout->dense ? dense_strides(shape) : operand.layout->strides;
  if (shape[3] != 1 && strides[3] != 1) {
    const int64_t bytes = dtype_of(operand.dtype).size();
    copy = Layout(allocate_buffer(static_cast<size_t>(operand.size() * bytes)), 0, {}, true);
    Strides from = strides, to = dense_strides(shape);
    strides = to;
    for (int64_t& s : from) s *= bytes;
    for (int64_t& s : to) s *= bytes;
    cpu::copy_strided(shape, bytes, operand.data(), from, copy.data(), to);
    result.data = copy.data();
  }
  std::copy(strides.begin(), strides.end(), result.strides);
  return result;
}

// A mask of up to four axes, those of extent 1 repeated.
cpu::AttentionOperand mask_of(const Operand& operand) {
  const Shape& shape = *operand.shape;
  Strides strides = operand.layout->dense ? dense_strides(shape) : operand.layout->strides;
  cpu::AttentionOperand result{operand.data(), operand.dtype, {}};
  for (size_t d = 0; d < shape.size(); ++d) {
    result.strides[4 - shape.size() + d] = shape[d] == 1 ? 0 : strides[d];
  }
  return result;
}

}  // namespace

// Inputs: queries, keys, values; a mask (boolean or float32) of the kinds that have one; sinks
// (float32).
void kernel_attention(const KernelCall& call) {
  auto given = params<AttentionParams>(call.node);
  const Operand &q = call.inputs[0], &k = call.inputs[1], &v = call.inputs[2];
  if (call.output.size() == 0) return;
  Layout copies[3];
  cpu::Attention a{};
  a.q = operand_of(q, copies[0]);
  a.k = operand_of(k, copies[1]);
  a.v = operand_of(v, copies[2]);
  a.kind = static_cast<cpu::Attention::Mask>(given.mask);
  if (given.has_array()) a.mask = mask_of(call.inputs[3]);
  std::vector<float> sinks;
  if (given.sinks) {
    const Operand& each = call.inputs.back();
    int64_t step = each.layout->dense ? 1 : each.layout->strides[0];
    for (int64_t i = 0; i < each.size(); ++i) sinks.push_back(each.as<float>()[i * step]);
    a.sinks = sinks.data();
  }
  a.out = call.output.data();
  a.out_dtype = call.output.dtype;
  a.scale = static_cast<float>(given.scale);
  a.batch = q.extent(0);
  a.heads = q.extent(1);
  a.group = q.extent(1) / k.extent(1);
  a.queries = q.extent(2);
  a.keys = k.extent(2);
  a.size = q.extent(3);
  a.value_size = v.extent(3);
  cpu::attend(a);
}

}  // namespace lazuli
#endif
