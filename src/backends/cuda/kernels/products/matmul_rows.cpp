#include "backends/cuda/kernels/products/matmul_rows.h"

#include <algorithm>
#include <array>

#include "backends/cuda/fused/products.h"
#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/kernels/products/few_rows.h"

namespace lazuli::cuda {
namespace {

constexpr int64_t few_rows_max = 8, batches_max = 65535, extent_max = int64_t{1} << 30;
constexpr int64_t halves_sums_bytes = 16 << 10;  // in shared memory, of few_rows_halves

// Whether 16 bytes are read at once from every multiple of `stride` on.
bool aligned(const void* data, int64_t stride, int64_t batch, int64_t item) {
  return (reinterpret_cast<uintptr_t>(data) | static_cast<uintptr_t>(stride * item) |
          static_cast<uintptr_t>(batch * item)) %
             16 ==
         0;
}

unsigned count_of(int64_t value) { return static_cast<unsigned>(value); }

// The instance for so many rows: 1, 2, 4 or 8.
size_t rows_slot(int64_t m) { return m <= 1 ? 0 : m <= 2 ? 1 : m <= 4 ? 2 : 3; }

// As much shared memory as decoding attention wants: then the two overlap.
FunctionTable<2> half_rows(
    "matmul_rows.cu",
    [](size_t slot) { return instance_name("few_rows_halves", {slot ? "bfloat_t" : "half_t"}); },
    44);
// By dtype and rows, and for one row once more with four rows of w to a warp; more than two rows of
// halves go to the others. The first cache gets all of a multiprocessor's memory: loads under way
// fill it.
constexpr size_t forms = 5, one_row_of_four = 4;
FunctionTable<float_count * forms> rows(
    "matmul_rows.cu",
    [](size_t slot) {
      Dtype::Val dtype = float_types[slot / forms];
      size_t form = slot % forms;
      if (dtype != Dtype::Val::float32 && (form == 2 || form == 3)) return std::string();
      return instance_name(
          "few_rows", {device_type(dtype), std::to_string(form == one_row_of_four ? 1 : 1 << form),
                       form == one_row_of_four ? "4" : "2"});
    },
    0);
FunctionTable<float_count * 4> column_rows("matmul_rows.cu", [](size_t slot) {
  return instance_name("few_rows_columns",
                       {device_type(float_types[slot / 4]), std::to_string(1 << slot % 4)});
});

// Gives each matrix its blocks of so many columns; the number of all.
int64_t place_blocks(FewRows& p, int64_t columns) {
  int64_t blocks = 0;
  for (int i = 0; i < p.count; ++i) {
    p.first_block[i] = static_cast<int>(blocks);
    blocks += ceil_div(p.n[i], columns);
  }
  p.first_block[p.count] = static_cast<int>(blocks);
  return blocks;
}

// Where there is at most one block for each multiprocessor, each gets one: blocks start wherever
// earlier kernels make room, and two that meet take twice as long while others wait for them. So
// much shared memory lets no second one in, and leaves the first cache what it can.
LaunchShape place_halves(FewRows& p, int64_t batches) {
  int64_t warps = std::clamp<int64_t>(ceil_div(p.k, 64), 1, 16);
  int64_t blocks = place_blocks(p, 32);
  bool alone = blocks * batches <= gpu().multiprocessors;
  int64_t shared_bytes = alone ? gpu().shared_bytes_max / 2 - halves_sums_bytes + 2048 : 0;
  return {{count_of(blocks), count_of(batches)}, {32, count_of(warps)}, count_of(shared_bytes)};
}

// A warp asks at once for four times 512 bytes of two rows of w, or for two times of four rows,
// where no more than 16 warps share a row.
constexpr int64_t shares_max = 16;
int columns_of(const FewRows& p, int64_t item) {
  return p.m == 1 && ceil_div(p.k * item, 1024) <= shares_max ? 4 : 2;
}

// As many warps to a row as it has pieces that are asked for at once, in blocks of 8 warps or more:
// blocks that are done soon keep memory busy to the end.
LaunchShape place_rows(FewRows& p, int64_t item, int64_t batches, int64_t threads_min) {
  int columns = columns_of(p, item);
  int64_t shares = std::min(shares_max, ceil_div(p.k * item, 4096 / columns));
  int64_t groups = std::max({int64_t{1}, 8 / shares, ceil_div(threads_min, 32 * shares)});
  p.shares = static_cast<int>(shares);
  return {{count_of(place_blocks(p, columns * groups)), count_of(batches)},
          {count_of(32 * shares * groups)}};
}

// Adds the one matrix of `one` to `all`, where they are products of the same x and neither writes
// what the other reads or writes.
bool join(FewRows& all, const FewRows& one, int64_t item) {
  bool same = all.x == one.x && all.x_row == one.x_row && all.m == one.m && all.k == one.k &&
              all.w_row == one.w_row && all.out_column == one.out_column;
  if (!same || all.count == matrices_max) return false;
  ByteRange read = bytes_of_w(one, 0, item), written = bytes_of_out(one, 0, item);
  if (!written.apart_from(bytes_of_x(all, item))) return false;
  for (int i = 0; i < all.count; ++i) {
    bool apart = written.apart_from(bytes_of_w(all, i, item)) &&
                 written.apart_from(bytes_of_out(all, i, item)) &&
                 read.apart_from(bytes_of_out(all, i, item));
    if (!apart) return false;
  }
  int i = all.count++;
  all.w[i] = one.w[0];
  all.out[i] = one.out[0];
  all.out_row[i] = one.out_row[0];
  all.n[i] = one.n[0];
  all.settled = all.settled && one.settled;
  return true;
}

// Makes one launch of this product and the one before it, or queues one of its own; `p` becomes all
// of it. Its shape.
template <class Place>
LaunchShape launch_joined(int stream, const Function& function, FewRows& p, int64_t item,
                          int64_t batches, Place place) {
  LaunchShape now;
  bool joined =
      batches == 1 && extend_last<FewRows>(stream, function, [&](LaunchShape& shape, FewRows& all) {
        if (shape.grid.y != 1 || !join(all, p, item)) return false;
        now = shape = place(all);
        p = all;
        return true;
      });
  if (joined) return now;
  now = place(p);
  launch(stream, function, now, p);
  return now;
}

// A stream is given work by one thread at a time.
std::array<LastProducts, streams_max> all_last_products;

// `x`: the value of the step before that is the row; null if the row was in memory.
void set_last_products(int stream, const Function& function, const LaunchShape& shape,
                       const FewRows& products, Dtype::Val dtype, const uint16_t* x) {
  all_last_products[static_cast<size_t>(stream)] = {queue_of(stream).launched(),
                                                    &function,
                                                    shape,
                                                    products,
                                                    dtype,
                                                    columns_of(products, dtype_of(dtype).size()),
                                                    x != nullptr,
                                                    x ? *x : uint16_t{0}};
}

// Makes one launch of the step that has made the row of x just now, its products so far and this
// one.
constexpr int64_t made_row_bytes_max = 8 << 10;  // a vector for each of 512 threads
bool launch_with_row(int stream, Dtype::Val dtype, FewRows p, int64_t item) {
  LastStep* row = last_step(stream);
  if (!row || !row->allows(bytes_of_w(p, 0, item), bytes_of_out(p, 0, item))) return false;
  auto place = [&](FewRows& all) {
    LaunchShape shape = place_rows(all, item, 1, row->vectors());
    shape.shared_bytes = count_of(p.k * item);
    return shape;
  };
  if (LastProducts* last = last_products(stream); last && last->makes_row) {
    return extend_last<uint64_t, FewRows>(stream, *last->function,
                                          [&](LaunchShape& shape, uint64_t&, FewRows& all) {
                                            if (!join(all, p, item)) return false;
                                            last->shape = shape = place(all);
                                            last->products = all;
                                            return true;
                                          });
  }
  const LastStep::Place* x = row->row_at(p.x, p.k, dtype);
  if (!x || p.k * item > made_row_bytes_max) return false;
  LaunchShape shape = place(p);
  const Function& function = row_and_products(*row, x->value, columns_of(p, item), shape.block.x);
  void* arguments[] = {row->arguments.data(), &p};
  const uint32_t sizes[] = {static_cast<uint32_t>(row->arguments.size() * sizeof(uint64_t)),
                            sizeof p};
  if (!replace_last(stream, *row->function, function, shape, arguments, sizes)) return false;
  row->has_followers = true;
  set_last_products(stream, function, shape, p, dtype, &x->value);
  return true;
}

// One row of x, or two, or up to four of float32.
void launch_rows(int stream, Dtype::Val dtype, FewRows p, int64_t item, int64_t batches) {
  bool one = p.m == 1 && batches == 1;
  if (one && launch_with_row(stream, dtype, p, item)) return;
  size_t form = columns_of(p, item) == 4 ? one_row_of_four : rows_slot(p.m);
  const Function& function = rows.at(float_slot(dtype) * forms + form);
  LaunchShape shape = launch_joined(stream, function, p, item, batches, [&](FewRows& all) {
    return place_rows(all, item, batches, 0);
  });
  if (one) set_last_products(stream, function, shape, p, dtype, nullptr);
}

void launch_columns(int stream, Dtype::Val dtype, FewRows p, int64_t batches) {
  int64_t blocks = place_blocks(p, 64 / dtype_of(dtype).size());
  launch(stream, column_rows.at(float_slot(dtype) * 4 + rows_slot(p.m)),
         {{count_of(blocks), count_of(batches)}, {32, 16}}, p);
}

// The product with few rows as the kernels take it, or with few columns, transposed.
FewRows few_rows_of(const MatrixProduct& p, bool transposed) {
  const MatrixPlace &x = transposed ? p.y : p.x, &w = transposed ? p.x : p.y;
  FewRows few{};
  few.x = x.data;
  few.x_row = transposed ? x.column : x.row;
  few.x_batch = x.batch;
  few.w[0] = w.data;
  few.w_row = transposed ? w.row : w.column;
  few.w_batch = w.batch;
  few.out[0] = p.out;
  few.out_row[0] = transposed ? 1 : p.out_row;
  few.out_column = transposed ? p.out_row : 1;
  few.out_batch = p.out_batch;
  few.m = static_cast<int>(transposed ? p.n : p.m);
  few.n[0] = static_cast<int>(transposed ? p.m : p.n);
  few.k = static_cast<int>(p.k);
  few.count = 1;
  few.settled = w.settled;
  return few;
}

}  // namespace

LastProducts* last_products(int stream) {
  LastProducts& last = all_last_products[static_cast<size_t>(stream)];
  return last.function && last.launched == queue_of(stream).launched() ? &last : nullptr;
}

bool multiply_few_rows(int stream, const MatrixProduct& p) {
  bool half = p.dtype == Dtype::Val::float16 || p.dtype == Dtype::Val::bfloat16;
  bool transposed = p.m > few_rows_max;
  if (std::min(p.m, p.n) > few_rows_max || p.batches > batches_max) return false;
  if (std::max({p.m, p.n, p.k}) > extent_max) return false;
  if ((!half && p.dtype != Dtype::Val::float32) || p.into_float || p.added) return false;
  int64_t item = dtype_of(p.dtype).size(), width = 16 / item;
  FewRows few = few_rows_of(p, transposed);
  bool x_together = (transposed ? p.y.row : p.x.column) == 1 || p.k == 1;
  if ((transposed ? p.x.column : p.y.row) == 1) {
    bool fits = x_together && p.k % width == 0 && aligned(few.x, few.x_row, few.x_batch, item) &&
                aligned(few.w[0], few.w_row, few.w_batch, item);
    if (!fits) return false;
    if (half && few.m > 2) {
      launch_joined(stream, half_rows.at(p.dtype == Dtype::Val::bfloat16), few, item, p.batches,
                    [&](FewRows& all) { return place_halves(all, p.batches); });
    } else {
      launch_rows(stream, p.dtype, few, item, p.batches);
    }
    return true;
  }
  // Columns of w together: worth it where there are enough of them for all multiprocessors.
  few.w_row = transposed ? p.x.column : p.y.row;
  bool fits = x_together && (transposed ? p.x.row : p.y.column) == 1 && few.n[0] % width == 0 &&
              aligned(few.w[0], few.w_row, few.w_batch, item) &&
              few.n[0] * p.batches >= 64 / item * gpu().multiprocessors / 2;
  if (fits) launch_columns(stream, p.dtype, few, p.batches);
  return fits;
}

}  // namespace lazuli::cuda
