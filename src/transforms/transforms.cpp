// The transformations: trace the function, then walk what it recorded.
#include "lazuli/transforms.h"

#include <algorithm>
#include <unordered_map>

#include "lazuli/ops.h"
#include "ops/record.h"
#include "ops/table/params.h"
#include "transforms/custom.h"
#include "transforms/trace.h"

namespace lazuli {
namespace {

// A new identity for an argument, so that what depends on it can be told from everything else.
std::vector<array> traced(const std::vector<array>& arguments) {
  std::vector<array> result;
  for (const array& a : arguments) {
    array t = record(Op::identity, a.dtype(), a.shape(), {&a},
                     encode(IdentityParams{IdentityKind::plain}), to_stream({}));
    t.node()->tracer = 1;
    result.push_back(std::move(t));
  }
  return result;
}

void check_like(const char* op, const char* what, const std::vector<array>& given,
                const std::vector<array>& wanted) {
  if (given.size() != wanted.size()) {
    throw ArgumentError("[" + std::string(op) + "] " + std::to_string(given.size()) + " " + what +
                        " were given for " + std::to_string(wanted.size()) + " arrays.");
  }
  for (size_t i = 0; i < given.size(); ++i) {
    if (given[i].shape() != wanted[i].shape()) {
      throw ArgumentError("[" + std::string(op) + "] " + what + " " + describe(given[i]) +
                          " differs in shape from " + describe(wanted[i]) + ".");
    }
  }
}

class Backward {
 public:
  Backward(const std::vector<array>& inputs, const std::vector<array>& outputs)
      : inputs_(inputs), order_(nodes_between(inputs, outputs)), calls_(gate_calls(order_)) {
    for (const array& input : inputs) {
      depends_.insert(input.node());
      whole_ = whole_ || !issubdtype(input.dtype(), inexact);
    }
    for (Node* node : order_) {
      if (carries(node)) depends_.insert(node);
    }
  }

  void start(const array& output, const array& cotangent) {
    add_to(output.node(), astype(cotangent, output.dtype()));
  }

  std::vector<array> run() {
    for (size_t k = order_.size(); k-- > 0;) {
      Node* node = order_[k];
      if (is_gate(node)) {
        through_gate(node);
        continue;
      }
      auto g = totals_.find(node);
      if (g == totals_.end()) continue;
      std::vector<bool> wanted;
      for (Node* input : node->inputs) wanted.push_back(is_wanted(input));
      Derivatives d = lazuli::vjp_of(node, handle(node), g->second, wanted);
      for (size_t i = 0; i < d.size(); ++i) {
        if (d[i]) add_to(node->inputs[i], *d[i]);
      }
      totals_.erase(node);
    }
    std::vector<array> result;
    for (const array& input : inputs_) {
      auto g = totals_.find(input.node());
      result.push_back(g == totals_.end() ? zeros_like(input) : g->second);
    }
    return result;
  }

 private:
  // Whether a derivative of `node` reaches an input: not through a stop_gradient.
  bool carries(const Node* node) const {
    if (is_gate(node)) return true;
    if (stops_gradient(node)) return false;
    return std::any_of(node->inputs.begin(), node->inputs.end(),
                       [&](Node* input) { return depends_.contains(input); });
  }

  // Whole numbers have derivatives where they are asked for; on the way between floating values
  // they are steps, indices and conditions, which have none.
  bool is_wanted(Node* node) const {
    return depends_.contains(node) && (whole_ || issubdtype(node->type(), inexact));
  }

  void add_to(Node* node, const array& g) {
    if (!depends_.contains(node)) return;
    auto [place, fresh] = totals_.emplace(node, g);
    if (!fresh) place->second = add(place->second, g);
  }

  void through_gate(Node* node) {
    auto first = calls_.find(node);
    if (first != calls_.end()) through_rule(first->second);
  }

