// How nanobind passes arrays and the parameter types of MLX's functions.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <vector>

#include "array/array_object.h"
#include "array/convert.h"

namespace lazuli::python {

// A number, an array or a buffer, seen together with the other operand.
struct Operand {
  PyObject* object = nullptr;
  array value() const { return from_operand(object); }
};

// None (all), an axis or several.
struct Axes {
  bool all = true;
  std::vector<int> list;
};

// An integer or several.
struct Extents {
  Shape shape;
};

// The object as a value of C++; TypeError, naming the function and its argument, if it is none.
template <class T>
T load_argument(nb::handle object, const char* function, const char* argument) {
  T value{};
  if (nb::try_cast(object, value)) return value;
  raise(PyExc_TypeError, std::string("[") + function + "] The argument " + argument + " is " +
                             nb::detail::make_caster<T>::Name.text + ", not " +
                             Py_TYPE(object.ptr())->tp_name + ".");
}
// The number as an int; ValueError if it does not fit.
int to_int(int64_t number, const char* function, const char* argument);
std::vector<int> to_ints(const Shape& numbers, const char* function, const char* argument);

bool load_stream(PyObject* object, StreamOrDevice& stream);
bool load_axes(PyObject* object, Axes& axes);
bool load_extents(PyObject* object, Shape& shape, bool accept_one);
PyObject* shape_tuple(const Shape& shape);

}  // namespace lazuli::python

namespace nanobind::detail {

template <>
struct type_caster<lazuli::array> {
  using Value = lazuli::array;
  static constexpr auto Name = const_name("array");
  template <class T>
  using Cast = movable_cast_t<T>;
  template <class T>
  static constexpr bool can_cast() {
    return true;
  }

  bool from_python(handle src, uint32_t flags, cleanup_list*) noexcept {
    using namespace lazuli::python;
    converted.reset();  // lists load one item after the other through one caster
    if (is_array(src.ptr())) {
      pointer = &value_of(src.ptr());
      return true;
    }
    if (!(flags & cast_flags::convert) || !is_convertible(src.ptr())) return false;
    try {
      converted.emplace(from_operand(src.ptr()));
    } catch (...) {
      PyErr_Clear();
      return false;
    }
    pointer = &*converted;
    return true;
  }
  static bool is_convertible(PyObject* object) {
    return lazuli::python::is_number(object) || lazuli::python::has_buffer(object);
  }
  template <class T>
  static handle from_cpp(T&& value, rv_policy, cleanup_list*) noexcept {
    if constexpr (std::is_pointer_v<std::decay_t<T>>) {
      return value ? handle(lazuli::python::wrap(lazuli::array(*value))) : none().release();
    } else {
      return lazuli::python::wrap(lazuli::array(std::forward<T>(value)));
    }
  }
  explicit operator lazuli::array*() { return pointer; }
  explicit operator lazuli::array&() { return *pointer; }
  explicit operator lazuli::array&&() {
    // The object keeps its value: a moved-from array would be seen from Python.
    if (!converted) converted.emplace(*pointer);
    return std::move(*converted);
  }

  lazuli::array* pointer = nullptr;
  std::optional<lazuli::array> converted;
};

template <>
struct type_caster<lazuli::python::Operand> {
  NB_TYPE_CASTER(lazuli::python::Operand, const_name("scalar | array"))
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    value.object = src.ptr();
    return !src.is_none();
  }
};

template <>
struct type_caster<lazuli::StreamOrDevice> {
  NB_TYPE_CASTER(lazuli::StreamOrDevice, const_name("StreamOrDevice"))
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    return src.is_none() || lazuli::python::load_stream(src.ptr(), value);
  }
};

template <>
struct type_caster<lazuli::python::Axes> {
  NB_TYPE_CASTER(lazuli::python::Axes, const_name("None | int | Sequence[int]"))
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    return src.is_none() || lazuli::python::load_axes(src.ptr(), value);
  }
};

template <>
struct type_caster<lazuli::python::Extents> {
  NB_TYPE_CASTER(lazuli::python::Extents, const_name("int | Sequence[int]"))
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    return lazuli::python::load_extents(src.ptr(), value.shape, true);
  }
};

template <>
struct type_caster<lazuli::Shape> {
  NB_TYPE_CASTER(lazuli::Shape, io_name("Sequence[int]", "tuple[int, ...]"))
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    return lazuli::python::load_extents(src.ptr(), value, false);
  }
  static handle from_cpp(const lazuli::Shape& shape, rv_policy, cleanup_list*) noexcept {
    return lazuli::python::shape_tuple(shape);
  }
};

}  // namespace nanobind::detail
