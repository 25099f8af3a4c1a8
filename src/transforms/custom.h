// Functions with rules of their own.
#pragma once

#include <memory>

#include "lazuli/transforms.h"
#include "transforms/trace.h"

namespace lazuli {

// The scope of a transformation: what is recorded can be followed, and rules stay that it may need.
class Transformation {
 public:
  Transformation();
  ~Transformation();
  Transformation(const Transformation&) = delete;
  Transformation& operator=(const Transformation&) = delete;

 private:
  bool outermost_;
  std::optional<TracingScope> scope_;
};

struct CustomRules {
  VjpRule vjp;
  JvpRule jvp;
  VmapRule vmap;
};

// One call of such a function. Each output passes through a gate; `gates` has them in the order of
// the outputs, and nullptr for those that nothing uses.
struct GateCall {
  std::shared_ptr<const CustomRules> rules;  // nullptr if the function no longer exists
  std::vector<Node*> gates;
  std::vector<array> primals;

  template <class Rule>
  bool has(Rule CustomRules::* rule) const {
    return rules && (*rules).*rule;
  }

  // The products of the rule, one for each primal. Missing cotangents are zeros.
  std::vector<array> products(const Derivatives& cotangents) const;
  // The tangents of the outputs, by the rule, or none where no primal has one.
  std::vector<array> tangents(const Derivatives& of_primals) const;
  // The outputs with the batch as axis 0, by the rule.
  std::vector<array> batched(const std::vector<array>& inputs, const std::vector<int>& axes,
                             int64_t size) const;
};

bool is_gate(const Node* node);

// The calls whose gates are among `order`, by the first gate of each: what uses another gate of a
// call comes after it.
std::unordered_map<Node*, GateCall> gate_calls(const std::vector<Node*>& order);

}  // namespace lazuli