  void through_rule(const GateCall& call) {
    if (call.rules && !call.rules->vjp) {
      for (Node* gate : call.gates) {
        if (gate && totals_.contains(gate)) add_to(gate->inputs[0], totals_.at(gate));
      }
      return;
    }
    Derivatives cotangents(call.gates.size());
    bool any = false;
    for (size_t i = 0; i < cotangents.size(); ++i) {
      auto g = call.gates[i] ? totals_.find(call.gates[i]) : totals_.end();
      if (g == totals_.end()) continue;
      cotangents[i] = g->second;
      any = true;
    }
    if (!any) return;
    std::vector<array> products = call.products(cotangents);
    for (size_t i = 0; i < products.size(); ++i) {
      const array& primal = call.primals[i];
      if (is_wanted(primal.node())) add_to(primal.node(), astype(products[i], primal.dtype()));
    }
  }

  const std::vector<array>& inputs_;
  std::vector<Node*> order_;
  std::unordered_map<Node*, GateCall> calls_;
  std::unordered_set<Node*> depends_;
  std::unordered_map<Node*, array> totals_;
  bool whole_ = false;  // an input holds whole numbers
};

std::vector<array> backward(const std::vector<array>& inputs, const std::vector<array>& outputs,
                            const std::vector<array>& cotangents) {
  Backward walk(inputs, outputs);
  for (size_t i = 0; i < outputs.size(); ++i) walk.start(outputs[i], cotangents[i]);
  return walk.run();
}

}  // namespace

std::pair<std::vector<array>, std::vector<array>> vjp(const Function& fun,
                                                      const std::vector<array>& primals,
                                                      const std::vector<array>& cotangents) {
  Transformation scope;
  std::vector<array> inputs = traced(primals);
  std::vector<array> outputs = fun(inputs);
  check_like("vjp", "cotangents", cotangents, outputs);
  return {outputs, backward(inputs, outputs, cotangents)};
}

std::pair<array, array> vjp(const ScalarFunction& fun, const array& primal,
                            const array& cotangent) {
  auto [outputs, products] =
      vjp([&](const std::vector<array>& x) { return std::vector<array>{fun(x[0])}; },
          std::vector<array>{primal}, std::vector<array>{cotangent});
  return {outputs[0], products[0]};
}

namespace {

using Calls = std::unordered_map<Node*, GateCall>;
using Known = std::unordered_map<Node*, array>;

bool keep(const GateCall& call, const std::vector<array>& values, Known& known) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (call.gates[i]) known.emplace(call.gates[i], values[i]);
  }
  return true;
}

// Whether the gate, perhaps as the first of its call, has its value from a rule.
bool tangents_by_rule(const Calls& calls, Node* gate, Known& known) {
  auto found = calls.find(gate);
  if (found == calls.end() || !found->second.has(&CustomRules::jvp)) return known.contains(gate);
  const GateCall& call = found->second;
  Derivatives tangents(call.primals.size());
  for (size_t i = 0; i < tangents.size(); ++i) {
    auto t = known.find(call.primals[i].node());
    if (t != known.end()) tangents[i] = t->second;
  }
  return keep(call, call.tangents(tangents), known);
}

bool batch_by_rule(const Calls& calls, Node* gate, int64_t size, Known& known) {
  auto found = calls.find(gate);
  if (found == calls.end() || !found->second.has(&CustomRules::vmap)) return known.contains(gate);
  const GateCall& call = found->second;
  std::vector<array> inputs;
  std::vector<int> axes;
  for (const array& primal : call.primals) {
    auto batched = known.find(primal.node());
    inputs.push_back(batched == known.end() ? primal : batched->second);
    axes.push_back(batched == known.end() ? -1 : 0);
  }
  return keep(call, call.batched(inputs, axes, size), known);
}

}  // namespace

