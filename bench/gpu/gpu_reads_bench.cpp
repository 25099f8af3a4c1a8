// Reading values that are finished while the device is at other work: 8 products of 8192 are
// queued, then 16 finished values are read one by one.
#include "gpu/timing.h"

namespace lazuli::bench {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr int values_count = 16, products = 8;

struct Times {
  double read, all;  // seconds until the values were read, until all work was done
};

// `make` gives a fresh value; `read` reads it on the host.
template <class Make, class Read>
Times read_behind_work(const array& x, Make make, Read read) {
  std::vector<array> values;
  for (int k = 0; k < values_count; ++k) values.push_back(make(k));
  eval(values);
  synchronize();
  std::vector<array> queued;
  for (int k = 0; k < products; ++k) queued.push_back(matmul(x, x));
  async_eval(queued);
  Clock::time_point start = Clock::now();
  for (const array& value : values) read(value);
  double reading = since(start);
  eval(queued);
  synchronize();
  return {reading, since(start)};
}

template <class Make, class Read>
void measure(const char* name, const array& x, Make make, Read read) {
  std::vector<double> reads, alls;
  for (int round = 0; round < 9; ++round) {
    Times times = read_behind_work(x, make, read);
    reads.push_back(times.read);
    alls.push_back(times.all);
  }
  std::sort(reads.begin(), reads.end());
  std::sort(alls.begin(), alls.end());
  fmt::print("{:<44} {:9.1f} us, all work done after {:9.1f} us\n", name, reads[4] * 1e6,
             alls[4] * 1e6);
  std::fflush(stdout);
}

}  // namespace
}  // namespace lazuli::bench

int main() {
  using namespace lazuli;
  using namespace lazuli::bench;
  set_default_device(Device::gpu);
  array x = random_values({8192, 8192}, bfloat16, 1);
  array table = random_values({1 << 24}, float32, 2);
  table.eval();
  auto part = [&](int64_t size) {
    return [&table, size](int k) {
      int first = static_cast<int>(k * size);
      return slice(table, {first}, {first + static_cast<int>(size)}) * array(2.0f);
    };
  };
  auto first_value = [](const array& value) { value.data<float>(); };
  measure(
      "16 values of 4 bytes", x, [&](int k) { return sum(slice(table, {k}, {k + 100})); },
      [](const array& value) { value.item<float>(); });
  measure("16 arrays of 4 KiB", x, part(1 << 10), first_value);
  measure("16 arrays of 256 KiB", x, part(1 << 16), first_value);
  measure("16 arrays of 4 MiB", x, part(1 << 20), first_value);
}
