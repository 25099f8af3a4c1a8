// compile: a Python function traced once for each structure of its arguments.
//
// The key of a trace is the arguments with their arrays replaced by dtype and shape, compared as
// Python values, and what the function captures. Arrays captured through `inputs` are arguments
// too; those of `outputs` are results that are stored back after each call.
#include <map>
#include <memory>

#include "array/casters.h"
#include "generated/documentation.h"
#include "registry.h"
#include "tracing/captures.h"
#include "tracing/transforms.h"
#include "tracing/tree.h"

namespace lazuli::python {
namespace {

bool is_constant(nb::handle leaf) {
  return leaf.is_none() || PyLong_Check(leaf.ptr()) || PyFloat_Check(leaf.ptr()) ||
         PyUnicode_Check(leaf.ptr());
}

// A value that is equal for equal structures: trees with their classes, arrays as dtype and shape,
// constants with their type (1, 1.0 and True are equal in Python), floats with their digits (0.0
// and -0.0 are equal, NaN is not).
nb::object key_of(nb::handle tree, bool shapeless) {
  if (auto value = array_at(tree)) {
    if (shapeless) return nb::make_tuple("array", nb::cast(value->dtype()), value->ndim());
    return nb::make_tuple("array", nb::cast(value->dtype()), nb::cast(value->shape()));
  }
  if (PyDict_Check(tree.ptr())) {
    nb::list items;
    for (auto [key, value] : nb::borrow<nb::dict>(tree)) {
      items.append(nb::make_tuple(key, key_of(value, shapeless)));
    }
    return nb::make_tuple("dict", nb::tuple(items));
  }
  if (PyList_Check(tree.ptr()) || PyTuple_Check(tree.ptr())) {
    nb::list items;
    for (nb::handle item : tree) items.append(key_of(item, shapeless));
    return nb::make_tuple(tree.type(), nb::tuple(items));
  }
  if (!is_constant(tree)) {
    throw ArgumentError(std::string("[compile] Arguments are trees of arrays, numbers, strings and "
                                    "None, not of the type ") +
                        Py_TYPE(tree.ptr())->tp_name + ".");
  }
  if (PyFloat_Check(tree.ptr())) return nb::make_tuple(tree.type(), tree.attr("hex")());
  return nb::make_tuple(tree.type(), tree);
}

struct Trace {
  Function function;
  Structure arguments, result, stored;
  std::vector<std::shared_ptr<Function>> rules;
  std::vector<array> captured;  // the key has their addresses
  bool uses_shapes = false;     // of arrays: it is no trace for others
};

// Gives the arrays of a tree other values for a scope in which a function is traced.
class Borrowed {
 public:
  Borrowed(nb::handle tree, const array* values) {
    visit_leaves(tree, [&](nb::handle leaf) {
      auto value = array_at(leaf);
      if (!value) return;
      leaves_.push_back(nb::borrow(leaf));
      originals_.push_back(*value);
      set_array_at(leaf, *values++);
    });
  }
  ~Borrowed() {
    for (size_t i = 0; i < leaves_.size(); ++i) set_array_at(leaves_[i], originals_[i]);
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

 private:
  std::vector<nb::object> leaves_;
  std::vector<array> originals_;
};

class Compiled : public Transformed {
 public:
  Compiled(nb::object function, nb::object inputs, nb::object outputs, bool shapeless)
      : Transformed(std::move(function)),
        captures_(function_),
        inputs_(std::move(inputs)),
        outputs_(std::move(outputs)),
        shapeless_(shapeless) {}

  nb::object call(const nb::args& args, const nb::kwargs& kwargs) override {
    std::vector<array> captured;
    nb::object values = captured_values(captured);
    std::shared_ptr<Trace> trace = find(key_for(args, kwargs, values, shapeless_));
    if (trace && shapeless_ && trace->uses_shapes) {
      trace = find(key_for(args, kwargs, values, false));
    }
    const bool fresh = !trace;
    if (fresh) trace = new_trace(std::move(captured));
    std::vector<array> arrays;
    trace->arguments = structure_of(nb::make_tuple(args, kwargs), arrays);
    std::vector<array> inputs = arrays_of(inputs_);
    arrays.insert(arrays.end(), inputs.begin(), inputs.end());
    RuleScope scope;
    std::vector<array> outputs = trace->function(arrays);
    for (auto& rule : scope.take()) trace->rules.push_back(std::move(rule));
    if (fresh) add(trace, args, kwargs, values);
    if (trace->uses_shapes) note_shape_use();  // to a function that is traced around this one
    const array* stored = outputs.data() + trace->result.count;
    if (!outputs_.is_none()) update_tree(outputs_, filled(trace->stored, stored));
    return filled(trace->result, outputs.data());
  }

