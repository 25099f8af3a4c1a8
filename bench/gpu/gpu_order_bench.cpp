// Order, indices and positions: what models and samplers do around their products. Bytes are
// counted once for each array read and written, whatever a sort's passes move.
#include "gpu/timing.h"

namespace lazuli::bench {
namespace {

template <class Work>
void measure(const std::string& name, Dtype dtype, double bytes, Work work) {
  row(name, short_name(dtype), seconds_of(work), bytes, "TB/s");
}

double bytes_of(const array& a) { return static_cast<double>(a.nbytes()); }

void order_rows(Dtype dtype) {
  array line = random_values({1 << 24}, dtype, 1), rows = random_values({8192, 2048}, dtype, 2);
  array logits = random_values({1, 262144}, dtype, 3), many = random_values({256, 32000}, dtype, 4);
  measure("sort_2^24", dtype, 2 * bytes_of(line), [&] { return sort(line); });
  measure("argsort_2^24", dtype, 2 * bytes_of(line), [&] { return argsort(line); });
  measure("sort_8192x2048", dtype, 2 * bytes_of(rows), [&] { return sort(rows, -1); });
  measure("sort_256x32000", dtype, 2 * bytes_of(many), [&] { return sort(many, -1); });
  measure("argmax_262144", dtype, bytes_of(logits), [&] { return argmax(logits, -1); });
  measure("argmax_256x32000", dtype, bytes_of(many), [&] { return argmax(many, -1); });
  measure("argmax_columns", dtype, bytes_of(many), [&] { return argmax(many, 0); });
  measure("topk50_262144", dtype, 2 * bytes_of(logits), [&] { return topk(logits, 50, -1); });
  measure("topk50_256x32000", dtype, 2 * bytes_of(many), [&] { return topk(many, 50, -1); });
  measure("partition_2^24", dtype, 2 * bytes_of(line), [&] { return partition(line, 1 << 23); });
}

void index_rows(Dtype dtype) {
  array table = random_values({1 << 16, 1024}, dtype, 5), x = random_values({4096, 4096}, dtype, 6);
  array picks = random::randint(0, 1 << 16, {1 << 14}, int32, random::key(7));
  array one = array({17});
  array updates = random_values({1 << 14, 1, 1024}, dtype, 8);
  eval(picks, one);
  array taken = take(table, picks, 0);
  measure("take_16384_rows", dtype, 2 * bytes_of(taken), [&] { return take(table, picks, 0); });
  measure("take_one_row", dtype, 2 * bytes_of(take(table, one, 0)),
          [&] { return take(table, one, 0); });
  measure("scatter_rows", dtype, 2 * bytes_of(table) + 2 * bytes_of(updates),
          [&] { return scatter(table, {picks}, updates, {0}); });
  measure("scatter_add_rows", dtype, 2 * bytes_of(table) + 3 * bytes_of(updates),
          [&] { return scatter_add(table, {picks}, updates, {0}); });
  measure("concatenate_axis0", dtype, 4 * bytes_of(x), [&] { return concatenate({x, x}, 0); });
  measure("concatenate_axis1", dtype, 4 * bytes_of(x), [&] { return concatenate({x, x}, 1); });
  measure("cumsum_columns", dtype, 2 * bytes_of(x), [&] { return cumsum(x, 0); });
}

void position_rows(Dtype dtype) {
  auto rope = [](const array& x) { return fast::rope(x, 128, false, 1e4f, 1.0f, 1000); };
  for (int64_t length : {1, 4096}) {
    array x = random_values({1, 32, length, 128}, dtype, 9);
    measure("rope_1x32x" + std::to_string(length) + "x128", dtype, 2 * bytes_of(x),
            [&] { return rope(x); });
    array turned = transpose(random_values({1, length, 32, 128}, dtype, 10), {0, 2, 1, 3});
    measure("rope_of_transposed_" + std::to_string(length), dtype, 2 * bytes_of(x),
            [&] { return rope(turned); });
  }
}

}  // namespace
}  // namespace lazuli::bench

int main() {
  using namespace lazuli;
  set_default_device(Device::gpu);
  for (Dtype dtype : {float32, bfloat16}) {
    bench::order_rows(dtype);
    bench::index_rows(dtype);
    bench::position_rows(dtype);
  }
  array key = random::key(11);
  bench::row("random_bits_2^26", "u32",
             bench::seconds_of([&] { return random::bits({1 << 26}, 4, key); }), 4.0 * (1 << 26),
             "TB/s");
}
