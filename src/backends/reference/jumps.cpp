#include "backends/reference/jumps.h"

#include <cmath>

#include "backends/reference/interpreter.h"
#include "ops/table/op.h"

namespace lazuli::reference {
namespace {

Complex value_at(const Tensor& t, size_t i) {
  if (t.is_complex()) return t.complex[i];
  return t.is_real() ? Complex(t.real[i]) : Complex(static_cast<double>(t.whole[i]));
}

// The place in a tensor of each element of the shape that it broadcasts to.
std::vector<size_t> places(const Shape& from, const Shape& to) {
  Strides own = dense_strides(from), strides(to.size(), 0);
  for (size_t d = 0; d < from.size(); ++d) {
    if (from[d] != 1) strides[to.size() - from.size() + d] = own[d];
  }
  std::vector<size_t> result(static_cast<size_t>(element_count(to)));
  Counter at(to);
  for (size_t& place : result) {
    place = static_cast<size_t>(offset_of(*at, strides));
    at.next();
  }
  return result;
}

Tensor shifted(const Tensor& x, double by) {
  Tensor result = x;
  for (double& v : result.real) v += by;
  for (Complex& z : result.complex) z += Complex(by, by);
  return result;
}

bool compares(Op op) {
  return op == Op::equal || op == Op::not_equal || op == Op::less || op == Op::less_equal ||
         op == Op::greater || op == Op::greater_equal;
}
bool rounds(const Node* node, const Tensor& x) {
  if (op_info(node->op).result == Result::Stepped) return true;
  bool real = x.is_real() || x.is_complex();
  return node->op == Op::astype && real && issubdtype(node->type(), integer);
}

// Elements whose result differs at the ends of what the inputs may be.
void compare_ends(const Node* node, const std::vector<const Tensor*>& in,
                  const std::vector<const Doubt*>& doubts, std::vector<char>& found) {
  Tensor base = interpret_op(node, in);
  for (int ends = 0; ends < (1 << in.size()); ++ends) {
    std::vector<Tensor> moved;
    std::vector<const Tensor*> pointers;
    for (size_t k = 0; k < in.size(); ++k) {
      double sign = ends >> k & 1 ? 1 : -1;
      moved.push_back(shifted(*in[k], sign * doubts[k]->tolerance));
    }
    for (const Tensor& t : moved) pointers.push_back(&t);
    Tensor other = interpret_op(node, pointers);
    double step = node->op == Op::remainder ? doubts[0]->tolerance * 4 : 0;
    for (size_t i = 0; i < found.size(); ++i) {
      found[i] |= std::abs(value_at(other, i) - value_at(base, i)) > step;
    }
  }
}

// Whether tests for zero, or of the kind of a number, may come out otherwise.
bool beside_ends(Complex z, double tolerance) {
  double size = std::abs(z);
  return tolerance > 0 && (size <= tolerance || size >= 6e4);
}

}  // namespace

std::vector<char> doubtful(const Node* node, const std::vector<const Tensor*>& in,
                           const std::vector<const Doubt*>& doubts) {
  size_t count = static_cast<size_t>(element_count(node->shape));
  std::vector<char> found(count, 0);
  OpForm form = op_info(node->op).form;
  if (form == OpForm::Reduce) {
    std::vector<size_t> to = places(node->shape, in[0]->shape);
    for (size_t i = 0; i < to.size(); ++i) found[to[i]] |= doubts[0]->at(i);
    return found;
  }
  std::vector<std::vector<size_t>> from;
  double tolerance = 0;
  for (size_t k = 0; k < in.size(); ++k) {
    from.push_back(places(in[k]->shape, node->shape));
    tolerance += doubts[k]->tolerance;
    for (size_t i = 0; i < count; ++i) found[i] |= doubts[k]->at(from[k][i]);
  }
  if (tolerance == 0 || form != OpForm::Elementwise || node->op == Op::select) return found;
  bool test = op_info(node->op).result == Result::Boolean || node->type() == bool_;
  if (compares(node->op)) {
    for (size_t i = 0; i < count; ++i) {
      Complex x = value_at(*in[0], from[0][i]), y = value_at(*in[1], from[1][i]);
      // Also where a value left the range of the dtype on the way.
      found[i] |=
          std::abs(x - y) <= 2 * tolerance || std::isinf(std::abs(x)) || std::isinf(std::abs(y));
    }
  } else if (test) {
    for (size_t k = 0; k < in.size(); ++k) {
      for (size_t i = 0; i < count; ++i) {
        found[i] |= beside_ends(value_at(*in[k], from[k][i]), doubts[k]->tolerance);
      }
    }
  } else if (rounds(node, *in[0])) {
    compare_ends(node, in, doubts, found);
  }
  return found;
}

}  // namespace lazuli::reference
