#include "tracing/transforms.h"

#include <algorithm>
#include <set>
#include <string>

#include "array/casters.h"
#include "generated/documentation.h"
#include "lazuli/ops.h"
#include "registry.h"
#include "tracing/tree.h"

namespace lazuli::python {
namespace {

thread_local RuleScope* innermost = nullptr;

// ---- grad and value_and_grad --------------------------------------------------------------------
struct Wanted {
  std::vector<int> numbers;
  std::vector<std::string> names;
};

// One value of type T or a sequence of them.
template <class T>
std::vector<T> one_or_more(const char* op, nb::handle value, const char* what) {
  std::vector<T> result;
  T single;
  if (nb::try_cast<T>(value, single)) {
    result.push_back(single);
  } else if (!nb::try_cast<std::vector<T>>(value, result)) {
    raise(PyExc_TypeError, std::string("[") + op + "] " + what + ", not of the type " +
                               Py_TYPE(value.ptr())->tp_name + ".");
  }
  return result;
}

Wanted load_wanted(const char* op, nb::handle argnums, nb::handle argnames) {
  std::string prefix = std::string("[") + op + "] ";
  Wanted wanted;
  wanted.names = one_or_more<std::string>(op, argnames, "argnames are strings");
  if (!argnums.is_none()) {
    wanted.numbers = one_or_more<int>(op, argnums, "argnums are integers");
  } else if (wanted.names.empty()) {
    wanted.numbers.push_back(0);
  }
  if (wanted.numbers.empty() && wanted.names.empty()) {
    throw ArgumentError(prefix + "No argument is named.");
  }
  for (int number : wanted.numbers) {
    if (number < 0) {
      throw ArgumentError(prefix + "The argument number " + std::to_string(number) +
                          " is negative.");
    }
    if (std::count(wanted.numbers.begin(), wanted.numbers.end(), number) > 1) {
      throw ArgumentError(prefix + "Argument " + std::to_string(number) + " is named twice.");
    }
  }
  if (std::set<std::string>(wanted.names.begin(), wanted.names.end()).size() !=
      wanted.names.size()) {
    throw ArgumentError(prefix + "A keyword argument is named twice.");
  }
  return wanted;
}

// Arguments with the trees of the wanted ones taken out.
class Arguments {
 public:
  Arguments(const char* op, const Wanted& wanted, const nb::args& args, const nb::kwargs& kwargs)
      : wanted_(wanted), args_(args), kwargs_(kwargs) {
    std::string prefix = std::string("[") + op + "] ";
    for (int number : wanted.numbers) {
      if (static_cast<size_t>(number) >= args.size()) {
        throw ArgumentError(prefix + "There is no argument " + std::to_string(number) + ": " +
                            std::to_string(args.size()) + " positional ones were given.");
      }
      add(args[static_cast<size_t>(number)]);
    }
    for (const std::string& name : wanted.names) {
      if (!kwargs.contains(name.c_str())) {
        throw ArgumentError(prefix + "The keyword argument '" + name + "' was not given.");
      }
      add(kwargs[name.c_str()]);
    }
  }

  const std::vector<array>& arrays() const { return arrays_; }

  nb::object call(const nb::object& function, const std::vector<array>& traced) const {
    nb::list args;
    for (nb::handle item : args_) args.append(item);
    nb::dict kwargs;
    for (auto [key, value] : kwargs_) kwargs[key] = value;
    const array* next = traced.data();
    Substituted substituted;
    for (int number : wanted_.numbers) {
      size_t at = static_cast<size_t>(number);
      args[at] = substituted.put(args_[at], next);
    }
    for (const std::string& name : wanted_.names) {
      kwargs[name.c_str()] = substituted.put(kwargs_[name.c_str()], next);
    }
    return function(*nb::tuple(args), **kwargs);
  }

