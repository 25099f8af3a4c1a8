#include "lazuli/array.h"

#include <cstring>
#include <mutex>

#include "core/node.h"
#include "core/visit.h"
#include "ops/table/op.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

template <class T>
int64_t bits_of(T value) {
  int64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

template <class From>
Node* scalar_node(From value, Dtype dtype) {
  int64_t bits = visit(dtype, [&]<class T>() { return bits_of(convert_value<T>(value)); });
  return make_constant(dtype, bits);
}

void convert_all(const void* from, Dtype stored, void* to, Dtype dtype, int64_t count) {
  visit(stored, [&]<class From>() {
    visit(dtype, [&]<class To>() {
      const From* x = static_cast<const From*>(from);
      To* y = static_cast<To*>(to);
      for (int64_t i = 0; i < count; ++i) y[i] = convert_value<To>(x[i]);
    });
  });
}

}  // namespace

array array::from_integer(int64_t value, Dtype dtype) { return array(scalar_node(value, dtype)); }
array array::from_real(double value, Dtype dtype) {
  if (dtype == float64) return array(scalar_node(value, dtype));
  if (issubdtype(dtype, integer)) return array(scalar_node(value, dtype));
  return array(scalar_node(static_cast<float>(value), dtype));
}
array::array(const complex64_t& value, Dtype dtype) : node_(scalar_node(value, dtype)) {}

array::array(std::initializer_list<float> data)
    : array(data.begin(), Shape{static_cast<int64_t>(data.size())}, float32) {}
array::array(std::initializer_list<int> data, Dtype dtype)
    : array(data.begin(), Shape{static_cast<int64_t>(data.size())}, dtype) {}

array::array(void* data, Shape shape, Dtype dtype, const Deleter& deleter) {
  size_t bytes = static_cast<size_t>(element_count(shape)) * dtype.size();
  Buffer* buffer = wrap_buffer(data, bytes, deleter, true);
  node_ = make_leaf(dtype, std::move(shape), Layout(buffer, 0, {}, true));
}

array array::from_memory(const void* values, Shape shape, Dtype stored, Dtype dtype) {
  int64_t count = element_count(shape);
  Layout layout(allocate_buffer(static_cast<size_t>(count) * dtype.size()), 0, {}, true);
  if (stored != dtype) {
    convert_all(values, stored, layout.buffer->host, dtype, count);
  } else if (count != 0) {  // without values there may be no memory, which memcpy must not get
    std::memcpy(layout.buffer->host, values, static_cast<size_t>(count) * dtype.size());
  }
  return array(make_leaf(dtype, std::move(shape), std::move(layout)));
}

void array::check_count(size_t count, const Shape& shape) {
  if (static_cast<int64_t>(count) != element_count(shape)) {
    throw ArgumentError("[array] " + std::to_string(count) + " values do not fill a shape of " +
                        std::to_string(element_count(shape)) + " elements.");
  }
}

array::array(const array& other) noexcept : node_(other.node_) {
  if (node_) retain(node_);
}
array& array::operator=(const array& other) & {
  if (other.node_) retain(other.node_);
  if (node_) release(node_);
  node_ = other.node_;
  return *this;
}
array& array::operator=(array&& other) & noexcept {
  if (this != &other) {
    if (node_) release(node_);
    node_ = other.node_;
    other.node_ = nullptr;
  }
  return *this;
}
array::~array() {
  if (node_) release(node_);
}

size_t array::size() const { return static_cast<size_t>(node_->size()); }
const Shape& array::shape() const { return node_->shape; }
Dtype array::dtype() const { return node_->type(); }
Stream array::stream() const { return stream_at(node_->stream); }
bool array::is_tracer() const { return node_->tracer != 0 && tracing(); }

ShapeElem array::shape(int axis) const {
  int rank = static_cast<int>(ndim());
  if (axis < -rank || axis >= rank) {
    throw IndexError("[shape] Axis " + std::to_string(axis) + " is out of range for an array of " +
                     std::to_string(rank) + " dimensions.");
  }
  return shape()[static_cast<size_t>(axis < 0 ? axis + rank : axis)];
}

void array::detach() {
  eval();
  for (Node* input : node_->inputs) release(input);
  node_->inputs.clear();
  node_->tracer = 0;
}

namespace {

// A constant keeps its value in the node; memory for it is made when somebody asks.
Value* materialized(Node* node) {
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (node->op == Op::constant && !node->value) {
    Value* value = new_value();
    value->layout = Layout(allocate_buffer(8), 0, {}, true);
    uint64_t bits = params<ConstantParams>(node).bits;
    std::memcpy(value->layout.buffer->host, &bits, node->type().size());
    node->value = value;
  }
  return node->value;
}

// Strides are kept only where they say something.
void fill_strides(Node* node) {
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  Layout& layout = node->value->layout;
  if (layout.dense && layout.strides.size() != node->shape.size()) {
    layout.strides = dense_strides(node->shape);
  }
}

}  // namespace

void* array::host_data(bool for_writing) const {
  eval();
  const Layout& layout = materialized(node_)->layout;
  fetch_to_host(layout.buffer, for_writing);
  return layout.data();
}

const Strides& array::strides() const {
  eval();
  materialized(node_);
  fill_strides(node_);
  return node_->value->layout.strides;
}
int64_t array::strides(int axis) const {
  shape(axis);
  return strides()[static_cast<size_t>(axis < 0 ? axis + static_cast<int>(ndim()) : axis)];
}
bool array::is_row_contiguous() const {
  eval();
  return node_->op == Op::constant || node_->value->layout.dense;
}

void array::read_item(void* value, Dtype wanted) const {
  if (size() != 1) {
    throw ArgumentError("[item] An array of " + std::to_string(size()) +
                        " elements is not a scalar.");
  }
  convert_all(host_data(false), dtype(), value, wanted, 1);
}

namespace {

// The array, or a copy if others have the device's memory of it.
array pinned_on_host(const array& shared) {
  shared.eval();
  const Layout& layout = materialized(shared.node())->layout;
  if (pin_on_host(layout.buffer)) return shared;
  Layout copy(copy_on_host(layout.buffer), layout.offset, layout.strides, layout.dense);
  pin_on_host(copy.buffer);
  return array(make_leaf(shared.dtype(), shared.shape(), std::move(copy)));
}

}  // namespace

HostExport::HostExport(const array& shared)
    : array_(pinned_on_host(shared)), data_(array_.node()->value->layout.data()) {}
HostExport::~HostExport() { array_.node()->value->layout.buffer->pins.fetch_sub(1); }

}  // namespace lazuli
