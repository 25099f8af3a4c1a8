// Every op and its facts, read off the tables.
#pragma once

#include <cstdint>

namespace lazuli {

enum class Op : uint16_t {
  leaf,      // an array that was given, not computed
  constant,  // a 0-d value kept in the node
  astype,
  select,     // where(condition, x, y)
  copy,       // the same values, row-contiguous
  placeholder,  // an argument of a traced function
  identity,   // the same value; marks a tracer or stops a gradient
#define UNARY(name, ...) name,
#include "ops/table/unary.def"
#undef UNARY
#define BINARY(name, ...) name,
#include "ops/table/binary.def"
#undef BINARY
#define PRIMITIVE(name, ...) name,
#include "ops/table/primitive.def"
#undef PRIMITIVE
  count_,
};

enum class OpForm : uint8_t { Leaf, Elementwise, View, Reduce, Kernel };
enum class OpLayout : uint8_t { Any, Dense };

// Dtypes a row accepts. Integers given to Inexact and Float rows become float32, booleans given to
// Whole rows uint8; Signed ones refuse booleans.
enum class Accepts : uint8_t { Number, Signed, Ordered, Integral, Whole, Inexact, Float, Complex };
constexpr bool is_integral(Accepts a) { return a == Accepts::Integral || a == Accepts::Whole; }
// The dtype of a result: the operands', a real one of complex operands, bool. A stepped result has
// the operands' dtype and jumps, as booleans do, where a value lies beside a step: there a small
// error becomes a large one.
enum class Result : uint8_t { Same, Stepped, Real, Boolean };
constexpr bool jumps(Result r) { return r == Result::Stepped || r == Result::Boolean; }
constexpr bool keeps_dtype(Result r) { return r == Result::Same || r == Result::Stepped; }

// How the output of a kernel begins: as new memory, or as a copy of the first input, or that input
// itself where nobody else needs it.
enum class OpOutput : uint8_t { Fresh, Updated };
// What a kernel's time goes into, beside memory: runtime/cost.h counts it.
enum class OpWork : uint8_t { Moves, Products, Attention };

struct OpInfo {
  const char* name;
  OpForm form;
  OpLayout layout;
  uint8_t arity;  // of elementwise ops
  Accepts accepts;
  Result result;
  OpOutput output = OpOutput::Fresh;
  OpWork work = OpWork::Moves;
};

// How an update meets the value in its place.
enum class ScatterMode : uint8_t { replace, add, multiply, maximum, minimum };

const OpInfo& op_info(Op op);

// Whether the backend of a stream has a kernel for an op that is not elementwise. Defined by the
// runtime, which knows the streams' devices.
bool backend_has_kernel(Op op, int stream);

inline bool is_elementwise(Op op) { return op_info(op).form == OpForm::Elementwise; }

}  // namespace lazuli