  // Gradients in the form of the arguments: one tree, a tuple of trees, or with names a pair.
  nb::object gradients(const std::vector<array>& products) const {
    const array* next = products.data();
    nb::list positional;
    nb::dict named;
    for (size_t i = 0; i < trees_.size(); ++i) {
      nb::object tree = filled(trees_[i], next);
      next += trees_[i].count;
      if (i < wanted_.numbers.size()) {
        positional.append(tree);
      } else {
        named[wanted_.names[i - wanted_.numbers.size()].c_str()] = tree;
      }
    }
    nb::object first = nb::none();
    if (nb::len(positional) == 1) first = nb::object(positional[0]);
    if (nb::len(positional) > 1) first = nb::tuple(positional);
    if (wanted_.names.empty()) return first;
    return nb::make_tuple(first, named);
  }

 private:
  void add(nb::handle tree) {
    only_arrays_of(tree);
    trees_.push_back(structure_of(tree, arrays_));
  }

  const Wanted& wanted_;
  const nb::args& args_;
  const nb::kwargs& kwargs_;
  std::vector<Structure> trees_;
  std::vector<array> arrays_;
};

class ValueAndGrad : public Transformed {
 public:
  ValueAndGrad(nb::object function, Wanted wanted, bool gives_value)
      : Transformed(std::move(function)), wanted_(std::move(wanted)), gives_value_(gives_value) {}

  nb::object call(const nb::args& args, const nb::kwargs& kwargs) override {
    Arguments arguments(name(), wanted_, args, kwargs);
    Structure structure;
    RuleScope scope;
    auto run = [&](const std::vector<array>& traced) {
      nb::object result = arguments.call(function_, traced);
      check_result(result);
      std::vector<array> outputs;
      structure = structure_of(result, outputs);
      return outputs;
    };
    std::vector<int> all(arguments.arrays().size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
    auto [outputs, products] = value_and_grad(Function(run), all)(arguments.arrays());
    nb::object gradients = arguments.gradients(products);
    if (!gives_value_) return gradients;
    return nb::make_tuple(filled(structure, outputs.data()), gradients);
  }

 private:
  const char* name() const { return gives_value_ ? "value_and_grad" : "grad"; }

  void check_result(nb::handle result) const {
    if (is_array(result.ptr())) return;
    bool is_tuple = PyTuple_Check(result.ptr());
    if (gives_value_ && is_tuple && nb::len(result) > 0 && is_array(nb::object(result[0]).ptr())) {
      return;
    }
    throw ArgumentError(std::string("[") + name() + "] The function must return a scalar array" +
                        (gives_value_ ? ", or a tuple that begins with one, not " : ", not ") +
                        Py_TYPE(result.ptr())->tp_name + ".");
  }

  Wanted wanted_;
  bool gives_value_;
};

// ---- vjp and jvp --------------------------------------------------------------------------------
Function with_arrays(const nb::object& function) {
  return [function](const std::vector<array>& arrays) {
    nb::list args;
    for (const array& a : arrays) args.append(a);
    nb::object result = function(*nb::tuple(args));
    return only_arrays_of(result);
  };
}

nb::object vjp_of(const nb::object& function, const std::vector<array>& primals,
                  const std::vector<array>& cotangents) {
  RuleScope scope;
  auto [outputs, products] = vjp(with_arrays(function), primals, cotangents);
  return nb::make_tuple(outputs, products);
}

nb::object jvp_of(const nb::object& function, const std::vector<array>& primals,
                  const std::vector<array>& tangents) {
  RuleScope scope;
  auto [outputs, products] = jvp(with_arrays(function), primals, tangents);
  return nb::make_tuple(outputs, products);
}

// ---- vmap ---------------------------------------------------------------------------------------
constexpr int not_mapped = INT_MIN;

bool is_sequence(nb::handle tree) { return PyList_Check(tree.ptr()) || PyTuple_Check(tree.ptr()); }

[[noreturn]] void refuse_axes() {
  throw ArgumentError("[vmap] Axes are integers, None, or trees of them like the arguments.");
}

// The axis of each leaf of a tree; `axes` is a tree that ends where all that is below shares one.
void spread_axes(nb::handle tree, nb::handle axes, std::vector<int>& result) {
  if (axes.is_none() || PyLong_Check(axes.ptr())) {
    int axis = not_mapped;
    if (!axes.is_none() && !nb::try_cast<int>(axes, axis)) {
      throw IndexError("[vmap] No array has the axis " + nb::cast<std::string>(nb::str(axes)) +
                       ".");
    }
    visit_leaves(tree, [&](nb::handle) { result.push_back(axis); });
    return;
  }
  bool dicts = PyDict_Check(tree.ptr()) && PyDict_Check(axes.ptr());
  if ((!dicts && !(is_sequence(tree) && is_sequence(axes))) || nb::len(tree) != nb::len(axes)) {
    refuse_axes();
  }
  if (dicts) {
    for (auto [key, value] : nb::borrow<nb::dict>(tree)) {
      if (!nb::borrow<nb::dict>(axes).contains(key)) refuse_axes();
      spread_axes(value, axes[key], result);
    }
  } else {
    for (size_t i = 0; i < nb::len(tree); ++i) {
      spread_axes(nb::object(tree[i]), nb::object(axes[i]), result);
    }
  }
}

// Of a function of one argument, whose axes may stand for themselves or in a sequence of one.
void spread_input_axes(const nb::args& args, nb::handle axes, std::vector<int>& result) {
  bool one_for_each = is_sequence(axes) && nb::len(axes) == args.size();
  spread_axes(args, args.size() == 1 && !one_for_each ? nb::make_tuple(axes) : nb::borrow(axes),
              result);
}
// Of a result that is no sequence likewise.
void spread_output_axes(nb::handle tree, nb::handle axes, std::vector<int>& result) {
  bool in_sequence = !is_sequence(tree) && is_sequence(axes) && nb::len(axes) == 1;
  spread_axes(tree, in_sequence ? nb::object(axes[0]) : nb::borrow(axes), result);
}

class Vmap : public Transformed {
 public:
  Vmap(nb::object function, nb::object in_axes, nb::object out_axes)
      : Transformed(std::move(function)),
        in_axes_(std::move(in_axes)),
        out_axes_(std::move(out_axes)) {}

