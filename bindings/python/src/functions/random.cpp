// lazuli.core.random: what rows do not say, and its state.
#include "lazuli/random.h"

#include <algorithm>
#include <climits>

#include "functions/adapters.h"
#include "functions/random_state.h"
#include "registry.h"

namespace lazuli::python {
namespace adapters {

array truncated_normal(const Operand& lower, const Operand& upper, std::optional<Shape> shape,
                       OptionalDtype dtype, const Key& key, StreamOrDevice s) {
  Dtype type = dtype.value_or(float32);
  array low = lower.value(), high = upper.value();
  return shape ? random::truncated_normal(low, high, *shape, type, key, s)
               : random::truncated_normal(low, high, type, key, s);
}

array bernoulli(const Operand& p, std::optional<Shape> shape, const Key& key, StreamOrDevice s) {
  return shape ? random::bernoulli(p.value(), *shape, key, s)
               : random::bernoulli(p.value(), key, s);
}

array categorical(const array& logits, int axis, std::optional<Shape> shape,
                  std::optional<int> num_samples, const Key& key, StreamOrDevice s) {
  if (shape && num_samples) {
    throw ArgumentError("[categorical] At most one of shape and num_samples can be given.");
  }
  if (shape) return random::categorical(logits, axis, *shape, key, s);
  if (num_samples) return random::categorical(logits, axis, *num_samples, key, s);
  return random::categorical(logits, axis, key, s);
}

array permutation(nb::handle x, int axis, const Key& key, StreamOrDevice s) {
  if (is_array(x.ptr())) return random::permutation(value_of(x.ptr()), axis, key, s);
  if (!PyIndex_Check(x.ptr())) {
    std::string type = Py_TYPE(x.ptr())->tp_name;
    throw nb::type_error(
        ("[permutation] An array or an integer is needed, not " + type + ".").c_str());
  }
  Py_ssize_t count = PyNumber_AsSsize_t(x.ptr(), PyExc_OverflowError);
  if (PyErr_Occurred()) throw nb::python_error();
  if (count > INT_MAX) throw ArgumentError("[permutation] The range holds too many elements.");
  return random::permutation(static_cast<int>(std::max<Py_ssize_t>(count, -1)), key, s);
}

}  // namespace adapters

void register_random_state(nb::module_& module) {
  nb::module_ m = nb::borrow<nb::module_>(module.attr("random"));
  nb::class_<RandomState>(m, "_RandomState", "The key of the calling thread's default sequence.")
      .def("__len__", [](const RandomState&) { return 1; })
      .def("__getitem__",
           [](const RandomState&, int index) {
             if (index != 0 && index != -1) throw IndexError("The random state has one entry.");
             return random::KeySequence::default_().state();
           })
      .def("__iter__", [](nb::handle self) {
        nb::list items;
        items.append(nb::object(self[0]));
        return nb::iter(items);
      });
  m.attr("state") = nb::cast(RandomState{});
}

}  // namespace lazuli::python
