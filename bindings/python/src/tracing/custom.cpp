// checkpoint and custom_function: functions with rules of their own for transformations.
#include "array/casters.h"
#include "generated/documentation.h"
#include "lazuli/ops.h"
#include "registry.h"
#include "tracing/transforms.h"
#include "tracing/tree.h"

namespace lazuli::python {
namespace {

// One call of a function of trees, as a function of arrays. What it holds may outlive the call.
struct TreeCall {
  std::shared_ptr<Structure> arguments = shared_structure(), result = shared_structure();
  std::shared_ptr<PyObject> function;
  std::vector<array> arrays;

  TreeCall(const nb::object& callable, const nb::args& args, const nb::kwargs& kwargs)
      : function(nb::object(callable).release().ptr(), release_later) {
    *arguments = structure_of(nb::make_tuple(args, kwargs), arrays);
  }

  Function forward() const {
    return [arguments = arguments, result = result,
            function = function](const std::vector<array>& traced) {
      nb::object both = filled(*arguments, traced.data());
      nb::object tree = nb::handle(function.get())(*nb::object(both[0]), **nb::object(both[1]));
      std::vector<array> outputs;
      *result = structure_of(tree, outputs);
      return outputs;
    };
  }

  nb::object finish(Function transformed) const {
    auto held = std::make_shared<Function>(std::move(transformed));
    RuleScope::keep(held);
    std::vector<array> outputs = (*held)(arrays);
    return filled(*result, outputs.data());
  }
};

class Checkpoint : public Transformed {
 public:
  using Transformed::Transformed;
  nb::object call(const nb::args& args, const nb::kwargs& kwargs) override {
    TreeCall call(function_, args, kwargs);
    return call.finish(checkpoint(call.forward()));
  }
};

// A rule in Python for one call. Rules see the positional arguments as a tuple, or the one there is
// in place of a tuple of one; keyword arguments are passed on as they are.
struct TreeRule {
  std::shared_ptr<PyObject> rule;
  std::shared_ptr<Structure> arguments, result;

  TreeRule(const nb::object& callable, const TreeCall& call)
      : rule(nb::object(callable).release().ptr(), release_later),
        arguments(call.arguments),
        result(call.result) {}

  static nb::object shown(const nb::object& positional) {
    return nb::len(positional) == 1 ? nb::object(positional[0]) : positional;
  }

  // The positional arguments, or what is given in place of their arrays.
  nb::object positional(const std::vector<nb::object>& leaves) const {
    size_t next = 0;
    return shown(map_tree(arguments->skeleton[0], [&](nb::handle leaf) {
      return is_slot(leaf) ? leaves[next++] : nb::borrow(leaf);
    }));
  }