  nb::object call(const nb::args& args, const nb::kwargs& kwargs) override {
    std::vector<array> arrays;
    only_arrays_of(args);
    Structure structure = structure_of(args, arrays), result;
    std::vector<int> axes;
    spread_input_axes(args, in_axes_, axes);
    for (size_t i = 0; i < axes.size(); ++i) axes[i] = input_axis(arrays[i], axes[i]);
    RuleScope scope;
    auto run = [&](const std::vector<array>& traced) {
      nb::object tree = function_(*filled(structure, traced.data()), **kwargs);
      std::vector<array> outputs;
      only_arrays_of(tree);
      result = structure_of(tree, outputs);
      return outputs;
    };
    std::vector<array> outputs = vmap(Function(run), axes)(arrays);
    std::vector<int> places;
    spread_output_axes(result.skeleton, out_axes_, places);
    for (size_t i = 0; i < outputs.size(); ++i) {
      outputs[i] = places[i] == not_mapped ? take(outputs[i], array(0), 0)
                                           : moveaxis(outputs[i], 0, places[i]);
    }
    return filled(result, outputs.data());
  }

  std::vector<nb::object*> held() override { return {&function_, &in_axes_, &out_axes_}; }

 private:
  static int input_axis(const array& a, int axis) {
    if (axis == not_mapped) return -1;
    int rank = static_cast<int>(a.ndim());
    if (axis < -rank || axis >= rank) {
      throw IndexError("[vmap] There is no axis " + std::to_string(axis) + " in an array of " +
                       std::to_string(rank) + " dimensions.");
    }
    return axis < 0 ? axis + rank : axis;
  }

