#include "ops/record.h"

#include <algorithm>

#include "base/flags.h"
#include "lazuli/ops.h"
#include "lazuli/transforms.h"

namespace lazuli {

namespace {

constexpr int64_t bytes_max = int64_t{1} << 60;

[[noreturn, gnu::cold]] void refuse_shape(Op op, const Shape& shape, Dtype dtype) {
  throw ArgumentError("[" + std::string(op_info(op).name) + "] The shape " + describe(shape) +
                      " of " + dtype_name(dtype) + " is negative or too large.");
}

// Elements and bytes must be countable, along the other axes even where an extent is 0.
void check_shape(Op op, const Shape& shape, Dtype dtype) {
  int64_t bytes = dtype.size();
  for (int64_t extent : shape) {
    bool fits = extent >= 0 && !__builtin_mul_overflow(bytes, std::max<int64_t>(extent, 1), &bytes);
    if (!fits || bytes > bytes_max) refuse_shape(op, shape, dtype);
  }
}

bool is_half(Dtype::Val dtype) {
  return dtype == Dtype::Val::float16 || dtype == Dtype::Val::bfloat16;
}

bool is_computed_half(const Node* node) {
  if (!is_half(node->dtype)) return false;
  OpForm form = op_info(node->op).form;
  bool fused = form == OpForm::Elementwise || form == OpForm::Reduce || node->op == Op::identity;
  return fused && node->op != Op::astype;
}

// What has been recorded, as programs see it.
array finished(Node* node, const Stream& stream) {
  if (!is_half(node->dtype)) return array(node);
  array result(node);
  return flags().round_halves ? as_stored(result, stream) : result;
}

}  // namespace

namespace {
thread_local uint64_t shapes_used = 0;
}
void note_shape_use() { ++shapes_used; }
uint64_t shape_uses() { return shapes_used; }

bool is_unrounded(const array& a) { return is_computed_half(a.node()) && !a.node()->ready(); }

array as_stored(const array& a, const Stream& stream) {
  if (!is_unrounded(a)) return a;
  return record(Op::astype, a.dtype(), a.shape(), {&a}, {}, stream);
}

array record(Op op, Dtype dtype, Shape shape, std::initializer_list<const array*> inputs,
             Params params, const Stream& stream) {
  check_shape(op, shape, dtype);
  Node* nodes[4];
  size_t count = 0;
  for (const array* input : inputs) nodes[count++] = input->node();
  return finished(make_node(op, dtype, std::move(shape), {nodes, count}, std::move(params), stream),
                  stream);
}

array record(Op op, Dtype dtype, Shape shape, const std::vector<array>& inputs, Params params,
             const Stream& stream) {
  check_shape(op, shape, dtype);
  std::vector<Node*> nodes;
  nodes.reserve(inputs.size());
  for (const array& input : inputs) nodes.push_back(input.node());
  return finished(make_node(op, dtype, std::move(shape), nodes, std::move(params), stream), stream);
}

std::string describe(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i) text += ",";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

std::string describe(const array& a) { return dtype_name(a.dtype()) + describe(a.shape()); }

int64_t checked_sum(const char* op, int64_t a, int64_t b) {
  int64_t sum;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  throw ArgumentError("[" + std::string(op) + "] An extent leaves the range of 64 bits.");
}
int64_t checked_product(const char* op, int64_t a, int64_t b) {
  int64_t product;
  if (!__builtin_mul_overflow(a, b, &product)) return product;
  throw ArgumentError("[" + std::string(op) + "] An extent leaves the range of 64 bits.");
}

int normalize_axis(const char* op, int axis, size_t ndim) {
  int rank = static_cast<int>(ndim);
  if (axis < -rank || axis >= rank) {
    throw IndexError("[" + std::string(op) + "] Axis " + std::to_string(axis) +
                     " is out of range for an array of " + std::to_string(rank) + " dimensions.");
  }
  return axis < 0 ? axis + rank : axis;
}

std::vector<int> normalize_axes(const char* op, const std::vector<int>& axes, size_t ndim) {
  std::vector<int> result;
  for (int axis : axes) result.push_back(normalize_axis(op, axis, ndim));
  std::sort(result.begin(), result.end());
  if (std::adjacent_find(result.begin(), result.end()) != result.end()) {
    throw ArgumentError("[" + std::string(op) + "] An axis is named twice.");
  }
  return result;
}

std::vector<int> all_axes(const array& a) {
  std::vector<int> axes(a.ndim());
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int>(i);
  return axes;
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  size_t lead = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    int64_t x = longer[lead + i], y = shorter[i];
    if (x == y || y == 1) continue;
    if (x != 1) {
      throw ArgumentError("[" + std::string(op) + "] Shapes " + describe(a) + " and " +
                          describe(b) + " cannot be broadcast.");
    }
    result[lead + i] = y;
  }
  return result;
}

Shape broadcast_shapes(const Shape& a, const Shape& b) {
  return broadcast_shapes("broadcast_shapes", a, b);
}

array scalar_like(const array& like, double value) { return array(value, like.dtype()); }

array sum_to(const array& a, const Shape& shape, const Stream& stream) {
  if (a.shape() == shape) return a;
  std::vector<int> axes;
  size_t lead = a.ndim() - shape.size();
  for (size_t i = 0; i < a.ndim(); ++i) {
    if (i < lead || (shape[i - lead] == 1 && a.shape()[i] != 1))
      axes.push_back(static_cast<int>(i));
  }
  array summed = axes.empty() ? a : sum(a, axes, true, stream);
  return lead ? reshape(summed, shape, stream) : summed;
}

}  // namespace lazuli
