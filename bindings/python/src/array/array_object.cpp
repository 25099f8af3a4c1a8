#include "array/array_object.h"

#include <structmember.h>

#include <new>
#include <sstream>
#include <vector>

#include "array/casters.h"
#include "array/convert.h"
#include "array/dtypes.h"
#include "array/evaluate.h"
#include "array/indexing.h"
#include "array/operators.h"
#include "lazuli/ops.h"
#include "lazuli/transforms.h"

namespace lazuli::python {

PyTypeObject* array_type = nullptr;

namespace {

// Freed objects, kept for the next ones; guarded by the interpreter lock.
constexpr size_t kept_max = 128;
void* kept[kept_max];
size_t kept_count = 0;

PyObject* new_object(PyTypeObject* type, array&& value) noexcept {
  ArrayObject* self;
  if (type == array_type) {
    void* memory = kept_count ? kept[--kept_count] : PyObject_Malloc(sizeof(ArrayObject));
    if (!memory) return PyErr_NoMemory();
    self = static_cast<ArrayObject*>(memory);
    PyObject_Init(reinterpret_cast<PyObject*>(self), type);
  } else {
    self = reinterpret_cast<ArrayObject*>(type->tp_alloc(type, 0));
    if (!self) return nullptr;
  }
  new (&self->value) array(std::move(value));
  self->weak_references = nullptr;
  return reinterpret_cast<PyObject*>(self);
}

PyObject* make_empty(PyTypeObject* type, PyObject*, PyObject*) {
  return guarded([&] {
    static const array zero(0);
    return new_object(type, array(zero));
  });
}

int initialize(PyObject* self, PyObject* args, PyObject* keywords) {
  static const char* names[] = {"val", "dtype", nullptr};
  PyObject *value = nullptr, *dtype = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|O:array", const_cast<char**>(names), &value,
                                   &dtype)) {
    return -1;
  }
  try {
    std::optional<Dtype> wanted;
    if (dtype && dtype != Py_None) wanted = load_dtype(dtype);
    value_of(self) = from_any(value, wanted);
    return 0;
  } catch (...) {
    set_python_error();
    return -1;
  }
}

void deallocate(PyObject* self) {
  auto* object = reinterpret_cast<ArrayObject*>(self);
  if (object->weak_references) PyObject_ClearWeakRefs(self);
  object->value.~array();
  PyTypeObject* type = Py_TYPE(self);
  if (type == array_type && kept_count < kept_max) {
    kept[kept_count++] = self;
  } else {
    type->tp_free(self);
  }
  Py_DECREF(type);
}

PyObject* represent(PyObject* self) {
  return guarded([&] {
    evaluate(value_of(self));
    std::ostringstream text;
    text << value_of(self);
    return PyUnicode_FromString(text.str().c_str());
  });
}

// ---- Attributes ---------------------------------------------------------------------------------
PyObject* get_shape(PyObject* self, void*) {
  note_shape_use();
  return shape_tuple(value_of(self).shape());
}
PyObject* get_dtype(PyObject* self, void*) { return dtype_object(value_of(self).dtype()); }
PyObject* get_ndim(PyObject* self, void*) { return PyLong_FromSize_t(value_of(self).ndim()); }
PyObject* get_size(PyObject* self, void*) {
  note_shape_use();
  return PyLong_FromSize_t(value_of(self).size());
}
PyObject* get_itemsize(PyObject* self, void*) {
  return PyLong_FromSize_t(value_of(self).itemsize());
}
PyObject* get_nbytes(PyObject* self, void*) {
  note_shape_use();
  return PyLong_FromSize_t(value_of(self).nbytes());
}

template <array (*function)(const array&, StreamOrDevice)>
PyObject* get_function(PyObject* self, void*) {
  return guarded([&] { return wrap(function(value_of(self), {})); });
}

PyObject* get_matrix_transpose(PyObject* self, void*) {
  return guarded([&] { return wrap(matrix_transpose(value_of(self), {})); });
}

PyGetSetDef attributes[] = {
    {"shape", get_shape, nullptr, "The extents as a tuple.", nullptr},
    {"dtype", get_dtype, nullptr, "The element type.", nullptr},
    {"ndim", get_ndim, nullptr, "The number of dimensions.", nullptr},
    {"size", get_size, nullptr, "The number of elements.", nullptr},
    {"itemsize", get_itemsize, nullptr, "Bytes of one element.", nullptr},
    {"nbytes", get_nbytes, nullptr, "Bytes of all elements.", nullptr},
    {"T", get_function<transpose>, nullptr, "The dimensions in reverse order.", nullptr},
    {"mT", get_matrix_transpose, nullptr, "The last two dimensions swapped.", nullptr},
    {"real", get_function<real>, nullptr, "The real part.", nullptr},
    {"imag", get_function<imag>, nullptr, "The imaginary part.", nullptr},
    {"at", get_at, nullptr, "Updates by index that add up where indices repeat.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(ArrayObject, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

}  // namespace

PyObject* wrap(array&& value) noexcept { return new_object(array_type, std::move(value)); }

array matrix_transpose(const array& a, StreamOrDevice s) {
  if (a.ndim() < 2) {
    throw ArgumentError("[matrix_transpose] An array of " + std::to_string(a.ndim()) +
                        " dimensions is no matrix.");
  }
  return swapaxes(a, -1, -2, s);
}

void register_array(nb::module_& module) {
  std::vector<PyType_Slot> slots = {
      {Py_tp_new, reinterpret_cast<void*>(make_empty)},
      {Py_tp_init, reinterpret_cast<void*>(initialize)},
      {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
      {Py_tp_repr, reinterpret_cast<void*>(represent)},
      {Py_tp_hash, reinterpret_cast<void*>(PyBaseObject_Type.tp_hash)},
      {Py_tp_getset, attributes},
      {Py_tp_members, members},
      {Py_tp_doc, const_cast<char*>("array(val, dtype=None)\n--\n\nAn array of n dimensions.")},
      {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
      {Py_bf_releasebuffer, reinterpret_cast<void*>(release_buffer)},
  };
  add_operator_slots(slots);
  add_indexing_slots(slots);
  slots.push_back({0, nullptr});
  PyType_Spec spec = {"lazuli.core.array", sizeof(ArrayObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots.data()};
  PyObject* type = PyType_FromSpec(&spec);
  if (!type) throw nb::python_error();
  array_type = reinterpret_cast<PyTypeObject*>(type);
  module.attr("array") = nb::handle(type);
}

}  // namespace lazuli::python
