// Callables made of Python functions: what grad, vmap, compile and the others return.
#pragma once

#include <memory>
#include <vector>

#include "array/array_object.h"
#include "lazuli/transforms.h"

namespace lazuli::python {

// A Python callable that the collector of cycles can look through.
class Transformed {
 public:
  explicit Transformed(nb::object function) : function_(std::move(function)) {}
  virtual ~Transformed() = default;
  virtual nb::object call(const nb::args& args, const nb::kwargs& kwargs) = 0;

  const nb::object& function() const { return function_; }
  // Python objects besides the function.
  virtual std::vector<nb::object*> held() { return {&function_}; }

 protected:
  nb::object function_;
};

nb::object as_object(std::unique_ptr<Transformed> transformed);

// Functions whose rules must outlive the graphs that name them: kept until the outermost scope of a
// transformation ends, or taken over by what keeps the graph.
class RuleScope {
 public:
  RuleScope();
  ~RuleScope();
  RuleScope(const RuleScope&) = delete;
  RuleScope& operator=(const RuleScope&) = delete;

  static void keep(std::shared_ptr<Function> function);
  std::vector<std::shared_ptr<Function>> take() { return std::move(kept_); }

 private:
  RuleScope* outer_;
  std::vector<std::shared_ptr<Function>> kept_;
};

// checkpoint and custom_function. Called where the other transformations are registered.
void register_custom(nb::module_& m);

}  // namespace lazuli::python
