#include "array/indexing.h"

#include <algorithm>
#include <numeric>

#include "array/casters.h"
#include "array/convert.h"
#include "array/evaluate.h"
#include "array/subscript.h"
#include "lazuli/ops.h"
#include "lazuli/transforms.h"

namespace lazuli::python {
namespace {

using Form = Subscript::Form;

array basic_part(const array& a, const Subscript& s) {
  return s.whole ? a : slice(a, s.start, s.stop, s.strides);
}

// The part's dimensions as the subscript's: integers lose theirs, None gains one.
array shape_basic(const array& part, const Subscript& s) {
  Shape shape;
  bool same = true;
  for (const auto& entry : s.entries) {
    if (entry.form == Form::slice) shape.push_back(s.extents[static_cast<size_t>(entry.axis)]);
    if (entry.form == Form::none) shape.push_back(1);
    same = same && entry.form == Form::slice;
  }
  return same ? part : reshape(part, shape);
}

// Where the dimensions of index arrays stand in the result: NumPy puts them in the place of the
// first if they are neighbours, else in front.
struct Placement {
  size_t position = 0;  // among the other dimensions of the result
  size_t rank = 0;      // of the broadcast index arrays
  Shape lead;           // their shape
};

Placement place_arrays(const Subscript& s) {
  Placement p;
  for (const array& index : s.arrays) p.lead = broadcast_shapes(p.lead, index.shape());
  p.rank = p.lead.size();
  size_t first = 0;
  while (s.entries[first].form != Form::array) ++first;
  bool apart = s.apart;
  for (size_t i = first, seen = 0; seen < s.arrays.size(); ++i) {
    bool by_array = s.entries[i].form == Form::array;
    seen += by_array;
    apart = apart || !by_array;
  }
  p.position = apart ? 0 : first;
  return p;
}

// Extents of the result's dimensions that are not of index arrays.
Shape other_dimensions(const Subscript& s) {
  Shape shape;
  for (const auto& entry : s.entries) {
    if (entry.form == Form::slice) shape.push_back(s.extents[static_cast<size_t>(entry.axis)]);
    if (entry.form == Form::none) shape.push_back(1);
  }
  return shape;
}

Shape result_shape(const Subscript& s, const Placement& p) {
  Shape others = other_dimensions(s), result;
  for (size_t i = 0; i <= others.size(); ++i) {
    if (i == p.position) {
      for (int64_t extent : p.lead) result.push_back(extent);
    }
    if (i < others.size()) result.push_back(others[i]);
  }
  return result;
}

Shape slice_sizes(const Subscript& s) {
  Shape sizes = s.extents;
  for (int axis : s.array_axes) sizes[static_cast<size_t>(axis)] = 1;
  return sizes;
}

// Moves `count` dimensions at `from` to `to`, keeping the order of the rest.
array move_dimensions(const array& a, size_t from, size_t to, size_t count) {
  if (from == to || count == 0) return a;
  std::vector<int> order(a.ndim());
  std::iota(order.begin(), order.end(), 0);
  auto first = order.begin() + static_cast<long>(from), last = first + static_cast<long>(count);
  if (from < to) {
    std::rotate(first, last, order.begin() + static_cast<long>(to + count));
  } else {
    std::rotate(order.begin() + static_cast<long>(to), first, last);
  }
  return transpose(a, order);
}

// Nothing is read from an empty part, unless an index points into an empty axis.
array get_from_empty(const array& part, const Subscript& s, const Placement& p) {
  for (size_t i = 0; i < s.arrays.size(); ++i) {
    if (part.shape(s.array_axes[i]) == 0 && s.arrays[i].size() != 0) {
      throw IndexError("Axis " + std::to_string(s.array_axes[i]) + " has no element to index.");
    }
  }
  return zeros(result_shape(s, p), part.dtype());
}

array get_by_arrays(const array& a, const Subscript& s) {
  array part = basic_part(a, s);
  Placement p = place_arrays(s);
  if (part.size() == 0) return get_from_empty(part, s, p);
  if (s.arrays.size() == 1 && s.entries.size() == a.ndim()) {
    return take(part, s.arrays[0], s.array_axes[0]);  // one array and slices, nothing else
  }
  Shape shape = p.lead;
  for (int64_t extent : other_dimensions(s)) shape.push_back(extent);
  array gathered = reshape(gather(part, s.arrays, s.array_axes, slice_sizes(s)), shape);
  return move_dimensions(gathered, 0, p.position, p.rank);
}

// ---- Assignment ---------------------------------------------------------------------------------

array without_leading_ones(array value, size_t rank) {
  while (value.ndim() > rank && value.shape()[0] == 1) value = squeeze(value, 0);
  return value;
}

// The value with the part's dimensions in place of the subscript's.
array value_for_part(const array& value, const Subscript& s) {
  bool same = std::all_of(s.entries.begin(), s.entries.end(),
                          [](const auto& entry) { return entry.form == Form::slice; });
  if (value.size() == 1) return reshape(value, Shape{});
  if (same) return value;
  size_t rank = other_dimensions(s).size();
  array fitted = without_leading_ones(value, rank);
  Shape shape;
  size_t left = fitted.ndim();
  for (size_t i = s.entries.size(); i-- > 0;) {
    Form form = s.entries[i].form;
    if (form == Form::integer) {
      shape.push_back(1);
    } else if (left > 0) {
      int64_t extent = fitted.shape()[--left];
      if (form == Form::slice) shape.push_back(extent);
      if (form == Form::none && extent != 1) left = fitted.ndim() + 1;
    }
    if (left > fitted.ndim()) break;
  }
  if (left != 0) {
    throw ArgumentError("A value of " + std::to_string(value.ndim()) +
                        " dimensions does not fit the part it is assigned to.");
  }
  std::reverse(shape.begin(), shape.end());
  return reshape(fitted, shape);
}

array combine(const array& old, const array& value, UpdateMode mode) {
  switch (mode) {
    case UpdateMode::add: return add(old, value);
    case UpdateMode::multiply: return multiply(old, value);
    case UpdateMode::maximum: return maximum(old, value);
    case UpdateMode::minimum: return minimum(old, value);
    case UpdateMode::divide: return divide(old, value);
    default: return value;
  }
}

array scatter_by(const array& a, const Subscript& s, const array& updates, UpdateMode mode) {
  switch (mode) {
    case UpdateMode::add: return scatter_add(a, s.arrays, updates, s.array_axes);
    case UpdateMode::multiply: return scatter_prod(a, s.arrays, updates, s.array_axes);
    case UpdateMode::maximum: return scatter_max(a, s.arrays, updates, s.array_axes);
    case UpdateMode::minimum: return scatter_min(a, s.arrays, updates, s.array_axes);
    case UpdateMode::divide:
      return divide(a, scatter_prod(ones_like(a), s.arrays, updates, s.array_axes));
    default: return scatter(a, s.arrays, updates, s.array_axes);
  }
}

array set_by_arrays(const array& a, const Subscript& s, const array& value, UpdateMode mode) {
  Placement p = place_arrays(s);
  Shape result = result_shape(s, p), target = p.lead;
  for (int64_t extent : slice_sizes(s)) target.push_back(extent);
  array part = basic_part(a, s);
  array updates = value.size() == 1 ? broadcast_to(reshape(value, Shape{}), target) : value;
  if (value.size() != 1) {
    array fitted = broadcast_to(without_leading_ones(value, result.size()), result);
    updates = reshape(move_dimensions(fitted, p.position, 0, p.rank), target);
  }
  if (updates.size() == 0) return a;
  array changed = scatter_by(part, s, updates, mode);
  return s.whole ? changed : slice_update(a, changed, s.start, s.stop, s.strides);
}

// The values of v where the mask is set, in order; v has at least the mask's ones as its first
// dimension.
array expand_masked(const array& a, const array& mask, const array& value, size_t rest) {
  array flat = flatten(mask);
  array position = subtract(cumsum(astype(flat, int32), 0), array(1));
  if (!mask.is_tracer()) {
    array count = sum(astype(mask, int32));
    evaluate(count);
    if (count.item<int64_t>() > value.shape()[0]) {
      throw ArgumentError("The mask chooses " + std::to_string(count.item<int64_t>()) +
                          " places for " + std::to_string(value.shape()[0]) + " values.");
    }
    if (value.shape()[0] == 0) return a;
  }
  array values = take(value, maximum(position, array(0)), 0);
  Shape shape = mask.shape();
  for (size_t d = 1; d < values.ndim(); ++d) shape.push_back(values.shape()[d]);
  while (shape.size() < mask.ndim() + rest) shape.insert(shape.begin() + mask.ndim(), 1);
  return reshape(values, shape);
}

array set_by_mask(const array& a, const array& mask, const array& value, UpdateMode mode) {
  if (mask.ndim() > a.ndim() ||
      !std::equal(mask.shape().begin(), mask.shape().end(), a.shape().begin())) {
    throw ArgumentError("The shape of a mask must be that of the array's first dimensions.");
  }
  size_t rest = a.ndim() - mask.ndim();
  Shape shape = mask.shape();
  while (shape.size() < a.ndim()) shape.push_back(1);
  array fitted = value.size() == 1 ? reshape(value, Shape{}) : value;
  if (fitted.ndim() > rest) fitted = expand_masked(a, mask, fitted, rest);
  return where(reshape(mask, shape), combine(a, fitted, mode), a);
}

// ---- Slots --------------------------------------------------------------------------------------
Py_ssize_t length(PyObject* self) {
  note_shape_use();
  const Shape& shape = value_of(self).shape();
  if (shape.empty()) {
    PyErr_SetString(PyExc_TypeError, "len() of an array of 0 dimensions.");
    return -1;
  }
  return shape[0];
}

PyObject* subscript(PyObject* self, PyObject* index) {
  note_shape_use();
  return guarded([&] { return wrap(get_item(value_of(self), index)); });
}

array value_like(const array& a, PyObject* value) {
  if (value == Py_None) raise(PyExc_TypeError, "None is no value for a part of an array.");
  if (is_number(value)) return from_number(value, a.dtype());
  return astype(from_operand(value), a.dtype());
}

int assign_subscript(PyObject* self, PyObject* index, PyObject* value) {
  if (!value) {
    PyErr_SetString(PyExc_TypeError, "Parts of an array cannot be deleted.");
    return -1;
  }
  try {
    array& a = value_of(self);
    a = set_item(a, index, value_like(a, value), UpdateMode::replace);
    return 0;
  } catch (...) {
    set_python_error();
    return -1;
  }
}

// ---- Iteration ----------------------------------------------------------------------------------
struct Iterator {
  array value;
  int64_t next;
};

PyObject* iterate(PyObject* self) {
  note_shape_use();
  return guarded([&]() -> PyObject* {
    const array& a = value_of(self);
    if (a.ndim() == 0) raise(PyExc_TypeError, "iter() of an array of 0 dimensions.");
    return nb::cast(Iterator{a, 0}).release().ptr();
  });
}

array row_of(const array& a, int64_t i) {
  Shape start(a.ndim(), 0), stop = a.shape();
  start[0] = i;
  stop[0] = i + 1;
  return squeeze(slice(a, start, stop), 0);
}

// ---- at -----------------------------------------------------------------------------------------
struct At {
  array value;
  nb::object index;  // none while there is none

