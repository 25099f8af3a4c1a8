// The buffer protocol and NumPy.
//
// An export holds the array's memory where it is, so that no evaluation takes it over.
#include <cstring>
#include <memory>
#include <vector>

#include "array/casters.h"
#include "array/convert.h"
#include "array/dtypes.h"
#include "array/evaluate.h"
#include "lazuli/ops.h"

namespace lazuli::python {
namespace {

// What a view of the buffer protocol points to.
struct Export {
  explicit Export(const array& a) : memory(a) {}
  HostExport memory;
  std::vector<Py_ssize_t> shape, strides;
};

// A memoryview, and the array's memory in it.
class Import {
 public:
  explicit Import(PyObject* object) : view_(nb::steal(PyMemoryView_FromObject(object))) {
    if (!view_.is_valid()) throw nb::python_error();
    const char* format = buffer().format ? buffer().format : "B";
    is_complex128_ = std::strcmp(format, "Zd") == 0;
    std::optional<Dtype> stored = complex64;
    if (!is_complex128_) {
      stored = dtype_from_format(format, static_cast<size_t>(buffer().itemsize));
    }
    if (!stored) {
      throw ArgumentError(std::string("A buffer of the format '") + format + "' with " +
                          std::to_string(buffer().itemsize) + " bytes an item is no array.");
    }
    stored_ = *stored;
    for (int d = 0; d < buffer().ndim; ++d) shape_.push_back(buffer().shape[d]);
  }

  const Py_buffer& buffer() const { return *PyMemoryView_GET_BUFFER(view_.ptr()); }
  Dtype stored() const { return stored_; }
  const Shape& shape() const { return shape_; }
  bool is_dense() const { return PyBuffer_IsContiguous(&buffer(), 'C'); }
  PyObject* release() { return view_.release().ptr(); }
  bool is_complex128() const { return is_complex128_; }

  array copied(Dtype dtype) const {
    std::vector<char> dense;
    const void* values = buffer().buf;
    if (!is_dense()) {
      dense.resize(static_cast<size_t>(buffer().len));
      if (PyBuffer_ToContiguous(dense.data(), &buffer(), buffer().len, 'C') != 0) {
        throw nb::python_error();
      }
      values = dense.data();
    }
    if (is_complex128_) return narrowed(static_cast<const std::complex<double>*>(values), dtype);
    return array::from_memory(values, shape_, stored_, dtype);
  }

 private:
  array narrowed(const std::complex<double>* values, Dtype dtype) const {
    std::vector<complex64_t> narrow(static_cast<size_t>(buffer().len / buffer().itemsize));
    for (size_t i = 0; i < narrow.size(); ++i) narrow[i] = complex64_t(values[i]);
    return array::from_memory(narrow.data(), shape_, complex64, dtype);
  }

