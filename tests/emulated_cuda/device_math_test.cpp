// Every formula of the op tables as device code, for every type that it is computed in. With
// LAZULI_CUDA_PATH at NVIDIA's libraries the same test compiles for real GPUs.
#include <string>
#include <vector>

#include "emulated_cuda/device_arrays.h"

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

}  // namespace
}  // namespace lazuli::cuda
