// The passes, in order: values, fuse, make steps, schedule, order streams, lifetimes, slots,
// compile.
#include <algorithm>
#include <unordered_map>

#include "base/log.h"
#include "compiler/backend.h"
#include "compiler/fuse.h"
#include "compiler/plan.h"

namespace lazuli {
namespace {

class Pipeline {
 public:
  explicit Pipeline(const Graph& graph) : graph_(graph), plan_(std::make_shared<Plan>()) {}

  std::shared_ptr<Plan> run() {
    plan_->key = graph_.key;
    values_ = values_of(graph_, plan_->guards);
    grouping_ = fuse(graph_, values_, plan_->guards);
    show("fuse", [&] { return describe(grouping_, plan_->guards, graph_); });
    find_needed();
    make_steps();
    schedule();
    show("schedule", [&] { return describe(*plan_, graph_); });
    order_streams();
    lifetimes();
    show("lifetimes", [&] { return deaths(); });
    give_slots();
    for (Step& step : plan_->steps) {
      if (step.kind != Step::Kind::fused) continue;
      step.compiled = backend_of(step.stream).compile(*step.fused);
      if (debugging(4)) {
        debug_line("code of " + describe(step, graph_) + "\n" + step.compiled->text());
      }
    }
    return plan_;
  }

 private:
  static constexpr uint32_t no_slot = 0xffffffff;
  static constexpr int near_depth = 4;  // steps between a sibling and what has been placed
  static constexpr size_t siblings_near = 16;  // on either side of a step in its family
  static constexpr uint64_t rotations = 1;  // a family of siblings
  enum class State : uint8_t { fresh, waits_for_inputs, waits_for_siblings, placed };

  // What a pass has made, at LAZULI_DEBUG=5.
  template <class Text>
  void show(const char* pass, Text text) {
    if (debugging(5)) debug_line("after " + std::string(pass) + ":\n" + text());
  }

  std::string deaths() const {
    std::string text;
    for (size_t s = 0; s < plan_->steps.size(); ++s) {
      text += std::to_string(s) + " ends";
      for (uint32_t n : plan_->steps[s].dead) text += " %" + std::to_string(n);
      for (uint32_t before : plan_->steps[s].after) text += ", after " + std::to_string(before);
      text += "\n";
    }
    return text;
  }

  bool is_computed(uint32_t i) const { return values_.wanted[i] && !graph_.is_leaf(i); }

  // Values that leave their step: held ones, and those read by another step.
  void find_needed() {
    needed_.assign(graph_.nodes.size(), 0);
    for (uint32_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!is_computed(i) || grouping_.inlined[i]) continue;
      if (graph_.is_held(i)) needed_[i] = 1;
      for (const Use& use : values_.inputs[i]) {
        uint32_t m = use.value;
        int32_t g = grouping_.group_of[m];
        if (g < 0 || g != grouping_.group_of[i]) needed_[m] = 1;
      }
    }
  }

  void make_steps() {
    step_of_.assign(graph_.nodes.size(), -1);
    for (const Group& group : grouping_.groups) {
      Step step{};
      step.kind = Step::Kind::fused;
      step.stream = graph_.nodes[group.members[0]]->stream;
      step.node = group.members.back();
      step.fused = fused_step(graph_, values_, grouping_, group, needed_);
      const auto& values = step.fused->values;
      for (uint16_t v = 0; v < values.size(); ++v) {
        if (values[v].kind == FusedValue::Kind::operand) {
          step.reads.push_back(values[v].node);
          step.operands.push_back({v, values[v].node});
        }
        if (values[v].output) {
          step.writes.push_back(values[v].node);
          step.outputs.push_back({v, values[v].node});
        }
      }
      add_step(std::move(step), group.members);
    }
    for (uint32_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!is_computed(i) || grouping_.group_of[i] >= 0 || grouping_.inlined[i]) continue;
      const Node* node = graph_.nodes[i];
      Step step{};
      step.kind = op_info(node->op).form == OpForm::View ? Step::Kind::view : Step::Kind::kernel;
      step.stream = node->stream;
      step.node = i;
      for (const Use& use : values_.inputs[i]) {
        uint32_t m = use.value;
        step.inputs.push_back(m);
        if (std::find(step.reads.begin(), step.reads.end(), m) == step.reads.end()) {
          step.reads.push_back(m);
        }
      }
      step.writes.push_back(i);
      add_step(std::move(step), {i});
    }
  }

