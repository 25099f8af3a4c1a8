// custom_vjp and checkpoint.
//
// The function's outputs pass through one gate each: an identity node with the value as input 0 and
// the primals behind it. The gate's id names the rule. Walking back, the first gate met computes
// the products for all outputs and the rest add theirs, each with cotangents of zero for its
// siblings.
#include "transforms/custom.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "lazuli/ops.h"
#include "lazuli/transforms.h"
#include "ops/record.h"

namespace lazuli {
namespace {

constexpr int64_t gate = 2;  // first parameter of an identity node: 0 tracer, 1 stop, 2 gate

struct Rules {
  std::mutex mutex;
  std::unordered_map<int64_t, std::shared_ptr<VjpRule>> by_id;
  int64_t next = 0;
};
Rules& rules() {
  static Rules* r = new Rules;
  return *r;
}

int64_t add_rule(VjpRule rule) {
  Rules& r = rules();
  std::lock_guard lock(r.mutex);
  r.by_id.emplace(r.next, std::make_shared<VjpRule>(std::move(rule)));
  return r.next++;
}

std::shared_ptr<VjpRule> rule_of(int64_t id) {
  Rules& r = rules();
  std::lock_guard lock(r.mutex);
  auto found = r.by_id.find(id);
  if (found == r.by_id.end()) {
    throw RuntimeError("[custom_vjp] The function whose gradient is wanted no longer exists.");
  }
  return found->second;
}

// Keeps a rule as long as the function made of it.
struct RuleOwner {
  int64_t id;
  ~RuleOwner() {
    Rules& r = rules();
    std::lock_guard lock(r.mutex);
    r.by_id.erase(id);
  }
};

}  // namespace

// Parameters of a gate: 2, rule, which output, number of outputs. Inputs: outputs, then primals.
Derivatives custom_vjp_of(Node* node, const array& output, const array& g,
                          const std::vector<bool>& wanted) {
  bool is_gate = node->op == Op::identity && node->params.size() == 4 && node->params[0] == gate;
  if (!is_gate) return vjp_of(node, output, g, wanted);
  size_t which = static_cast<size_t>(node->params[2]), count = static_cast<size_t>(node->params[3]);
  std::vector<array> inputs = inputs_of(node);
  std::vector<array> outputs(inputs.begin(), inputs.begin() + static_cast<long>(count));
  std::swap(outputs[0], outputs[which]);  // as they were before the gate took its own first
  std::vector<array> primals(inputs.begin() + static_cast<long>(count), inputs.end());
  std::vector<array> cotangents;
  for (size_t i = 0; i < count; ++i) cotangents.push_back(i == which ? g : zeros_like(outputs[i]));
  std::vector<array> products = (*rule_of(node->params[1]))(primals, cotangents, outputs);
  if (products.size() != primals.size()) {
    throw ArgumentError("[custom_vjp] The rule returned " + std::to_string(products.size()) +
                        " products for " + std::to_string(primals.size()) + " primals.");
  }
  Derivatives result(inputs.size());
  for (size_t i = 0; i < products.size(); ++i) {
    if (wanted[count + i]) result[count + i] = astype(products[i], primals[i].dtype());
  }
  return result;
}

Function custom_vjp(Function fun, VjpRule fun_vjp) {
  auto owner = std::make_shared<RuleOwner>(add_rule(std::move(fun_vjp)));
  return [fun = std::move(fun), owner](const std::vector<array>& primals) {
    // Inside, the primals' own history is cut: derivatives come from the rule alone.
    std::vector<array> cut;
    for (const array& p : primals) cut.push_back(stop_gradient(p));
    std::vector<array> outputs = fun(cut), gated;
    std::vector<array> inputs = outputs;
    inputs.insert(inputs.end(), primals.begin(), primals.end());
    for (size_t i = 0; i < outputs.size(); ++i) {
      // The gate's own value is input 0.
      std::vector<array> rotated = inputs;
      std::swap(rotated[0], rotated[i]);
      Params params{gate, owner->id, static_cast<int64_t>(i), static_cast<int64_t>(outputs.size())};
      gated.push_back(record(Op::identity, outputs[i].dtype(), outputs[i].shape(), rotated,
                             std::move(params), to_stream({})));
    }
    return gated;
  };
}

Function checkpoint(Function fun) {
  VjpRule rule = [fun](const std::vector<array>& primals, const std::vector<array>& cotangents,
                       const std::vector<array>&) { return vjp(fun, primals, cotangents).second; };
  return custom_vjp(fun, rule);
}

}  // namespace lazuli