  array update(const python::Operand& operand, UpdateMode mode) const {
    if (!index.is_valid()) {
      throw ArgumentError("Give indices to array.at, as in x.at[0].add(4).");
    }
    return set_item(value, index.ptr(), value_like(value, operand.object), mode);
  }
};

array at_subtract(const At& at, const Operand& operand) {
  array change = negative(value_like(at.value, operand.object));
  nb::object object = nb::steal(wrap(std::move(change)));
  return at.update({object.ptr()}, UpdateMode::add);
}

// Floats by the product of the divisors where indices repeat; integers divide once.
array at_divide(const At& at, const Operand& operand) {
  bool by_products = issubdtype(at.value.dtype(), inexact);
  if (!at.index.is_valid() || by_products) return at.update(operand, UpdateMode::divide);
  array divisor = value_like(at.value, operand.object);
  array quotient = divide(get_item(at.value, at.index.ptr()), divisor);
  return set_item(at.value, at.index.ptr(), astype(quotient, at.value.dtype()),
                  UpdateMode::replace);
}

}  // namespace

array get_item(const array& a, PyObject* index) {
  Subscript s = understand(a, index);
  return s.has_arrays() ? get_by_arrays(a, s) : shape_basic(basic_part(a, s), s);
}

array set_item(const array& a, PyObject* index, const array& value, UpdateMode mode) {
  if (PyBool_Check(index)) {
    return index == Py_True ? set_by_mask(a, array(true), value, mode) : a;
  }
  if (!PyTuple_Check(index) && is_index_array(index)) {
    array mask = load_index_array(index);
    if (mask.dtype() == bool_) return set_by_mask(a, mask, value, mode);
  }
  Subscript s = understand(a, index);
  if (s.has_arrays()) return set_by_arrays(a, s, value, mode);
  array fitted = value_for_part(value, s);
  if (mode != UpdateMode::replace) fitted = combine(basic_part(a, s), fitted, mode);
  return slice_update(a, fitted, s.start, s.stop, s.strides);
}

PyObject* get_at(PyObject* self, void*) {
  return guarded([&] { return nb::cast(At{value_of(self), {}}).release().ptr(); });
}

void register_at(nb::module_& module) {
  nb::class_<Iterator>(module, "ArrayIterator", "Goes through an array's first dimension.")
      .def("__iter__", [](nb::handle self) { return nb::borrow(self); })
      .def("__next__", [](Iterator& self) {
        if (self.next >= self.value.shape()[0]) throw nb::stop_iteration();
        return row_of(self.value, self.next++);
      });
  nb::class_<At>(module, "ArrayAt", "Updates by index that accumulate where indices repeat.")
      .def(
          "__getitem__", [](const At& at, nb::object index) { return At{at.value, index}; },
          nb::arg("indices").none())
      .def("subtract", at_subtract, nb::arg("value"))
      .def("divide", at_divide, nb::arg("value"))
      .def(
          "add", [](const At& at, const Operand& v) { return at.update(v, UpdateMode::add); },
          nb::arg("value"))
      .def(
          "multiply",
          [](const At& at, const Operand& v) { return at.update(v, UpdateMode::multiply); },
          nb::arg("value"))
      .def(
          "maximum",
          [](const At& at, const Operand& v) { return at.update(v, UpdateMode::maximum); },
          nb::arg("value"))
      .def(
          "minimum",
          [](const At& at, const Operand& v) { return at.update(v, UpdateMode::minimum); },
          nb::arg("value"));
}

void add_indexing_slots(std::vector<PyType_Slot>& slots) {
  const PyType_Slot rows[] = {
      {Py_mp_length, reinterpret_cast<void*>(length)},
      {Py_mp_subscript, reinterpret_cast<void*>(subscript)},
      {Py_mp_ass_subscript, reinterpret_cast<void*>(assign_subscript)},
      {Py_tp_iter, reinterpret_cast<void*>(iterate)},
  };
  slots.insert(slots.end(), std::begin(rows), std::end(rows));
}

}  // namespace lazuli::python
