#include "array/dtypes.h"
#include "generated/documentation.h"

#include <nanobind/stl/string.h>

#include <bit>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>

namespace lazuli::python {
namespace {

struct DtypeRow {
  Dtype dtype;
  const char* format;
};
// In the order of Dtype::Val.
constexpr DtypeRow rows[] = {
    {bool_, "?"},   {uint8, "B"},   {uint16, "H"},          {uint32, "I"},     {uint64, "Q"},
    {int8, "b"},    {int16, "h"},   {int32, "i"},           {int64, "q"},      {float16, "e"},
    {float32, "f"}, {float64, "d"}, {bfloat16, "bfloat16"}, {complex64, "Zf"},
};
PyObject* objects[std::size(rows)];

// ---- Limits -------------------------------------------------------------------------------------
struct FloatLimits {
  Dtype dtype;
  double max, eps, smallest_normal;
};

FloatLimits float_limits(Dtype dtype) {
  switch (dtype.val()) {
    case Dtype::Val::float16: return {dtype, 65504.0, 0x1p-10, 0x1p-14};
    case Dtype::Val::bfloat16: return {dtype, 0x1.fep127, 0x1p-7, 0x1p-126};
    case Dtype::Val::float32:
    case Dtype::Val::complex64: return {float32, 0x1.fffffep127, 0x1p-23, 0x1p-126};
    case Dtype::Val::float64: return {dtype, 0x1.fffffffffffffp1023, 0x1p-52, 0x1p-1022};
    default:
      throw ArgumentError("[finfo] " + std::string(dtype_name(dtype)) +
                          " is no floating point type.");
  }
}

struct IntegerLimits {
  Dtype dtype;
  int64_t min;
  uint64_t max;
};

IntegerLimits integer_limits(Dtype dtype) {
  if (!issubdtype(dtype, integer)) {
    throw ArgumentError("[iinfo] " + std::string(dtype_name(dtype)) + " is no integer type.");
  }
  unsigned bits = 8 * dtype.size();
  if (issubdtype(dtype, unsignedinteger)) {
    return {dtype, 0, ~uint64_t{0} >> (64 - bits)};
  }
  uint64_t max = ~uint64_t{0} >> (65 - bits);
  return {dtype, -static_cast<int64_t>(max) - 1, max};
}

template <class T>
std::string limits_text(const char* name, const T& min, const T& max, Dtype dtype) {
  std::ostringstream text;
  text << name << "(min=" << min << ", max=" << max << ", dtype=" << dtype_name(dtype) << ")";
  return text.str();
}

void register_limits(nb::module_& module) {
  nb::class_<FloatLimits>(module, "finfo", "The limits of a floating point type.")
      .def("__init__",
           [](FloatLimits* self, Dtype dtype) { new (self) FloatLimits(float_limits(dtype)); })
      .def_prop_ro("min", [](const FloatLimits& l) { return -l.max; })
      .def_prop_ro("max", [](const FloatLimits& l) { return l.max; })
      .def_prop_ro("eps", [](const FloatLimits& l) { return l.eps; })
      .def_prop_ro("smallest_normal", [](const FloatLimits& l) { return l.smallest_normal; })
      .def_prop_ro("bits", [](const FloatLimits& l) { return 8 * l.dtype.size(); })
      .def_prop_ro("dtype", [](const FloatLimits& l) { return nb::steal(dtype_object(l.dtype)); })
      .def("__repr__",
           [](const FloatLimits& l) { return limits_text("finfo", -l.max, l.max, l.dtype); });
  nb::class_<IntegerLimits>(module, "iinfo", "The limits of an integer type.")
      .def("__init__", [](IntegerLimits* self,
                          Dtype dtype) { new (self) IntegerLimits(integer_limits(dtype)); })
      .def_prop_ro("min", [](const IntegerLimits& l) { return l.min; })
      .def_prop_ro("max", [](const IntegerLimits& l) { return l.max; })
      .def_prop_ro("dtype", [](const IntegerLimits& l) { return nb::steal(dtype_object(l.dtype)); })
      .def("__repr__", [](const IntegerLimits& l) {
        std::ostringstream text;
        text << "iinfo(min=" << l.min << ", max=" << l.max << ", dtype=" << dtype_name(l.dtype)
             << ")";
        return text.str();
      });
}

// ---- Questions about dtypes ---------------------------------------------------------------------
Dtype dtype_of(nb::handle object, const char* message) {
  if (is_array(object.ptr())) return value_of(object.ptr()).dtype();
  if (!nb::isinstance<Dtype>(object)) throw ArgumentError(message);
  return nb::cast<Dtype>(object);
}

nb::object result_type(const nb::args& arguments) {
  if (arguments.size() == 0) {
    throw ArgumentError("[result_type] At least one array or dtype is required.");
  }
  const char* message = "[result_type] Inputs must be arrays or dtypes.";
  Dtype result = dtype_of(arguments[0], message);
  for (nb::handle item : arguments) result = promote_types(result, dtype_of(item, message));
  return nb::steal(dtype_object(result));
}

// The array API's rule: a kind may rise, a range may not shrink.
bool can_cast(nb::handle from, Dtype to) {
  Dtype dtype = dtype_of(from, "[can_cast] The first input must be an array or a dtype.");
  return promote_types(dtype, to) == to;
}

bool is_of_kind(Dtype dtype, nb::handle kind) {
  if (nb::isinstance<Dtype>(kind)) return dtype == nb::cast<Dtype>(kind);
  if (nb::isinstance<nb::tuple>(kind)) {
    for (nb::handle item : nb::borrow<nb::tuple>(kind)) {
      if (is_of_kind(dtype, item)) return true;
    }
    return false;
  }
  std::string name;
  if (!nb::try_cast(kind, name)) {
    throw ArgumentError("[isdtype] A kind is a dtype, a name or a tuple of them.");
  }
  if (name == "bool") return dtype == bool_;
  if (name == "signed integer") return issubdtype(dtype, signedinteger);
  if (name == "unsigned integer") return issubdtype(dtype, unsignedinteger);
  if (name == "integral") return issubdtype(dtype, integer);
  if (name == "real floating") return issubdtype(dtype, floating);
  if (name == "complex floating") return issubdtype(dtype, complexfloating);
  if (name == "numeric") return issubdtype(dtype, number);
  throw ArgumentError("[isdtype] There is no kind '" + name + "'.");
}

bool is_subdtype(nb::handle a, nb::handle b) {
  bool b_is_dtype = nb::isinstance<Dtype>(b);
  if (!b_is_dtype && !nb::isinstance<Dtype::Category>(b)) {
    throw ArgumentError("[issubdtype] The second input is neither dtype nor category.");
  }
  if (nb::isinstance<Dtype>(a)) {
    return b_is_dtype ? issubdtype(nb::cast<Dtype>(a), nb::cast<Dtype>(b))
                      : issubdtype(nb::cast<Dtype>(a), nb::cast<Dtype::Category>(b));
  }
  if (!nb::isinstance<Dtype::Category>(a)) {
    throw ArgumentError("[issubdtype] The first input is neither dtype nor category.");
  }
  return !b_is_dtype && issubdtype(nb::cast<Dtype::Category>(a), nb::cast<Dtype::Category>(b));
}

void register_categories(nb::module_& module) {
  static const struct {
    const char* name;
    Dtype::Category category;
  } categories[] = {
      {"complexfloating", complexfloating},
      {"floating", floating},
      {"inexact", inexact},
      {"signedinteger", signedinteger},
      {"unsignedinteger", unsignedinteger},
      {"integer", integer},
      {"number", number},
      {"generic", generic},
  };
  nb::enum_<Dtype::Category> type(module, "DtypeCategory", "What dtypes are instances of.");
  for (const auto& row : categories) type.value(row.name, row.category);
  type.export_values();
  nb::object items = module.attr("DtypeCategory");
  for (const auto& row : categories) module.attr(row.name) = items.attr(row.name);
}

}  // namespace

Kind kind_of(Dtype dtype) {
  if (dtype == bool_) return Kind::boolean;
  if (issubdtype(dtype, integer)) return Kind::integer;
  return dtype == complex64 ? Kind::complex : Kind::real;
}

PyObject* dtype_object(Dtype dtype) noexcept {
  return Py_NewRef(objects[static_cast<size_t>(dtype.val())]);
}

Dtype load_dtype(PyObject* object) {
  if (!nb::isinstance<Dtype>(object)) {
    raise(PyExc_TypeError, std::string("A dtype is expected, such as float32, not ") +
                               Py_TYPE(object)->tp_name + ".");
  }
  return nb::cast<Dtype>(nb::handle(object));
}

const char* buffer_format(Dtype dtype) { return rows[static_cast<size_t>(dtype.val())].format; }

std::optional<Dtype> dtype_from_format(std::string_view format, size_t bytes) {
  static_assert(std::endian::native == std::endian::little);
  if (!format.empty() && (format[0] == '@' || format[0] == '=' || format[0] == '<')) {
    format.remove_prefix(1);
  } else if (!format.empty() && (format[0] == '>' || format[0] == '!')) {
    if (bytes > 1) return std::nullopt;
    format.remove_prefix(1);
  }
  // Letters of C's long have the width of the platform.
  if (format == "l" || format == "n") format = bytes == 8 ? "q" : "i";
  if (format == "L" || format == "N") format = bytes == 8 ? "Q" : "I";
  for (const DtypeRow& row : rows) {
    if (format == row.format && bytes == row.dtype.size()) return row.dtype;
  }
  return std::nullopt;
}

void register_dtypes(nb::module_& module) {
  nb::class_<Dtype>(module, "Dtype", "The type of an array's elements.")
      .def_prop_ro(
          "size", [](Dtype d) { return d.size(); }, "Bytes of one element.")
      // As in MLX, so that text made there is found here.
      .def("__repr__", [](Dtype d) { return std::string("mlx.core.") + dtype_name(d); })
      .def("__eq__",
           [](Dtype d, nb::handle other) {
             return nb::isinstance<Dtype>(other) && d == nb::cast<Dtype>(other);
           })
      .def("__hash__", [](Dtype d) { return static_cast<int64_t>(d.val()); })
      // The name of the module's object: a copy of a dtype is the dtype.
      .def("__reduce__",
           [](Dtype d) { return std::string(dtype_name(d)) + (d == bool_ ? "_" : ""); });
  for (const DtypeRow& row : rows) {
    nb::object object = nb::cast(row.dtype, nb::rv_policy::copy);
    objects[static_cast<size_t>(row.dtype.val())] = object.inc_ref().ptr();
    std::string name = std::string(dtype_name(row.dtype)) + (row.dtype == bool_ ? "_" : "");
    module.attr(name.c_str()) = object;
  }
  register_categories(module);
  register_limits(module);
  module.def("issubdtype", &is_subdtype, nb::arg("arg1"), nb::arg("arg2"),
             documentation::issubdtype);
  module.def("isdtype", &is_of_kind, nb::arg("dtype"), nb::arg("kind"), documentation::isdtype);
  module.def("result_type", &result_type, nb::arg("arrays_and_dtypes"), documentation::result_type);
  module.def("can_cast", &can_cast, nb::arg("from_"), nb::arg("to"), documentation::can_cast);
}

}  // namespace lazuli::python
