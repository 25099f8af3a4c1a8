#include "ops/table/op.h"

#include <iterator>

namespace lazuli {
namespace {

constexpr OpInfo infos[] = {
    {"leaf", OpForm::Leaf, OpLayout::Any, 0, Accepts::Number, Result::Same},
    {"constant", OpForm::Leaf, OpLayout::Any, 0, Accepts::Number, Result::Same},
    {"astype", OpForm::Elementwise, OpLayout::Any, 1, Accepts::Number, Result::Same},
    {"where", OpForm::Elementwise, OpLayout::Any, 3, Accepts::Number, Result::Same},
    {"copy", OpForm::Elementwise, OpLayout::Any, 1, Accepts::Number, Result::Same},
    {"placeholder", OpForm::Kernel, OpLayout::Any, 0, Accepts::Number, Result::Same},
    {"identity", OpForm::View, OpLayout::Any, 1, Accepts::Number, Result::Same},
#define UNARY(name, accepts, result, ...) \
  {#name, OpForm::Elementwise, OpLayout::Any, 1, Accepts::accepts, Result::result},
#include "ops/table/unary.def"
#undef UNARY
#define BINARY(name, accepts, result, ...) \
  {#name, OpForm::Elementwise, OpLayout::Any, 2, Accepts::accepts, Result::result},
#include "ops/table/binary.def"
#undef BINARY
#define PRIMITIVE(name, form, layout, output, work)    \
  {#name,           OpForm::form, OpLayout::layout, 0, \
   Accepts::Number, Result::Same, OpOutput::output, OpWork::work},
#include "ops/table/primitive.def"
#undef PRIMITIVE
};
static_assert(std::size(infos) == static_cast<size_t>(Op::count_));

}  // namespace

const OpInfo& op_info(Op op) { return infos[static_cast<size_t>(op)]; }

}  // namespace lazuli
