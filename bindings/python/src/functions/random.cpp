// lazuli.core.random.
#include "lazuli/random.h"

#include <algorithm>
#include <climits>

#include "array/casters.h"
#include "array/dtypes.h"
#include "functions/random_state.h"
#include "registry.h"

namespace lazuli::python {
namespace {

using random::Key;

Dtype or_float32(std::optional<Dtype> dtype) { return dtype.value_or(float32); }

std::optional<array> optional_value(const std::optional<Operand>& operand) {
  return operand ? std::optional<array>(operand->value()) : std::nullopt;
}

array uniform(const Operand& low, const Operand& high, const Shape& shape,
              std::optional<Dtype> dtype, const Key& key, StreamOrDevice s) {
  return random::uniform(low.value(), high.value(), shape, or_float32(dtype), key, s);
}

array normal(const Shape& shape, std::optional<Dtype> dtype, std::optional<Operand> loc,
             std::optional<Operand> scale, const Key& key, StreamOrDevice s) {
  return random::normal(shape, or_float32(dtype), optional_value(loc), optional_value(scale), key,
                        s);
}

array truncated_normal(const Operand& lower, const Operand& upper, std::optional<Shape> shape,
                       std::optional<Dtype> dtype, const Key& key, StreamOrDevice s) {
  Dtype type = or_float32(dtype);
  array low = lower.value(), high = upper.value();
  return shape ? random::truncated_normal(low, high, *shape, type, key, s)
               : random::truncated_normal(low, high, type, key, s);
}

array randint(const Operand& low, const Operand& high, const Shape& shape,
              std::optional<Dtype> dtype, const Key& key, StreamOrDevice s) {
  return random::randint(low.value(), high.value(), shape, dtype.value_or(int32), key, s);
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

array gumbel(const Shape& shape, std::optional<Dtype> dtype, const Key& key, StreamOrDevice s) {
  return random::gumbel(shape, or_float32(dtype), key, s);
}

array laplace(const Shape& shape, std::optional<Dtype> dtype, float loc, float scale,
              const Key& key, StreamOrDevice s) {
  return random::laplace(shape, or_float32(dtype), loc, scale, key, s);
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

void register_state(nb::module_& m) {
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

}  // namespace

void register_random(nb::module_& module) {
  nb::module_ m = module.def_submodule("random", "Random arrays.");
  auto stream = nb::arg("stream") = nb::none(), key = nb::arg("key") = nb::none();
  auto shape = nb::arg("shape") = nb::list();
  auto own_shape = nb::arg("shape") = nb::none();
  auto dtype = nb::arg("dtype").none() = nb::steal(dtype_object(float32));
  m.def("seed", &random::seed, nb::arg("seed"), "Starts the default sequence anew.");
  m.def("key", &random::key, nb::arg("seed"), "The key that a number stands for.");
  m.def(
      "split", [](const array& k, int num, StreamOrDevice s) { return random::split(k, num, s); },
      nb::arg("key"), nb::arg("num") = 2, stream, "Keys that depend on one key alone.");
  m.def("uniform", &uniform, nb::arg("low") = 0, nb::arg("high") = 1, shape, dtype, key, stream,
        "Uniform in [low, high).");
  m.def("normal", &normal, shape, dtype, nb::arg("loc") = nb::none(), nb::arg("scale") = nb::none(),
        key, stream, "Normally distributed numbers.");
  m.def("truncated_normal", &truncated_normal, nb::arg("lower"), nb::arg("upper"), own_shape, dtype,
        key, stream);
  m.def("randint", &randint, nb::arg("low"), nb::arg("high"), shape,
        nb::arg("dtype").none() = nb::steal(dtype_object(int32)), key, stream,
        "Whole numbers in [low, high).");
  m.def("bernoulli", &bernoulli, nb::arg("p") = 0.5, own_shape, key, stream,
        "True with probability p.");
  m.def("categorical", &categorical, nb::arg("logits"), nb::arg("axis") = -1, own_shape,
        nb::arg("num_samples") = nb::none(), key, stream,
        "Indices with the probabilities softmax(logits).");
  m.def("gumbel", &gumbel, shape, dtype, key, stream);
  m.def("laplace", &laplace, shape, dtype, nb::arg("loc") = 0.0f, nb::arg("scale") = 1.0f, key,
        stream);
  m.def("permutation", &permutation, nb::arg("x"), nb::arg("axis") = 0, key, stream,
        "Slices, or the numbers [0, x), in random order.");
  register_state(m);
}

}  // namespace lazuli::python
