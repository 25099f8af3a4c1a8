// compile: run a function once per structure of its arguments and repeat the recording afterwards.
#include <algorithm>
#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

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
  std::atomic<bool> resizable{false};  // can be repeated for arguments of other shapes

  bool fits(const std::vector<array>& arguments, bool shapeless) const;
  bool is_of_shapes_of(const std::vector<array>& arguments) const { return fits(arguments, false); }
};

// Extents of 0 and 1 stay what they are: ops broadcast them, or leave work out.
bool same_extents(const Shape& a, const Shape& b, bool resizable) {
  if (!resizable) return a == b;
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](int64_t i, int64_t j) { return i == j || std::min(i, j) > 1; });
}

bool Recording::fits(const std::vector<array>& arguments, bool shapeless) const {
  const bool other_extents = shapeless && resizable;
  return std::equal(placeholders.begin(), placeholders.end(), arguments.begin(), arguments.end(),
                    [&](const array& a, const array& b) {
                      return a.dtype() == b.dtype() &&
                             same_extents(a.shape(), b.shape(), other_extents);
                    });
}

[[noreturn]] void refuse_captured() {
  throw ArgumentError(
      "[compile] The function uses an array that is also one of its arguments, or comes from one, "
      "past its parameters: name it in `inputs`, or pass it alone.");
}

// Whether the results follow the shapes of the arguments.
bool follows_shapes(const Recording& r) {
  if (!std::all_of(r.order.begin(), r.order.end(), is_resizable)) return false;
  std::unordered_set<const Node*> made(r.order.begin(), r.order.end());
  for (const array& placeholder : r.placeholders) made.insert(placeholder.node());
  return std::all_of(r.outputs.begin(), r.outputs.end(),
                     [&](const array& output) { return made.contains(output.node()); });
}

std::shared_ptr<Recording> record_function(const Function& fun,
                                           const std::vector<array>& arguments) {
  Transformation scope;
  auto result = std::make_shared<Recording>();
  Recording& r = *result;
  const uint64_t uses = shape_uses();
  for (const array& a : arguments)
    r.placeholders.push_back(array(make_placeholder(a.dtype(), a.shape())));
  r.outputs = fun(r.placeholders);
  r.order = nodes_between(r.placeholders, r.outputs);
  r.resizable = shape_uses() == uses && follows_shapes(r);
  for (auto& [first, call] : gate_calls(r.order)) r.rules.push_back(call.rules);
  // Such an array would be recorded with the value that it has now.
  if (!arguments.empty() && !nodes_between(arguments, r.outputs).empty()) refuse_captured();
  for (const array& output : r.outputs) {
    for (const array& a : arguments) {
      if (output.node() == a.node()) refuse_captured();
    }
  }
  return result;
}

std::vector<array> repeat_recording(const Recording& r, const std::vector<array>& arguments) {
  std::unordered_map<Node*, array> known;
  const bool resized = !r.is_of_shapes_of(arguments);
  for (size_t i = 0; i < arguments.size(); ++i)
    known.emplace(r.placeholders[i].node(), arguments[i]);
  for (Node* node : r.order) {
    std::vector<array> in;
    for (Node* input : node->inputs) {
      auto found = known.find(input);
      in.push_back(found == known.end() ? handle(input) : found->second);
    }
    known.emplace(node, resized ? replay_resized(node, in) : replay(node, in));
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

  std::shared_ptr<Recording> find(const std::vector<array>& arguments, bool shapeless) {
    std::lock_guard lock(mutex);
    for (auto it = all.begin(); it != all.end(); ++it) {
      if (!(*it)->fits(arguments, shapeless)) continue;
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

Function compile(Function fun, bool shapeless) {
  auto recordings = std::make_shared<Recordings>();
  return [fun = std::move(fun), recordings, shapeless](const std::vector<array>& arguments) {
    if (!enabled.load()) return fun(arguments);
    std::shared_ptr<Recording> recording = recordings->find(arguments, shapeless);
    if (recording && !recording->is_of_shapes_of(arguments)) {
      try {
        return repeat_recording(*recording, arguments);
      } catch (const ArgumentError&) {
        // The function has made an array of the shape that it saw, as tril does.
        recording->resizable = false;
        recording = nullptr;
      }
    }
    if (!recording) {
      recording = record_function(fun, arguments);
      recordings->add(recording);
    }
    // For a function that is being traced around this one.
    if (!recording->resizable) note_shape_use();
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
