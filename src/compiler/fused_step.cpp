// From a group of nodes to the values of a fused step.
#include <algorithm>
#include <unordered_map>

#include "compiler/fuse.h"

namespace lazuli {
namespace {

using Kind = FusedValue::Kind;

class StepBuilder {
 public:
  StepBuilder(const Graph& graph, const Values& values, const Grouping& grouping,
              const Group& group, const std::vector<uint8_t>& needed_outside)
      : graph_(graph),
        made_of_(values),
        grouping_(grouping),
        needed_(needed_outside),
        step_(std::make_unique<FusedStep>()) {
    step_->space = group.space;
    step_->row_axes = group.row_axes;
    for (uint32_t member : group.members) {
      index_.emplace(key_of({member, made_of_.shape[member]}), members_not_placed);
    }
  }

  std::unique_ptr<FusedStep> build(const Group& group) {
    for (uint32_t member : group.members) place(member);
    for (const FusedValue& v : step_->values) {
      step_->phases = std::max<uint8_t>(step_->phases, v.phase + 1);
    }
    return std::move(step_);
  }

 private:
  static constexpr uint16_t members_not_placed = 0xffff;

  const Shape& space() const { return graph_.nodes[step_->space]->shape; }

  Scope scope_of(const Shape& shape) const {
    return step_->row_axes && shape != space() ? Scope::row : Scope::full;
  }

  // An input from outside may broadcast: it is a Row value if it has one element along each row.
  Scope operand_scope(const Shape& shape) const {
    size_t axes = step_->row_axes;
    if (!axes) return Scope::full;
    for (size_t i = 0; i < axes && i < shape.size(); ++i) {
      if (shape[shape.size() - 1 - i] != 1) return Scope::full;
    }
    return Scope::row;
  }

  static uint64_t key_of(Use use) { return uint64_t{use.value} << 32 | use.shape; }

  uint16_t value_of(Use use) {
    auto found = index_.find(key_of(use));
    if (found != index_.end()) return found->second;
    const Node* n = graph_.nodes[use.value];
    const Shape& shape = graph_.nodes[use.shape]->shape;
    FusedValue v{};
    v.op = n->op;
    v.dtype = n->dtype;
    v.scope = operand_scope(shape);
    v.node = use.value;
    v.shape = use.shape;
    if (grouping_.inlined[use.value]) {
      v.inputs[v.input_count++] = value_of(made_of_.inputs[use.value][0]);
      v.kind = Kind::compute;
    } else if (n->op == Op::constant) {
      v.kind = Kind::constant;
      v.scope = step_->row_axes ? Scope::row : Scope::full;
    } else {
      v.kind = Kind::operand;
    }
    return add(use, v);
  }

  uint16_t add(Use use, const FusedValue& value) {
    uint16_t at = static_cast<uint16_t>(step_->values.size());
    step_->values.push_back(value);
    index_[key_of(use)] = at;
    return at;
  }

  void place(uint32_t member) {
    const Node* n = graph_.nodes[member];
    FusedValue v{};
    bool reduction = op_info(n->op).form == OpForm::Reduce;
    v.kind = reduction ? Kind::reduce : Kind::compute;
    v.op = n->op;
    v.dtype = n->dtype;
    v.scope = reduction ? Scope::row : scope_of(graph_.nodes[made_of_.shape[member]]->shape);
    v.output = needed_[member];
    v.node = member;
    v.shape = made_of_.shape[member];
    for (const Use& use : made_of_.inputs[member]) {
      uint16_t from = value_of(use);
      v.inputs[v.input_count++] = from;
      const FusedValue& source = step_->values[from];
      uint8_t ready = source.phase + (source.kind == Kind::reduce ? 1 : 0);
      v.phase = std::max(v.phase, ready);
    }
    add({member, v.shape}, v);
  }

  const Graph& graph_;
  const Values& made_of_;
  const Grouping& grouping_;
  const std::vector<uint8_t>& needed_;
  std::unique_ptr<FusedStep> step_;
  std::unordered_map<uint64_t, uint16_t> index_;  // by use
};

}  // namespace

std::unique_ptr<FusedStep> fused_step(const Graph& graph, const Values& values,
                                      const Grouping& grouping, const Group& group,
                                      const std::vector<uint8_t>& needed_outside) {
  return StepBuilder(graph, values, grouping, group, needed_outside).build(group);
}

}  // namespace lazuli