std::pair<std::vector<array>, std::vector<array>> jvp(const Function& fun,
                                                      const std::vector<array>& primals,
                                                      const std::vector<array>& tangents) {
  check_like("jvp", "tangents", tangents, primals);
  Transformation scope;
  std::vector<array> inputs = traced(primals);
  std::vector<array> outputs = fun(inputs);
  std::unordered_map<Node*, array> known;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Dtype dtype = promote_types(inputs[i].dtype(), tangents[i].dtype());
    known.emplace(inputs[i].node(), astype(tangents[i], dtype));
  }
  std::vector<Node*> order = nodes_between(inputs, outputs);
  auto calls = gate_calls(order);
  for (Node* node : order) {
    if (is_gate(node) && tangents_by_rule(calls, node, known)) continue;
    Derivatives t(node->inputs.size());
    bool any = false;
    for (size_t k = 0; k < t.size(); ++k) {
      auto found = known.find(node->inputs[k]);
      if (found == known.end()) continue;
      t[k] = found->second;
      any = true;
    }
    if (!any) continue;
    if (auto tangent = jvp_of(node, handle(node), t)) known.emplace(node, *tangent);
  }
  std::vector<array> result;
  for (const array& output : outputs) {
    auto found = known.find(output.node());
    if (found == known.end()) {
      // Zeros, of the dtype that a tangent would have.
      Dtype dtype = output.dtype();
      for (Node* input : output.node()->inputs) {
        auto t = known.find(input);
        if (t != known.end()) dtype = promote_types(dtype, t->second.dtype());
      }
      found = known.emplace(output.node(), zeros(output.shape(), dtype)).first;
    }
    result.push_back(found->second);
  }
  return {outputs, result};
}

std::pair<array, array> jvp(const ScalarFunction& fun, const array& primal, const array& tangent) {
  auto [outputs, products] =
      jvp([&](const std::vector<array>& x) { return std::vector<array>{fun(x[0])}; },
          std::vector<array>{primal}, std::vector<array>{tangent});
  return {outputs[0], products[0]};
}

ValueAndGradFunction value_and_grad(const Function& fun, const std::vector<int>& argnums) {
  if (argnums.empty()) throw ArgumentError("[grad] No argument was named.");
  return [fun, argnums](const std::vector<array>& arguments) {
    Transformation scope;
    std::vector<array> chosen;
    std::vector<size_t> places;
    for (int argnum : argnums) {
      int count = static_cast<int>(arguments.size());
      if (argnum < -count || argnum >= count) {
        throw ArgumentError("[grad] There is no argument " + std::to_string(argnum) + " among " +
                            std::to_string(count) + ".");
      }
      places.push_back(static_cast<size_t>(argnum < 0 ? argnum + count : argnum));
      chosen.push_back(arguments[places.back()]);
    }
    std::vector<array> inputs = traced(chosen), all = arguments;
    for (size_t i = 0; i < places.size(); ++i) all[places[i]] = inputs[i];
    std::vector<array> outputs = fun(all);
    if (outputs.empty() || outputs[0].ndim() != 0) {
      throw ArgumentError("[grad] The function must return a scalar first" +
                          (outputs.empty() ? "." : ", not " + describe(outputs[0]) + "."));
    }
    return std::pair{outputs, backward(inputs, {outputs[0]}, {ones_like(outputs[0])})};
  };
}

std::function<std::pair<array, array>(const array&)> value_and_grad(const ScalarFunction& fun) {
  auto inner =
      value_and_grad([fun](const std::vector<array>& x) { return std::vector<array>{fun(x[0])}; },
                     std::vector<int>{0});
  return [inner](const array& x) {
    auto [values, grads] = inner({x});
    return std::pair{values[0], grads[0]};
  };
}

Function grad(const std::function<array(const std::vector<array>&)>& fun,
              const std::vector<int>& argnums) {
  auto both = value_and_grad(
      [fun](const std::vector<array>& x) { return std::vector<array>{fun(x)}; }, argnums);
  return [both](const std::vector<array>& x) { return both(x).second; };
}
Function grad(const std::function<array(const std::vector<array>&)>& fun, int argnum) {
  return grad(fun, std::vector<int>{argnum});
}
ScalarFunction grad(const ScalarFunction& fun) {
  auto both = value_and_grad(fun);
  return [both](const array& x) { return both(x).second; };
}

