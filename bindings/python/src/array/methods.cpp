#include "array/methods.h"

#include "array/dtypes.h"
#include "array/evaluate.h"
#include "lazuli/ops.h"

namespace lazuli::python {
namespace {

nb::bytes bytes_of(const array& a) {
  array dense = contiguous(a);
  evaluate(dense);
  return nb::bytes(dense.data<char>(), dense.nbytes());
}

nb::object complex_of(const array& a) {
  nb::object number = nb::steal(to_number(a));
  return nb::handle(reinterpret_cast<PyObject*>(&PyComplex_Type))(number);
}

nb::object format_array(nb::object self, nb::str spec) {
  const array& a = value_of(self.ptr());
  if (nb::len(spec) == 0) return nb::str(self);
  if (a.ndim() != 0) {
    raise(PyExc_TypeError, "A format is for arrays of 0 dimensions, not of " +
                               std::to_string(a.ndim()) + ": convert with tolist() first.");
  }
  return nb::steal(to_number(a)).attr("__format__")(spec);
}

nb::object namespace_of(const array&, nb::handle version) {
  if (!version.is_none()) {
    throw ArgumentError("[__array_namespace__] A version cannot be asked for.");
  }
  return nb::module_::import_("lazuli.core");
}

}  // namespace

void register_array_methods(nb::module_&) {
  define_method(
      "item", [](const array& a) { return nb::steal(to_number(a)); },
      "The only element as a Python number.");
  define_method(
      "tolist", [](const array& a) { return nb::steal(to_list(a)); },
      "The elements in nested lists.");
  define_method("__copy__", [](const array& a) { return a; });
  define_method("__deepcopy__", [](const array& a, nb::handle) { return a; }, nb::arg("memo"));
  define_method("__bytes__", bytes_of);
  define_method("__complex__", complex_of);
  define_method("__array_namespace__", namespace_of, nb::arg("api_version") = nb::none());
  nb::handle type(reinterpret_cast<PyObject*>(array_type));
  nb::cpp_function_def(format_array, nb::scope(type), nb::name("__format__"), nb::is_method());
}

}  // namespace lazuli::python
