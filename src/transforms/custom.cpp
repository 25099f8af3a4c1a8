// custom_function, custom_vjp and checkpoint.
//
// The function's outputs pass through one gate each: an identity node with the value as input 0 and
// the other outputs and the primals behind it. The gate names the rules. A rule is called once for
// all gates of a call and passes by what the function has recorded; where there is none, the way
// goes through that as if there were no gate.
#include "transforms/custom.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "lazuli/ops.h"
#include "lazuli/transforms.h"
#include "ops/record.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

std::vector<array> rotated(std::vector<array> inputs, size_t output) {
  std::swap(inputs[0], inputs[output]);
  return inputs;
}

// Inputs of a gate: its output, the others with the first in its place, the primals.
array make_gate(const std::vector<array>& inputs, const GateParams& gate) {
  const array& output = inputs[gate.output];
  return record(Op::identity, output.dtype(), output.shape(), rotated(inputs, gate.output),
                encode(gate), to_stream({}));
}

// Gates name rules by numbers; the rules live as long as the function that has them, and until the
// end of a transformation in which that was called.
struct Rules {
  std::mutex mutex;
  std::unordered_map<int64_t, std::weak_ptr<const CustomRules>> by_id;
  int64_t next = 0;
};
Rules& rules() {
  static Rules* r = new Rules;
  return *r;
}
thread_local std::vector<std::shared_ptr<const CustomRules>> kept;

std::pair<int64_t, std::shared_ptr<const CustomRules>> add_rules(CustomRules added) {
  Rules& r = rules();
  std::lock_guard lock(r.mutex);
  int64_t id = r.next++;
  auto forget = [id](const CustomRules* old) {
    Rules& all = rules();
    {
      std::lock_guard guard(all.mutex);
      all.by_id.erase(id);
    }
    delete old;
  };
  std::shared_ptr<const CustomRules> shared(new CustomRules(std::move(added)), forget);
  r.by_id.emplace(id, shared);
  return {id, shared};
}

// nullptr if the function no longer exists.
std::shared_ptr<const CustomRules> rules_of(int64_t id) {
  Rules& r = rules();
  std::lock_guard lock(r.mutex);
  auto found = r.by_id.find(id);
  return found == r.by_id.end() ? nullptr : found->second.lock();
}

}  // namespace

Transformation::Transformation() : outermost_(!tracing()), scope_(std::in_place) {}
Transformation::~Transformation() {
  scope_.reset();
  if (!outermost_) return;
  // Rules may hold what runs code when it goes.
  std::vector<std::shared_ptr<const CustomRules>> done;
  done.swap(kept);
}

bool is_gate(const Node* node) {
  return node->op == Op::identity && params<IdentityParams>(node).kind == IdentityKind::gate;
}

std::unordered_map<Node*, GateCall> gate_calls(const std::vector<Node*>& order) {
  std::unordered_map<Node*, GateCall> calls;
  std::map<std::vector<const void*>, Node*> first_of;  // by call and inputs: replays are calls too
  for (Node* node : order) {
    if (!is_gate(node)) continue;
    auto gate = params<GateParams>(node);
    std::vector<const void*> key(node->inputs.begin(), node->inputs.end());
    std::swap(key[0], key[gate.output]);
    key.push_back(reinterpret_cast<const void*>(gate.call));
    Node* first = first_of.emplace(key, node).first->second;
    GateCall& call = calls[first];
    if (!call.rules) call.rules = rules_of(gate.rules);
    call.gates.resize(gate.count);
    call.gates[gate.output] = node;
    if (call.primals.empty()) {
      std::vector<array> inputs = inputs_of(node);
      call.primals.assign(inputs.begin() + static_cast<long>(gate.count), inputs.end());
    }
  }
  return calls;
}