  void add_step(Step step, const std::vector<uint32_t>& members) {
    for (uint32_t member : members) step_of_[member] = static_cast<int32_t>(unordered_.size());
    unordered_.push_back(std::move(step));
  }

  // Depth first from the nodes in post-order, so that a value is used soon after it is made. Next
  // to a step come its siblings that are near: a backend may run them as one.
  void schedule() {
    siblings_of_.clear();
    for (uint32_t s = 0; s < unordered_.size(); ++s) {
      if (uint64_t family = family_of(unordered_[s])) siblings_of_[family].push_back(s);
    }
    state_.assign(unordered_.size(), State::fresh);
    for (uint32_t i = 0; i < graph_.nodes.size(); ++i) {
      if (step_of_[i] < 0) continue;
      stack_.push_back(static_cast<uint32_t>(step_of_[i]));
      while (!stack_.empty()) visit(stack_.back());
    }
  }

  // `at` is on top of the stack.
  void visit(uint32_t at) {
    if (state_[at] == State::fresh) {
      state_[at] = State::waits_for_inputs;
      push_makers(unordered_[at]);
    } else if (state_[at] == State::waits_for_inputs) {
      state_[at] = State::waits_for_siblings;
      for_siblings(at, unordered_[at], near_depth,
                   [&](uint32_t sibling) { push_makers(unordered_[sibling]); });
    } else {
      stack_.pop_back();
      if (state_[at] == State::placed) return;
      state_[at] = State::placed;
      plan_->steps.push_back(std::move(unordered_[at]));
      for_siblings(at, plan_->steps.back(), 0, [&](uint32_t sibling) {
        state_[sibling] = State::waits_for_siblings;
        stack_.push_back(sibling);
      });
    }
  }

  void push_makers(const Step& step) {
    for (size_t k = step.reads.size(); k-- > 0;) {
      int32_t maker = step_of_[step.reads[k]];
      if (maker >= 0 && state_[maker] == State::fresh)
        stack_.push_back(static_cast<uint32_t>(maker));
    }
  }

  // What siblings have in common: products their left operand, rotations the op. 0: no siblings.
  uint64_t family_of(const Step& step) const {
    if (step.kind != Step::Kind::kernel) return 0;
    switch (graph_.nodes[step.node]->op) {
      case Op::matmul:
      case Op::quantized_matmul:
      case Op::packed_matmul: return uint64_t{step.inputs[0]} + 2;
      case Op::rope: return rotations;
      default: return 0;
    }
  }

  // Of step `at` those that at most so many steps come before.
  template <class Use>
  void for_siblings(uint32_t at, const Step& step, int depth, Use use) {
    uint64_t family = family_of(step);
    if (!family) return;
    const std::vector<uint32_t>& siblings = siblings_of_[family];
    auto own = static_cast<size_t>(std::lower_bound(siblings.begin(), siblings.end(), at) -
                                   siblings.begin());
    size_t begin = own - std::min(own, siblings_near);
    for (size_t k = std::min(siblings.size(), own + siblings_near + 1); k-- > begin;) {
      if (k == own || state_[siblings[k]] == State::placed) continue;
      const Step& sibling = unordered_[siblings[k]];
      if (sibling.stream != step.stream) continue;
      if (is_near(sibling, family == rotations, depth)) use(siblings[k]);
    }
  }

  // Whether only a few views, or fused steps too, come before the step.
  bool is_near(const Step& step, bool past_fused, int depth) const {
    return std::all_of(step.reads.begin(), step.reads.end(), [&](uint32_t node) {
      int32_t maker = step_of_[node];
      if (maker < 0 || state_[maker] == State::placed) return true;
      const Step& before = unordered_[maker];
      bool passes =
          before.kind == Step::Kind::view || (past_fused && before.kind == Step::Kind::fused);
      return depth > 0 && passes && state_[maker] == State::fresh &&
             is_near(before, past_fused, depth - 1);
    });
  }

