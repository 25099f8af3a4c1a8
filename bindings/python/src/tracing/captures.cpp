#include "tracing/captures.h"

#include <algorithm>
#include <cstring>

#include "tracing/transforms.h"
#include "tracing/tree.h"

namespace lazuli::python {
namespace {

constexpr int entries_max = 256;  // of one variable; larger ones are told apart by address and size
constexpr int depth_max = 16;

bool is_container(nb::handle value) {
  return PyList_Check(value.ptr()) || PyTuple_Check(value.ptr()) || PyDict_Check(value.ptr());
}

nb::object address(const void* of) { return nb::steal(PyLong_FromVoidPtr(const_cast<void*>(of))); }

class Reader {
 public:
  Reader(Identities& known, std::vector<array>& kept) : known_(known), kept_(kept) {}

  nb::object value_of(nb::handle value, int depth = 0) {
    if (auto a = array_at(value)) {
      if (known_.contains(a->node())) return nb::none();
      kept_.push_back(*a);
      return nb::make_tuple(value.type(), address(a->node()));
    }
    if (PyFloat_Check(value.ptr())) {  // by its bits: 0.0 and -0.0 are equal, NaN is not
      double number = PyFloat_AS_DOUBLE(value.ptr());
      uint64_t bits;
      std::memcpy(&bits, &number, sizeof bits);
      return nb::make_tuple(value.type(), bits);
    }
    if (PyLong_Check(value.ptr()) || PyUnicode_Check(value.ptr())) {
      return nb::make_tuple(value.type(), value);
    }
    if (!is_container(value)) return nb::none();
    if (known_.contains(value.ptr())) return nb::none();
    const Py_ssize_t size = PyObject_Size(value.ptr());
    if (size < 0) nb::raise_python_error();
    entries_ += static_cast<int>(std::min<Py_ssize_t>(size, entries_max)) + 1;
    if (entries_ > entries_max || depth == depth_max) {
      return nb::make_tuple(value.type(), address(value.ptr()), size);
    }
    nb::list items;
    if (PyDict_Check(value.ptr())) {
      PyObject *key, *item;
      for (Py_ssize_t at = 0; PyDict_Next(value.ptr(), &at, &key, &item);) {
        items.append(value_of(key, depth + 1));
        items.append(value_of(item, depth + 1));
      }
    } else {
      for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value.ptr()); ++i) {
        items.append(value_of(PySequence_Fast_GET_ITEM(value.ptr(), i), depth + 1));
      }
    }
    return nb::make_tuple(value.type(), nb::tuple(items));
  }

 private:
  Identities& known_;
  std::vector<array>& kept_;
  int entries_ = 0;
};

// The function behind partials, methods and transformations; null if there is none in Python.
nb::object python_function(nb::object callable) {
  nb::object partial = nb::module_::import_("functools").attr("partial");
  for (int depth = 0; depth < depth_max; ++depth) {
    if (PyFunction_Check(callable.ptr())) return callable;
    if (PyMethod_Check(callable.ptr())) {
      callable = nb::borrow(PyMethod_GET_FUNCTION(callable.ptr()));
    } else if (nb::isinstance(callable, partial)) {
      callable = callable.attr("func");
    } else if (nb::hasattr(callable, "__wrapped__")) {
      callable = callable.attr("__wrapped__");
    } else {
      return {};
    }
  }
  return {};
}

// Names in the code of a function and of those inside it: globals and attributes.
void add_names(nb::handle code, nb::dict& names) {
  for (nb::handle name : nb::borrow<nb::tuple>(code.attr("co_names"))) names[name] = true;
  for (nb::handle constant : nb::borrow<nb::tuple>(code.attr("co_consts"))) {
    if (PyCode_Check(constant.ptr())) add_names(constant, names);
  }
}

}  // namespace

bool Identities::contains(const void* identity) {
  for (nb::handle tree : std::exchange(trees_, {})) add(tree);
  return all_.contains(identity);
}

void Identities::add(nb::handle tree) {
  if (auto a = array_at(tree)) {
    all_.insert(a->node());
    return;
  }
  if (!is_container(tree) || !all_.insert(tree.ptr()).second) return;
  if (PyDict_Check(tree.ptr())) {
    for (auto [key, value] : nb::borrow<nb::dict>(tree)) add(value);
  } else {
    for (nb::handle item : tree) add(item);
  }
}

Captures::Captures(const nb::object& function) {
  nb::object found = python_function(function);
  if (!found.is_valid()) return;
  function_ = std::move(found);
  if (PyObject* closure = PyFunction_GetClosure(function_.ptr())) {
    cells_ = static_cast<size_t>(PyTuple_GET_SIZE(closure));
  }
  nb::dict names;
  add_names(function_.attr("__code__"), names);
  for (auto [name, unused] : names) globals_.push_back(nb::borrow(name));
  left_out_.resize(cells_ + globals_.size());
}

nb::object Captures::variable(size_t i) const {
  if (i < cells_) {
    PyObject* cell = PyTuple_GET_ITEM(PyFunction_GetClosure(function_.ptr()), i);
    return nb::steal(PyCell_Get(cell));
  }
  PyObject* globals = PyFunction_GetGlobals(function_.ptr());
  return nb::borrow(PyDict_GetItem(globals, globals_[i - cells_].ptr()));
}

nb::object Captures::values(Identities& known, std::vector<array>& kept) const {
  nb::list all;
  for (size_t i = 0; i < left_out_.size(); ++i) {
    nb::object value = left_out_[i] ? nb::object() : variable(i);
    all.append(value.is_valid() ? Reader(known, kept).value_of(value) : nb::none());
  }
  return nb::tuple(all);
}

bool Captures::leave_out_changes(nb::handle before, nb::handle after) {
  bool any = false;
  for (size_t i = 0; i < left_out_.size(); ++i) {
    if (nb::object(before[i]).equal(after[i])) continue;
    left_out_[i] = any = true;
  }
  return any;
}

}  // namespace lazuli::python