std::vector<array> GateCall::products(const Derivatives& cotangents) const {
  if (!rules) {
    throw RuntimeError("[custom_function] The function whose gradient is wanted no longer exists.");
  }
  const Node* some = *std::find_if(gates.begin(), gates.end(), [](Node* n) { return n; });
  auto gate = params<GateParams>(some);
  std::vector<array> inputs = rotated(inputs_of(some), gate.output);
  std::vector<array> outputs, all;
  for (size_t i = 0; i < gates.size(); ++i) {
    gate.output = i;
    outputs.push_back(gates[i] ? handle(gates[i]) : make_gate(inputs, gate));
    all.push_back(cotangents[i] ? *cotangents[i] : zeros_like(inputs[i]));
  }
  std::vector<array> result = rules->vjp(primals, all, outputs);
  if (result.size() != primals.size()) {
    throw ArgumentError("[custom_vjp] The rule returned " + std::to_string(result.size()) +
                        " products for " + std::to_string(primals.size()) + " primals.");
  }
  return result;
}

namespace {

void check_count(const std::vector<array>& given, const std::vector<Node*>& gates,
                 const char* what) {
  if (given.size() == gates.size()) return;
  throw ArgumentError("[custom_function] The rule returned " + std::to_string(given.size()) + " " +
                      what + " for " + std::to_string(gates.size()) + " outputs.");
}

}  // namespace

std::vector<array> GateCall::tangents(const Derivatives& of_primals) const {
  std::vector<array> given;
  std::vector<int> argnums;
  for (size_t i = 0; i < of_primals.size(); ++i) {
    if (!of_primals[i]) continue;
    given.push_back(*of_primals[i]);
    argnums.push_back(static_cast<int>(i));
  }
  if (given.empty()) return {};
  std::vector<array> result = rules->jvp(primals, given, argnums);
  check_count(result, gates, "tangents");
  return result;
}

std::vector<array> GateCall::batched(const std::vector<array>& inputs, const std::vector<int>& axes,
                                     int64_t size) const {
  auto [outputs, places] = rules->vmap(inputs, axes);
  check_count(outputs, gates, "outputs");
  if (places.size() != outputs.size()) {
    throw ArgumentError("[custom_function] The rule returned " + std::to_string(places.size()) +
                        " axes for " + std::to_string(outputs.size()) + " outputs.");
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    Shape shape = outputs[i].shape();
    shape.insert(shape.begin(), size);
    outputs[i] =
        places[i] == -1 ? broadcast_to(outputs[i], shape) : moveaxis(outputs[i], places[i], 0);
  }
  return outputs;
}

Function custom_function(Function fun, VjpRule fun_vjp, JvpRule fun_jvp, VmapRule fun_vmap) {
  auto [id, rules] = add_rules({std::move(fun_vjp), std::move(fun_jvp), std::move(fun_vmap)});
  return [fun = std::move(fun), id = id, rules = rules](const std::vector<array>& primals) {
    if (tracing()) kept.push_back(rules);
    static std::atomic<int64_t> calls{0};
    int64_t call = calls++;
    std::vector<array> inputs = fun(primals), gated;
    size_t count = inputs.size();
    inputs.insert(inputs.end(), primals.begin(), primals.end());
    for (size_t i = 0; i < count; ++i) {
      gated.push_back(make_gate(inputs, {IdentityKind::gate, id, i, count, call}));
    }
    return gated;
  };
}

Function custom_vjp(Function fun, VjpRule fun_vjp) {
  return custom_function(std::move(fun), std::move(fun_vjp));
}

namespace {

// The same values in nodes that are like no others: what is made of them is computed again, and not
// taken from the first time.
std::vector<array> fresh(const std::vector<array>& values) {
  static std::atomic<int64_t> times{0};
  int64_t time = times++;
  std::vector<array> result;
  for (const array& value : values) {
    result.push_back(record(Op::identity, value.dtype(), value.shape(), {&value},
                            encode(UniqueIdentityParams{IdentityKind::plain, time}),
                            to_stream({})));
  }
  return result;
}

}  // namespace

Function checkpoint(Function fun) {
  VjpRule rule = [fun](const std::vector<array>& primals, const std::vector<array>& cotangents,
                       const std::vector<array>&) {
    return vjp(fun, fresh(primals), cotangents).second;
  };
  return custom_vjp(fun, rule);
}

}  // namespace lazuli
