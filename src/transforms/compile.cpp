// compile: run a function once per structure of its arguments and repeat the recording afterwards.
#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "lazuli/transforms.h"
#include "ops/record.h"
#include "transforms/custom.h"
#include "transforms/trace.h"

namespace lazuli {
namespace {

std::atomic<bool> enabled{true};

struct Recording {
  std::vector<array> placeholders, outputs;
  std::vector<Node*> order;  // kept alive by `outputs`
  std::vector<std::shared_ptr<const CustomRules>> rules;  // of the gates among them
};

bool same_structure(const std::vector<array>& a, const std::vector<array>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].dtype() != b[i].dtype() || a[i].shape() != b[i].shape()) return false;
  }
  return true;
}

[[noreturn]] void refuse_captured() {
  throw ArgumentError(
      "[compile] The function uses an array that is also one of its arguments, or comes from one, "
      "past its parameters: name it in `inputs`, or pass it alone.");
}

Recording record_function(const Function& fun, const std::vector<array>& arguments) {
  Transformation scope;
  Recording r;
  for (const array& a : arguments)
    r.placeholders.push_back(array(make_placeholder(a.dtype(), a.shape())));
  r.outputs = fun(r.placeholders);
  r.order = nodes_between(r.placeholders, r.outputs);
  for (auto& [first, call] : gate_calls(r.order)) r.rules.push_back(call.rules);
  // Such an array would be recorded with the value that it has now.
  if (!arguments.empty() && !nodes_between(arguments, r.outputs).empty()) refuse_captured();
  for (const array& output : r.outputs) {
    for (const array& a : arguments) {
      if (output.node() == a.node()) refuse_captured();
    }
  }
  return r;
}

std::vector<array> repeat_recording(const Recording& r, const std::vector<array>& arguments) {
  std::unordered_map<Node*, array> known;
  for (size_t i = 0; i < arguments.size(); ++i)
    known.emplace(r.placeholders[i].node(), arguments[i]);
  for (Node* node : r.order) {
    std::vector<array> in;
    for (Node* input : node->inputs) {
      auto found = known.find(input);
      in.push_back(found == known.end() ? handle(input) : found->second);
    }
    known.emplace(node, replay(node, in));
  }
  std::vector<array> result;
  for (const array& output : r.outputs) {
    auto found = known.find(output.node());
    result.push_back(found == known.end() ? output : found->second);
  }
  return result;
}

struct Recordings {
  static constexpr size_t kept_max = 64;
  std::mutex mutex;
  std::list<std::shared_ptr<Recording>> all;  // most recently used first

  std::shared_ptr<Recording> find(const std::vector<array>& arguments) {
    std::lock_guard lock(mutex);
    for (auto it = all.begin(); it != all.end(); ++it) {
      if (!same_structure((*it)->placeholders, arguments)) continue;
      all.splice(all.begin(), all, it);
      return all.front();
    }
    return nullptr;
  }
  void add(std::shared_ptr<Recording> recording) {
    std::lock_guard lock(mutex);
    all.push_front(std::move(recording));
    if (all.size() > kept_max) all.pop_back();
  }
};

}  // namespace

// Shapes are part of what is recorded, so a shapeless function keeps one recording a shape too.
Function compile(Function fun, bool) {
  auto recordings = std::make_shared<Recordings>();
  return [fun = std::move(fun), recordings](const std::vector<array>& arguments) {
    if (!enabled.load()) return fun(arguments);
    std::shared_ptr<Recording> recording = recordings->find(arguments);
    if (!recording) {
      recording = std::make_shared<Recording>(record_function(fun, arguments));
      recordings->add(recording);
    }
    return repeat_recording(*recording, arguments);
  };
}

ScalarFunction compile(ScalarFunction fun, bool shapeless) {
  Function inner = compile(Function([fun = std::move(fun)](const std::vector<array>& x) {
                             return std::vector<array>{fun(x[0])};
                           }),
                           shapeless);
  return [inner](const array& x) { return inner({x})[0]; };
}

void disable_compile() { enabled.store(false); }
void enable_compile() { enabled.store(true); }

}  // namespace lazuli
