// Every formula of the op tables as device code, for every type that it is computed in. With
// LAZULI_CUDA_PATH at NVIDIA's libraries the same test compiles for real GPUs.
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "emulated_cuda/device/half.h"
#include "emulated_cuda/device_arrays.h"
#include "lazuli/half.h"

namespace lazuli::cuda {
namespace {

struct Row {
  std::string name, accepts, formula;
  bool two;
};
const std::vector<Row>& rows() {
  static const std::vector<Row> all{
#define UNARY(name, accepts, result, low, high, forward, ...) {#name, #accepts, #forward, false},
#include "ops/table/unary.def"
#undef UNARY
#define BINARY(name, accepts, result, xl, xh, yl, yh, forward, ...) \
  {#name, #accepts, #forward, true},
#include "ops/table/binary.def"
#undef BINARY
  };
  return all;
}

bool takes(const Row& row, const std::string& type) {
  bool is_complex = type == "complex_t", is_float = type == "float" || type == "double";
  if (row.accepts == "Inexact") return is_float || is_complex;
  if (row.accepts == "Float") return is_float;
  if (row.accepts == "Complex") return is_complex;
  if (row.accepts == "Integral") return !is_float && !is_complex;
  if (row.accepts == "Whole") return !is_float && !is_complex && type != "bool";
  if (row.accepts == "Signed") return type != "bool";
  if (row.accepts == "Ordered") return !is_complex;
  return true;
}

// One kernel with a switch over the rows, all of whose results are written.
std::string source_for(const std::string& type) {
  std::string functions, cases;
  int number = 0;
  for (const Row& row : rows()) {
    if (!takes(row, type)) continue;
    functions += "__device__ auto apply_" + row.name + "(" + type + " x" +
                 (row.two ? ", " + type + " y) {" : ") {") + " return " + row.formula + "; }\n";
    cases += "  if (which == " + std::to_string(number++) + ") store(out, op::apply_" + row.name +
             (row.two ? "(x, y)" : "(x)") + ");\n";
  }
  return "#include \"math.cuh\"\nnamespace op {\n" + functions +
         "}\n"
         "template <class T> __device__ void store(void* out, T value) {\n"
         "  static_cast<T*>(out)[threadIdx.x] = value;\n}\n"
         "template <class Join, class T> __device__ void reduce(T* x) {\n"
         "  x[threadIdx.x] = block_reduce<Join>(x[threadIdx.x]);\n}\n"
         "template <class T> __global__ void every_row(int which, T* in, void* out) {\n"
         "  T x = in[0], y = in[1];\n" +
         cases +
         "  reduce<op::Sum>(in);\n  reduce<op::Prod>(in);\n  reduce<op::Max>(in);\n"
         "  reduce<op::Min>(in);\n  reduce<op::All>(in);\n  reduce<op::Any>(in);\n}\n";
}

TEST(DeviceMath, compilesForEveryTypeAndArchitecture) {
  for (const char* architecture : {"sm_80", "sm_90a"}) {
    for (const char* type : {"float", "double", "complex_t", "bool", "int8_t", "int16_t", "int32_t",
                             "int64_t", "uint8_t", "uint16_t", "uint32_t", "uint64_t"}) {
      std::string source = source_for(type), instance = "every_row<" + std::string(type) + ">";
      EXPECT_NO_THROW(compile_program(source, instance, architecture)) << type << architecture;
    }
  }
}

TEST(DeviceMath, reducesHalfTypes) {
  const char* source = R"(#include "math.cuh"
      template <class T> __global__ void every_row(T* x) {
        x[0] = block_reduce<op::Sum>(x[0]);
        x[1] = block_reduce<op::Max>(x[1]);
        x[2] = block_reduce<op::Min>(x[2]);
      })";
  EXPECT_NO_THROW(compile_program(source, "every_row<half_t>", "sm_80"));
  EXPECT_NO_THROW(compile_program(source, "every_row<bfloat_t>", "sm_90a"));
}

// ---- The emulation's own arithmetic ----

TEST(EmulatedHalf, convertsAsTheLibraryDoes) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    float16_t half;
    half.bits = static_cast<uint16_t>(bits);
    float expected = half, found = emulated::float_of_half(half.bits);
    ASSERT_TRUE(expected == found || (std::isnan(expected) && std::isnan(found))) << bits;
  }
  std::minstd_rand random(7);
  for (int k = 0; k < 1000000; ++k) {
    // Random bits above, and below them what lies at the middle between two halves or beside it.
    uint32_t low = (random() % 4) * 0x1000 + random() % 3 - 1;
    float value = emulated::float_of((random() << 14) + low);
    if (std::isnan(value)) continue;
    ASSERT_EQ(float16_t(value).bits, emulated::half_bits(value)) << value;
    ASSERT_EQ(bfloat16_t(value).bits, emulated::bfloat_bits(value)) << value;
  }
  EXPECT_EQ(emulated::half_bits(NAN), 0x7fff);
  EXPECT_EQ(emulated::bfloat_bits(NAN), 0x7fff);
}

TEST(EmulatedMath, invertsErf) {
  const Function& inverse = compiled(
      R"(__global__ void inverse(const double* y, double* round, float* single) {
        int i = threadIdx.x;
        round[i] = erf(erfinv(y[i]));
        single[i] = erfinvf((float)y[i]);
      })",
      "inverse");
  std::vector<double> y{0, 1e-300, 1e-8, 0.1, -0.5, 0.7, 0.99, -0.9999, 1 - 1e-9, 1, -1, 2};
  unsigned count = static_cast<unsigned>(y.size());
  DeviceArray<double> device_y(y), device_round(count);
  DeviceArray<float> device_single(count);
  launch(0, inverse, LaunchShape{{1, 1, 1}, {count, 1, 1}}, device_y.data(), device_round.data(),
         device_single.data());
  std::vector<double> round = device_round.values();
  std::vector<float> single = device_single.values();
  for (unsigned i = 0; i + 1 < count; ++i) EXPECT_NEAR(round[i], y[i], 4e-16) << y[i];
  EXPECT_NEAR(single[4], -0.476936276f, 6e-8);
  EXPECT_NEAR(single[6], 1.8213864f, 2.4e-7);
  EXPECT_EQ(single[9], INFINITY);
  EXPECT_EQ(single[10], -INFINITY);
  EXPECT_TRUE(std::isnan(single[11]));
}

}  // namespace
}  // namespace lazuli::cuda
