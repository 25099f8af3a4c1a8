// The buffer protocol and NumPy.
//
// An export holds the array's memory where it is, so that no evaluation takes it over. Where
// elements share a place it is read-only; who asks for a layout that the array has not gets a copy,
// read-only too.
#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "array/casters.h"
#include "array/convert.h"
#include "array/dtypes.h"
#include "array/evaluate.h"
#include "generated/documentation.h"
#include "lazuli/exchange.h"
#include "lazuli/ops.h"

namespace lazuli::python {
namespace {

// What a view of the buffer protocol points to.
struct Export {
  explicit Export(const array& a) : memory(a) {}
  HostExport memory;
  std::vector<Py_ssize_t> shape, strides;
};

// Of ml_dtypes, whose arrays give no buffer.
bool is_bfloat16_of_numpy(nb::handle object) {
  nb::object dtype = nb::getattr(object, "dtype", nb::none());
  return nb::getattr(dtype, "name", nb::none()).equal(nb::str("bfloat16"));
}

// A memoryview, and the array's memory in it.
class Import {
 public:
  explicit Import(PyObject* object) : view_(nb::steal(PyMemoryView_FromObject(object))) {
    bool is_bfloat16 = false;
    if (!view_.is_valid()) {
      nb::python_error error;
      is_bfloat16 = is_bfloat16_of_numpy(object);
      if (!is_bfloat16) throw error;
      nb::object numbers = nb::module_::import_("numpy").attr("asarray")(nb::handle(object));
      view_ = nb::steal(PyMemoryView_FromObject(nb::object(numbers.attr("view")("uint16")).ptr()));
      if (!view_.is_valid()) throw nb::python_error();
    }
    stored_ = is_bfloat16 ? bfloat16 : dtype_of_buffer();
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
  Dtype dtype_of_buffer() {
    const char* format = buffer().format ? buffer().format : "B";
    is_complex128_ = std::strcmp(format, "Zd") == 0;
    if (is_complex128_) return complex64;
    std::optional<Dtype> stored = dtype_from_format(format, static_cast<size_t>(buffer().itemsize));
    if (!stored) {
      throw ArgumentError(std::string("A buffer of the format '") + format + "' with " +
                          std::to_string(buffer().itemsize) + " bytes an item is no array.");
    }
    return *stored;
  }

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

nb::object to_numpy(nb::handle self, nb::handle dtype, std::optional<bool> copy) {
  if (value_of(self.ptr()).dtype() == bfloat16) {
    raise(PyExc_TypeError, "NumPy has no bfloat16: convert with astype(float32) first.");
  }
  nb::object view = nb::steal(PyMemoryView_FromObject(self.ptr()));
  if (!view.is_valid()) throw nb::python_error();
  nb::module_ numpy = nb::module_::import_("numpy");
  nb::object result = numpy.attr("asarray")(view);
  if (!dtype.is_none()) {
    return result.attr("astype")(dtype, nb::arg("copy") = copy.value_or(true));
  }
  return copy.value_or(false) ? result.attr("copy")() : result;
}

// ---- Exports ------------------------------------------------------------------------------------
bool is_column_major(const array& a) {
  int64_t step = 1;
  for (size_t d = 0; d < a.ndim(); ++d) {
    if (a.shape()[d] != 1 && a.strides()[d] != step) return false;
    step *= a.shape()[d];
  }
  return true;
}

bool asks_for(int flags, int what) { return (flags & what) == what; }

// Whether the consumer can use the array's layout; `a` is evaluated.
bool suits(const array& a, int flags) {
  bool rows = a.is_row_contiguous();
  if (asks_for(flags, PyBUF_C_CONTIGUOUS) || !asks_for(flags, PyBUF_STRIDES)) return rows;
  if (asks_for(flags, PyBUF_F_CONTIGUOUS)) return is_column_major(a);
  return !asks_for(flags, PyBUF_ANY_CONTIGUOUS) || rows || is_column_major(a);
}

// A copy in the layout that the consumer asks for.
array laid_out(const array& a, int flags) {
  bool columns = asks_for(flags, PyBUF_F_CONTIGUOUS);
  array copy = columns ? transpose(contiguous(transpose(a))) : contiguous(a);
  evaluate(copy);
  return copy;
}

void fill_view(Py_buffer* view, const array& a, bool readonly, int flags) {
  auto data = std::make_unique<Export>(a);
  auto size = static_cast<Py_ssize_t>(a.itemsize());
  Strides strides = exported_strides(a.shape(), a.strides());
  for (size_t d = 0; d < a.ndim(); ++d) {
    data->shape.push_back(a.shape()[d]);
    data->strides.push_back(strides[d] * size);
  }
  view->buf = data->memory.data();
  view->len = static_cast<Py_ssize_t>(a.nbytes());
  view->itemsize = size;
  view->readonly = readonly;
  // Without a shape it is bytes in a row.
  view->ndim = asks_for(flags, PyBUF_ND) ? static_cast<int>(a.ndim()) : 1;
  bool typed = asks_for(flags, PyBUF_FORMAT);
  view->format = typed ? const_cast<char*>(buffer_format(a.dtype())) : nullptr;
  view->shape = asks_for(flags, PyBUF_ND) ? data->shape.data() : nullptr;
  view->strides = asks_for(flags, PyBUF_STRIDES) ? data->strides.data() : nullptr;
  view->suboffsets = nullptr;
  view->internal = data.release();
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

bool is_constant(const Shape& shape, const Strides& strides) {
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] != 1 && strides[d] != 0) return false;
  }
  return true;
}

void unfold_constant(array& a) {
  evaluate(a);
  if (a.size() <= 1 || !is_constant(a.shape(), a.strides())) return;
  array unfolded = contiguous(a);
  evaluate(unfolded);
  a = unfolded;
}

Strides exported_strides(const Shape& shape, const Strides& strides) {
  Strides dense(shape.size());
  bool is_dense = true;
  int64_t step = 1, size = 1;
  for (size_t d = shape.size(); d-- > 0; step *= std::max<int64_t>(shape[d], 1)) {
    dense[d] = step;
    is_dense = is_dense && (shape[d] == 1 || strides[d] == step);
    size *= shape[d];
  }
  return is_dense || size == 0 ? dense : strides;
}

int get_buffer(PyObject* object, Py_buffer* view, int flags) {
  try {
    unfold_constant(value_of(object));
    array a = value_of(object);
    bool readonly = may_overlap(a.shape(), a.strides());
    bool suitable = suits(a, flags);
    if (asks_for(flags, PyBUF_WRITABLE) && (readonly || !suitable)) {
      raise(PyExc_BufferError,
            readonly ? "Elements of the array share their places: it cannot be written to."
                     : "The array's memory has gaps or another order than the one asked for.");
    }
    fill_view(view, suitable ? a : laid_out(a, flags), readonly || !suitable, flags);
    view->obj = Py_NewRef(object);
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
             nb::arg("copy") = nb::none(), documentation::asarray);
}

}  // namespace lazuli::python