  nb::object in_axes_, out_axes_;
};

// ---- The Python class ---------------------------------------------------------------------------
int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  for (nb::object* object : nb::inst_ptr<Transformed>(self)->held()) {
    Py_VISIT(object->ptr());
  }
  return 0;
}

int clear(PyObject* self) {
  for (nb::object* object : nb::inst_ptr<Transformed>(self)->held()) object->reset();
  return 0;
}

// What a function says of itself, a transformed one says too: its name, its documentation, and
// what else is set there.
PyObject* get_attribute(PyObject* self, PyObject* name) {
  bool of_function = PyUnicode_CompareWithASCIIString(name, "__doc__") == 0 ||
                     PyUnicode_CompareWithASCIIString(name, "__module__") == 0;
  if (!of_function || !nb::inst_ready(self)) {
    PyObject* own = PyObject_GenericGetAttr(self, name);
    if (own || !nb::inst_ready(self) || !PyErr_ExceptionMatches(PyExc_AttributeError)) return own;
    PyErr_Clear();
  }
  const nb::object& function = nb::inst_ptr<Transformed>(self)->function();
  if (PyUnicode_CompareWithASCIIString(name, "__wrapped__") == 0) {
    return nb::borrow(function).release().ptr();
  }
  return PyObject_GetAttr(function.ptr(), name);
}

const PyType_Slot slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                             {Py_tp_clear, reinterpret_cast<void*>(clear)},
                             {Py_tp_getattro, reinterpret_cast<void*>(get_attribute)},
                             {0, nullptr}};

void register_class(nb::module_& m) {
  nb::class_<Transformed>(m, "_Transformed", nb::type_slots(slots))
      .def("__call__", &Transformed::call)
      .def(
          "__get__",
          [](nb::object self, nb::object object, nb::handle) -> nb::object {
            if (object.is_none()) return self;
            return nb::module_::import_("types").attr("MethodType")(self, object);
          },
          nb::arg("instance").none(), nb::arg("owner") = nb::none());
}

}  // namespace

RuleScope::RuleScope() : outer_(innermost) { innermost = this; }
RuleScope::~RuleScope() {
  innermost = outer_;
  if (outer_) outer_->kept_.insert(outer_->kept_.end(), kept_.begin(), kept_.end());
}
void RuleScope::keep(std::shared_ptr<Function> function) {
  if (innermost) innermost->kept_.push_back(std::move(function));
}

nb::object as_object(std::unique_ptr<Transformed> transformed) {
  return nb::cast(transformed.release(), nb::rv_policy::take_ownership);
}

void register_transforms(nb::module_& m) {
  register_class(m);
  for (bool gives_value : {false, true}) {
    const char* name = gives_value ? "value_and_grad" : "grad";
    m.def(
        name,
        [=](nb::callable fun, nb::handle argnums, nb::handle argnames) {
          return as_object(std::make_unique<ValueAndGrad>(
              std::move(fun), load_wanted(name, argnums, argnames), gives_value));
        },
        nb::arg("fun"), nb::arg("argnums") = nb::none(), nb::arg("argnames") = nb::list(),
        gives_value ? documentation::value_and_grad : documentation::grad);
  }
  m.def("vjp", &vjp_of, nb::arg("fun"), nb::arg("primals"), nb::arg("cotangents"),
        documentation::vjp);
  m.def("jvp", &jvp_of, nb::arg("fun"), nb::arg("primals"), nb::arg("tangents"),
        documentation::jvp);
  m.def(
      "vmap",
      [](nb::callable fun, nb::object in_axes, nb::object out_axes) {
        return as_object(
            std::make_unique<Vmap>(std::move(fun), std::move(in_axes), std::move(out_axes)));
      },
      nb::arg("fun"), nb::arg("in_axes") = 0, nb::arg("out_axes") = 0, documentation::vmap);
  register_custom(m);
}

}  // namespace lazuli::python