  // Steps of one stream run in order; across streams a step waits for those whose values it reads.
  void order_streams() {
    std::vector<int32_t> maker(graph_.nodes.size(), -1);
    std::vector<int32_t> place(256, -1);
    for (uint32_t s = 0; s < plan_->steps.size(); ++s) {
      Step& step = plan_->steps[s];
      int32_t& at = place[step.stream];
      if (at < 0) {
        at = static_cast<int32_t>(plan_->streams.size());
        plan_->streams.emplace_back();
      }
      plan_->streams[at].push_back(s);
      for (uint32_t n : step.writes) maker[n] = static_cast<int32_t>(s);
      for (uint32_t n : step.reads) {
        int32_t m = maker[n];
        if (m < 0 || plan_->steps[m].stream == step.stream) continue;
        if (std::find(step.after.begin(), step.after.end(), m) == step.after.end()) {
          step.after.push_back(static_cast<uint32_t>(m));
        }
      }
    }
  }

  // What a step of rows reads lives until the products of its rows that follow have been started: a
  // backend may make one launch of them. The last of these products, or the step itself.
  size_t last_product_of(size_t s) const {
    const Step& step = plan_->steps[s];
    size_t last = s;
    if (step.kind != Step::Kind::fused || !step.fused->row_axes) return s;
    for (size_t k = s + 1; k < plan_->steps.size(); ++k) {
      const Step& next = plan_->steps[k];
      if (next.stream != step.stream) break;
      if (next.kind == Step::Kind::view) continue;
      bool product =
          next.kind == Step::Kind::kernel && graph_.nodes[next.node]->op == Op::matmul &&
          std::find(step.writes.begin(), step.writes.end(), next.inputs[0]) != step.writes.end();
      if (!product) break;
      last = k;
    }
    return last;
  }

  // A value dies with the last step that reads it; one used on several streams, with the run.
  void lifetimes() {
    std::vector<int32_t> last(graph_.nodes.size(), -1);
    std::vector<uint8_t> shared(graph_.nodes.size(), 0);
    for (size_t s = 0; s < plan_->steps.size(); ++s) {
      auto note = [&](uint32_t n, size_t use) {
        if (last[n] >= 0 && plan_->steps[last[n]].stream != plan_->steps[s].stream) shared[n] = 1;
        last[n] = std::max(last[n], static_cast<int32_t>(use));
      };
      size_t end = last_product_of(s);
      for (uint32_t n : plan_->steps[s].reads) note(n, end);
      for (uint32_t n : plan_->steps[s].writes) note(n, s);
    }
    for (uint32_t n = 0; n < graph_.nodes.size(); ++n) {
      if (last[n] >= 0 && !shared[n] && (graph_.is_leaf(n) || !graph_.is_held(n))) {
        plan_->steps[last[n]].dead.push_back(n);
      }
    }
  }

  void give_slots() {
    plan_->slot_of.assign(graph_.nodes.size(), no_slot);
    auto give = [this](uint32_t n) {
      if (plan_->slot_of[n] == no_slot) plan_->slot_of[n] = plan_->slots++;
    };
    for (const Step& step : plan_->steps) {
      for (uint32_t n : step.reads) give(n);
      for (uint32_t n : step.writes) give(n);
    }
    for (uint32_t n = 0; n < graph_.nodes.size(); ++n) {
      if (graph_.is_leaf(n)) {
        plan_->leaves.push_back(n);
      } else if (graph_.is_held(n)) {
        plan_->held.push_back(n);
      }
    }
  }

  const Graph& graph_;
  std::shared_ptr<Plan> plan_;
  Values values_;
  Grouping grouping_;
  std::vector<uint8_t> needed_;
  std::vector<int32_t> step_of_;
  std::vector<Step> unordered_;
  std::unordered_map<uint64_t, std::vector<uint32_t>> siblings_of_;  // by family
  std::vector<State> state_;  // of unordered steps
  std::vector<uint32_t> stack_;  // of those that wait
};

}  // namespace

std::shared_ptr<Plan> make_plan(const Graph& graph) { return Pipeline(graph).run(); }

}  // namespace lazuli
