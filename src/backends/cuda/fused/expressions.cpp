#include "backends/cuda/fused/expressions.h"

#include "backends/cuda/kernel.h"
#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

using Kind = FusedValue::Kind;

struct Formula {
  const char* text;
  bool two;  // of x and y
};

Formula formula_of(Op op) {
  switch (op) {
#define UNARY(name, accepts, result, low, high, forward, ...) \
  case Op::name: return {#forward, false};
#include "ops/table/unary.def"
#undef UNARY
#define BINARY(name, accepts, result, xl, xh, yl, yh, forward, ...) \
  case Op::name: return {#forward, true};
#include "ops/table/binary.def"
#undef BINARY
    default: return {nullptr, false};
  }
}

bool is_half_type(Dtype::Val d) { return d == Dtype::Val::float16 || d == Dtype::Val::bfloat16; }

std::string function_name(Op op) { return "apply_" + std::string(op_info(op).name); }

// Ops that half types compute in a cheaper way.
std::string half_function(const FusedValue& x) {
  if (!is_half_type(x.dtype)) return "";
  switch (x.op) {
    case Op::exp: return "op::half_exp";
    case Op::sigmoid: return "op::half_sigmoid";
    case Op::tanh: return "op::half_tanh";
    case Op::divide: return "op::half_divide";
    default: return "";
  }
}

std::string rounded(const std::string& x, Dtype::Val half) {
  return "rounded<" + std::string(device_type(half)) + ">(" + x + ")";
}

// As the CPU converts: a computed half has not been rounded yet, and shows it where it is widened.
std::string converted(const FusedStep& step, uint16_t v, const std::string& input) {
  const FusedValue& x = step.values[v];
  const FusedValue& from = step.values[x.inputs[0]];
  std::string value = input;
  bool unrounded = is_half_type(from.dtype) && from.kind != Kind::operand;
  if (unrounded && !is_half_type(x.dtype)) value = rounded(value, from.dtype);
  std::string result = "convert<" + computed_type(x.dtype) + ">(" + value + ")";
  bool rounds = is_half_type(x.dtype) && x.op == Op::astype;
  return rounds ? rounded(result, x.dtype) : result;
}

}  // namespace

std::string computed_type(Dtype::Val dtype) {
  return is_half_type(dtype) ? "float" : device_type(dtype);
}

std::string definitions(std::initializer_list<const FusedStep*> steps) {
  std::set<std::string> written;
  std::string text;
  for (const FusedStep* step : steps) {
    if (!step) continue;
    for (const FusedValue& x : step->values) {
      if (x.kind != Kind::compute) continue;
      Formula formula = formula_of(x.op);
      if (!formula.text) continue;
      if (!half_function(x).empty()) continue;
      std::string from = computed_type(step->values[x.inputs[0]].dtype);
      std::string head = "__device__ __forceinline__ " + computed_type(x.dtype) + " " +
                         function_name(x.op) + "(" + from + " x" +
                         (formula.two ? ", " + from + " y)" : ")");
      if (!written.insert(head).second) continue;
      text +=
          head + " { return static_cast<" + computed_type(x.dtype) + ">(" + formula.text + "); }\n";
    }
  }
  return "namespace op {\n" + text + "}  // namespace op\n";
}

std::string apply(const FusedStep& step, uint16_t v, const std::string* inputs) {
  const FusedValue& x = step.values[v];
  switch (x.op) {
    case Op::astype:
    case Op::copy:
    case Op::identity: return converted(step, v, inputs[0]);
    case Op::select: return inputs[0] + " ? " + inputs[1] + " : " + inputs[2];
    default: break;
  }
  Formula formula = formula_of(x.op);
  if (!formula.text) {
    throw TypeError("[" + std::string(op_info(x.op).name) + "] has no form on the GPU.");
  }
  if (!inputs[3].empty()) {
    if (is_half_type(x.dtype)) return inputs[0] + " * " + inputs[3];
    return "op::divide_by(" + inputs[0] + ", " + inputs[1] + ", " + inputs[3] + ")";
  }
  std::string half = half_function(x);
  std::string call = (half.empty() ? "op::" + function_name(x.op) : half) + "(" + inputs[0];
  return call + (formula.two ? ", " + inputs[1] + ")" : ")");
}

std::string reduction_name(Op op) {
  switch (op) {
    case Op::sum: return "op::Sum";
    case Op::prod: return "op::Prod";
    case Op::max: return "op::Max";
    case Op::min: return "op::Min";
    case Op::all: return "op::All";
    default: return "op::Any";
  }
}

}  // namespace lazuli::cuda