// ---- vmap ---------------------------------------------------------------------------------------
namespace {

int64_t batch_size(const std::vector<array>& arguments, const std::vector<int>& axes) {
  int64_t size = -1;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (axes[i] == -1) continue;
    int64_t extent = arguments[i].shape(axes[i]);
    if (size >= 0 && extent != size) {
      throw ArgumentError("[vmap] The mapped axes have different extents: " + std::to_string(size) +
                          " and " + std::to_string(extent) + ".");
    }
    size = extent;
  }
  if (size < 0) throw ArgumentError("[vmap] No argument is mapped.");
  return size;
}

std::vector<array> vectorized(const Function& fun, const std::vector<array>& arguments,
                              std::vector<int> in_axes, std::vector<int> out_axes) {
  if (in_axes.empty()) in_axes.assign(arguments.size(), 0);
  if (in_axes.size() != arguments.size()) {
    throw ArgumentError("[vmap] " + std::to_string(in_axes.size()) + " axes were given for " +
                        std::to_string(arguments.size()) + " arguments.");
  }
  int64_t size = batch_size(arguments, in_axes);
  Transformation scope;
  std::vector<array> slots, mapped;
  std::unordered_map<Node*, array> known;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (in_axes[i] == -1) {
      slots.push_back(arguments[i]);
      continue;
    }
    array front = moveaxis(arguments[i], in_axes[i], 0);
    Shape shape(front.shape().begin() + 1, front.shape().end());
    slots.push_back(array(make_placeholder(arguments[i].dtype(), shape)));
    mapped.push_back(slots.back());
    known.emplace(slots.back().node(), front);
  }
  std::vector<array> outputs = fun(slots);
  std::vector<Node*> order = nodes_between(mapped, outputs);
  Calls calls = gate_calls(order);
  for (Node* node : order) {
    if (is_gate(node) && batch_by_rule(calls, node, size, known)) continue;
    std::vector<array> in;
    std::vector<bool> batched;
    for (Node* input : node->inputs) {
      auto found = known.find(input);
      batched.push_back(found != known.end());
      in.push_back(batched.back() ? found->second : handle(input));
    }
    known.emplace(node, vmap_of(node, in, batched, size));
  }
  if (out_axes.empty()) out_axes.assign(outputs.size(), 0);
  if (out_axes.size() != outputs.size()) {
    throw ArgumentError("[vmap] " + std::to_string(out_axes.size()) +
                        " output axes were given for " + std::to_string(outputs.size()) +
                        " outputs.");
  }
  std::vector<array> result;
  for (size_t i = 0; i < outputs.size(); ++i) {
    auto found = known.find(outputs[i].node());
    if (found == known.end()) {
      Shape shape = outputs[i].shape();
      shape.insert(shape.begin(), size);
      found = known.emplace(outputs[i].node(), broadcast_to(outputs[i], shape)).first;
    }
    result.push_back(out_axes[i] == 0 ? found->second : moveaxis(found->second, 0, out_axes[i]));
  }
  return result;
}

}  // namespace

Function vmap(const Function& fun, const std::vector<int>& in_axes,
              const std::vector<int>& out_axes) {
  return [=](const std::vector<array>& arguments) {
    return vectorized(fun, arguments, in_axes, out_axes);
  };
}
ScalarFunction vmap(const ScalarFunction& fun, int in_axis, int out_axis) {
  Function inner =
      vmap([fun](const std::vector<array>& x) { return std::vector<array>{fun(x[0])}; },
           std::vector<int>{in_axis}, std::vector<int>{out_axis});
  return [inner](const array& x) { return inner({x})[0]; };
}

}  // namespace lazuli
