// The Python object `array`: a CPython type of its own, so that operators are type slots that go
// straight to the C++ function, and making one costs an allocation and no table entry.
#pragma once

#include <nanobind/nanobind.h>

#include <exception>
#include <utility>

#include "lazuli/array.h"

namespace nb = nanobind;

namespace lazuli::python {

struct ArrayObject {
  PyObject_HEAD array value;
  PyObject* weak_references;
};

extern PyTypeObject* array_type;

inline bool is_array(PyObject* object) {
  return Py_TYPE(object) == array_type || PyType_IsSubtype(Py_TYPE(object), array_type);
}
inline array& value_of(PyObject* object) { return reinterpret_cast<ArrayObject*>(object)->value; }

// A new reference; null with the error set if there is no memory.
PyObject* wrap(array&& value) noexcept;

// Creates the type and adds it to the module.
void register_array(nb::module_& module);
// Adds the attributes and methods that are functions of nanobind.
void register_array_methods(nb::module_& module);

// Turns the exception being handled into Python's.
void set_python_error() noexcept;

// Runs `body`, which returns a new reference, where an exception may not pass.
template <class Body>
PyObject* guarded(Body&& body) noexcept {
  try {
    return body();
  } catch (...) {
    set_python_error();
    return nullptr;
  }
}

// A function of the vector call convention as the table of methods has it.
inline PyCFunction as_method(PyObject* (*function)(PyObject*, PyObject* const*, Py_ssize_t)) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

[[noreturn]] inline void raise(PyObject* type, const std::string& message) {
  PyErr_SetString(type, message.c_str());
  throw nb::python_error();
}

// Drops a reference from any thread, with or without the interpreter lock: it is done later, by the
// main thread. Buffers and rules let go of Python objects while the library holds locks.
void release_later(PyObject* object) noexcept;

}  // namespace lazuli::python