  template <class... More>
  nb::object operator()(const std::vector<array>& primals, More&&... more) const {
    nb::object both = filled(*arguments, primals.data());
    return nb::handle(rule.get())(shown(both[0]), std::forward<More>(more)...,
                                  **nb::object(both[1]));
  }
};

VjpRule vjp_rule(const nb::object& callable, const TreeCall& call) {
  return [rule = TreeRule(callable, call)](const std::vector<array>& primals,
                                           const std::vector<array>& cotangents,
                                           const std::vector<array>& outputs) {
    std::vector<array> products = only_arrays_of(rule(
        primals, filled(*rule.result, cotangents.data()), filled(*rule.result, outputs.data())));
    nb::object both = filled(*rule.arguments, primals.data());
    size_t wanted = arrays_of(both[0]).size();
    if (products.size() != wanted) {
      throw ArgumentError("[custom_function] The rule returned " + std::to_string(products.size()) +
                          " products for " + std::to_string(wanted) +
                          " arrays among the positional arguments.");
    }
    // What is given by keyword has no product.
    for (size_t i = wanted; i < primals.size(); ++i) products.push_back(zeros_like(primals[i]));
    return products;
  };
}

JvpRule jvp_rule(const nb::object& callable, const TreeCall& call) {
  return [rule = TreeRule(callable, call)](const std::vector<array>& primals,
                                           const std::vector<array>& tangents,
                                           const std::vector<int>& argnums) {
    std::vector<nb::object> leaves(primals.size(), nb::none());
    for (size_t i = 0; i < argnums.size(); ++i) {
      leaves[static_cast<size_t>(argnums[i])] = nb::cast(tangents[i]);
    }
    return only_arrays_of(rule(primals, rule.positional(leaves)));
  };
}

VmapRule vmap_rule(const nb::object& callable, const TreeCall& call) {
  return [rule = TreeRule(callable, call)](const std::vector<array>& inputs,
                                           const std::vector<int>& axes) {
    std::vector<nb::object> leaves;
    for (int axis : axes) leaves.push_back(axis == -1 ? nb::none() : nb::object(nb::int_(axis)));
    nb::object both = rule(inputs, rule.positional(leaves));
    if (!PyTuple_Check(both.ptr()) || nb::len(both) != 2) {
      throw ArgumentError(
          "[custom_function] A rule for vmap returns a pair: the outputs and their axes.");
    }
    std::vector<array> outputs = only_arrays_of(both[0]);
    std::vector<int> places;
    visit_leaves(both[1], [&](nb::handle leaf) {
      int axis = -1;
      if (!leaf.is_none() && !nb::try_cast<int>(leaf, axis)) {
        throw ArgumentError("[custom_function] The axes of outputs are integers or None.");
      }
      // From the front: -1 is the last one in Python.
      if (!leaf.is_none() && axis < 0 && places.size() < outputs.size())
        axis += static_cast<int>(outputs[places.size()].ndim());
      places.push_back(axis);
    });
    return std::pair{outputs, places};
  };
}

class CustomFunction : public Transformed {
 public:
  using Transformed::Transformed;

  nb::object call(const nb::args& args, const nb::kwargs& kwargs) override {
    if (!vjp_.is_valid() && !jvp_.is_valid() && !vmap_.is_valid()) {
      return function_(*args, **kwargs);
    }
    TreeCall call(function_, args, kwargs);
    return call.finish(custom_function(call.forward(),
                                       vjp_.is_valid() ? vjp_rule(vjp_, call) : VjpRule(),
                                       jvp_.is_valid() ? jvp_rule(jvp_, call) : JvpRule(),
                                       vmap_.is_valid() ? vmap_rule(vmap_, call) : VmapRule()));
  }

  nb::object set_vjp(nb::object rule) { return set(vjp_, std::move(rule)); }
  nb::object set_jvp(nb::object rule) { return set(jvp_, std::move(rule)); }
  nb::object set_vmap(nb::object rule) { return set(vmap_, std::move(rule)); }

  std::vector<nb::object*> held() override { return {&function_, &vjp_, &jvp_, &vmap_}; }

 private:
  nb::object set(nb::object& place, nb::object rule) {
    place = std::move(rule);
    return nb::find(this);
  }

  nb::object vjp_, jvp_, vmap_;
};

}  // namespace

void register_custom(nb::module_& m) {
  nb::class_<CustomFunction, Transformed>(m, "custom_function",
                                          "A function with rules of its own for transformations; "
                                          "what has none goes through the function.")
      .def(nb::init<nb::object>(), nb::arg("f"))
      .def("vjp", &CustomFunction::set_vjp, nb::arg("f"),
           "Takes f(primals, cotangents, outputs) as the rule for products of vectors and the "
           "Jacobian.")
      .def("jvp", &CustomFunction::set_jvp, nb::arg("f"),
           "Takes f(primals, tangents) as the rule for the tangents of the outputs. A tangent is "
           "None where a primal has none.")
      .def("vmap", &CustomFunction::set_vmap, nb::arg("f"),
           "Takes f(inputs, axes) as the rule for outputs of all slices; it returns them and their "
           "axes. An axis is None where all slices share a value.");
  m.def(
      "checkpoint",
      [](nb::callable fun) { return as_object(std::make_unique<Checkpoint>(std::move(fun))); },
      nb::arg("fun"), documentation::checkpoint);
}

}  // namespace lazuli::python