  nb::object view_;
  Dtype stored_ = bool_;
  Shape shape_;
  bool is_complex128_ = false;
};

// An array over memory that an object owns.
array shared(void* data, Shape shape, Dtype dtype, PyObject* owner) {
  return array(data, std::move(shape), dtype, [owner](void*) { release_later(owner); });
}

nb::object to_numpy(const array& a, nb::handle dtype, nb::handle copy) {
  if (a.dtype() == bfloat16) {
    raise(PyExc_TypeError, "NumPy has no bfloat16: convert with astype(float32) first.");
  }
  nb::object view = nb::steal(PyMemoryView_FromObject(nb::steal(wrap(array(a))).ptr()));
  if (!view.is_valid()) throw nb::python_error();
  nb::module_ numpy = nb::module_::import_("numpy");
  nb::object result = numpy.attr("asarray")(view);
  if (!dtype.is_none()) {
    return result.attr("astype")(dtype, nb::arg("copy") = copy.is_none() || nb::cast<bool>(copy));
  }
  bool wants_copy = !copy.is_none() && nb::cast<bool>(copy);
  return wants_copy ? result.attr("copy")() : result;
}

// ---- Pickles ------------------------------------------------------------------------------------
nb::object reduce(const array& a) {
  array dense = contiguous(a);
  evaluate(dense);
  nb::bytes bytes(dense.data<char>(), dense.nbytes());
  nb::object rebuild = nb::module_::import_("lazuli.core").attr("_array_from_bytes");
  return nb::make_tuple(rebuild,
                        nb::make_tuple(bytes, nb::cast(a.shape()), nb::str(dtype_name(a.dtype()))));
}

// A plain function of CPython, which pickles by its name.
PyObject* array_from_bytes(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return guarded([&] {
    Shape shape;
    if (count != 3 || !PyBytes_Check(args[0]) || !load_extents(args[1], shape, false)) {
      raise(PyExc_TypeError, "Bytes, a shape and the name of a dtype are expected.");
    }
    Dtype dtype = dtype_from_name(nb::cast<std::string>(nb::handle(args[2])));
    size_t size = dtype.size();
    for (int64_t extent : shape) size *= static_cast<size_t>(extent);
    if (size != static_cast<size_t>(PyBytes_GET_SIZE(args[0]))) {
      throw ArgumentError("The bytes of an array do not fill its shape.");
    }
    return wrap(array::from_memory(PyBytes_AS_STRING(args[0]), shape, dtype, dtype));
  });
}

PyMethodDef functions[] = {
    {"_array_from_bytes", as_method(array_from_bytes), METH_FASTCALL, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

bool has_buffer(PyObject* object) { return PyObject_CheckBuffer(object); }

array from_buffer(PyObject* object, std::optional<Dtype> dtype, bool copy) {
  Import import(object);
  // float64 becomes float32 unless it is asked for, as Python's floats do.
  Dtype wanted = dtype.value_or(import.stored() == float64 && copy ? float32 : import.stored());
  if (copy) return import.copied(wanted);
  if (wanted != import.stored() || import.is_complex128()) refuse_sharing("the dtype differs");
  if (!import.is_dense()) refuse_sharing("the memory has gaps");
  void* data = import.buffer().buf;
  Shape shape = import.shape();
  return shared(data, std::move(shape), wanted, import.release());
}

nb::object asarray(nb::handle object, std::optional<Dtype> dtype, std::optional<bool> copy) {
  if (object.is_none()) raise(PyExc_TypeError, "An array cannot be made of None.");
  if (is_array(object.ptr())) {
    const array& a = value_of(object.ptr());
    bool converts = dtype && *dtype != a.dtype();
    if (copy && !*copy && converts) refuse_sharing("the dtype differs");
    if (copy.value_or(false)) return nb::cast(lazuli::copy(astype(a, dtype.value_or(a.dtype()))));
    return nb::cast(converts ? astype(a, *dtype) : a);
  }
  if (!copy || *copy) return nb::cast(from_any(object.ptr(), dtype));
  if (has_buffer(object.ptr())) return nb::cast(from_buffer(object.ptr(), dtype, false));
  if (nb::hasattr(object, "__dlpack__")) return nb::cast(from_dlpack(object.ptr(), dtype, false));
  refuse_sharing("the object has no memory to share");
}

int get_buffer(PyObject* object, Py_buffer* view, int) {
  try {
    const array& a = value_of(object);
    evaluate(a);
    auto data = std::make_unique<Export>(a);
    auto size = static_cast<Py_ssize_t>(a.itemsize());
    for (size_t d = 0; d < a.ndim(); ++d) {
      data->shape.push_back(a.shape()[d]);
      data->strides.push_back(a.strides()[d] * size);
    }
    view->buf = data->memory.data();
    view->obj = Py_NewRef(object);
    view->len = static_cast<Py_ssize_t>(a.nbytes());
    view->itemsize = size;
    view->readonly = 0;
    view->ndim = static_cast<int>(a.ndim());
    view->format = const_cast<char*>(buffer_format(a.dtype()));
    view->shape = data->shape.data();
    view->strides = data->strides.data();
    view->suboffsets = nullptr;
    view->internal = data.release();
    return 0;
  } catch (...) {
    view->obj = nullptr;
    set_python_error();
    return -1;
  }
}

void release_buffer(PyObject*, Py_buffer* view) { delete static_cast<Export*>(view->internal); }

void register_buffers(nb::module_& module) {
  nb::handle type(reinterpret_cast<PyObject*>(array_type));
  auto method = [&](const char* name, auto function, const auto&... extra) {
    nb::cpp_function_def(function, nb::scope(type), nb::name(name), nb::is_method(), extra...);
  };
  method("__array__", to_numpy, nb::arg("dtype") = nb::none(), nb::arg("copy") = nb::none());
  method("__reduce__", reduce);
  if (PyModule_AddFunctions(module.ptr(), functions) != 0) throw nb::python_error();
  module.def("asarray", asarray, nb::arg("a"), nb::arg("dtype") = nb::none(), nb::kw_only(),
             nb::arg("copy") = nb::none(), "The object as an array; without a copy if it can be.");
}

}  // namespace lazuli::python