  std::vector<nb::object*> held() override {
    return {&function_, &captures_.function(), &inputs_, &outputs_, &index_};
  }

 private:
  static constexpr size_t kept_max = 256;  // traces; the oldest goes first

  nb::object captured_values(std::vector<array>& captured) const {
    Identities known({inputs_, outputs_});
    return captures_.values(known, captured);
  }

  nb::object key_for(const nb::args& args, const nb::kwargs& kwargs, const nb::object& captured,
                     bool shapeless) const {
    nb::object inputs = inputs_.is_none() ? nb::none() : key_of(inputs_, shapeless);
    return nb::make_tuple(key_of(args, shapeless), key_of(kwargs, shapeless), inputs, captured);
  }

  std::shared_ptr<Trace> find(const nb::object& key) const {
    PyObject* place = PyDict_GetItemWithError(index_.ptr(), key.ptr());
    if (place == nullptr) {
      if (PyErr_Occurred()) nb::raise_python_error();
      return nullptr;
    }
    return traces_.at(nb::cast<size_t>(nb::handle(place)));
  }

  std::shared_ptr<Trace> new_trace(std::vector<array> captured) {
    auto trace = std::make_shared<Trace>();
    Trace* place = trace.get();
    trace->captured = std::move(captured);
    trace->function = compile(
        Function([this, place](const std::vector<array>& traced) { return run(*place, traced); }),
        shapeless_);
    return trace;
  }

  // What the function itself has changed while it was traced is no part of the key.
  void add(const std::shared_ptr<Trace>& trace, const nb::args& args, const nb::kwargs& kwargs,
           nb::object values) {
    std::vector<array> captured;
    nb::object after = captured_values(captured);
    if (captures_.leave_out_changes(values, after)) values = captured_values(trace->captured);
    put(key_for(args, kwargs, values, shapeless_), trace);
    if (shapeless_ && trace->uses_shapes) put(key_for(args, kwargs, values, false), trace);
  }

  void put(const nb::object& key, const std::shared_ptr<Trace>& trace) {
    nb::dict index = nb::borrow<nb::dict>(index_);
    if (index.contains(key)) traces_.erase(nb::cast<size_t>(index[key]));
    index[key] = next_;
    traces_.emplace(next_++, trace);
    if (index.size() <= kept_max) return;
    nb::object oldest = nb::borrow((*index.begin()).first);
    traces_.erase(nb::cast<size_t>(index[oldest]));
    nb::del(index[oldest]);
  }

  // Called by the library to record the function.
  std::vector<array> run(Trace& trace, const std::vector<array>& traced) {
    nb::object both = filled(trace.arguments, traced.data());
    std::vector<array> outputs, stored;
    Borrowed borrowed(inputs_, traced.data() + trace.arguments.count);
    const uint64_t uses = shape_uses();
    nb::object result = function_(*nb::object(both[0]), **nb::object(both[1]));
    trace.uses_shapes = trace.uses_shapes || shape_uses() != uses;
    trace.result = structure_of(result, outputs);
    trace.stored = structure_of(outputs_, stored);
    outputs.insert(outputs.end(), stored.begin(), stored.end());
    return outputs;
  }

  Captures captures_;
  nb::object inputs_, outputs_;
  bool shapeless_;
  nb::object index_ = nb::dict();  // from keys to places in `traces_`
  std::map<size_t, std::shared_ptr<Trace>> traces_;
  size_t next_ = 0;
};

}  // namespace

void register_compile(nb::module_& m) {
  m.def(
      "compile",
      [](nb::callable fun, nb::object inputs, nb::object outputs, bool shapeless) {
        return as_object(std::make_unique<Compiled>(std::move(fun), std::move(inputs),
                                                    std::move(outputs), shapeless));
      },
      nb::arg("fun"), nb::arg("inputs") = nb::none(), nb::arg("outputs") = nb::none(),
      nb::arg("shapeless") = false, documentation::compile);
  m.def("disable_compile", &disable_compile, documentation::disable_compile);
  m.def("enable_compile", &enable_compile, documentation::enable_compile);
}

}  // namespace lazuli::python
