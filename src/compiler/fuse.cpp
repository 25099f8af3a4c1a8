// Every fusable node gets a level, which no edge lowers and every edge out of a group raises; only
// nodes of one level share a group, so groups never wait for each other in a circle. A group has
// one iteration space; reductions over its trailing axes make its rows, and values of one element
// a row may flow back into it.
#include "compiler/fuse.h"

#include <algorithm>

#include "base/flags.h"
#include "compiler/plan.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

constexpr size_t members_max = 96;

// Whether the op can be part of a fused step at all.
bool is_fusable(const Node* node) {
  const OpInfo& info = op_info(node->op);
  if (info.form == OpForm::Elementwise) return true;
  return info.form == OpForm::Reduce && trailing_axes(node) > 0;
}

// An identity is a view, but inside of a sweep it is nothing at all.
bool is_plain_identity(const Node* node) {
  return node->op == Op::identity && node->inputs.size() == 1;
}

bool is_reduction(const Node* node) { return op_info(node->op).form == OpForm::Reduce; }

// `shape` with its last `axes` extents 1.
bool is_row_shape(const Shape& row, const Shape& full, uint16_t axes) {
  if (row.size() != full.size() || axes == 0) return false;
  size_t outer = full.size() - axes;
  for (size_t i = 0; i < full.size(); ++i) {
    if (row[i] != (i < outer ? full[i] : 1)) return false;
  }
  return true;
}

class Fuser {
 public:
  Fuser(const Graph& graph, const Values& values, std::vector<Guard>& guards)
      : graph_(graph), values_(values), guards_(guards) {
    level_.resize(graph.nodes.size(), 0);
    grouping_.group_of.resize(graph.nodes.size(), -1);
  }

  Grouping run() {
    find_inlined();
    for (uint32_t i = 0; i < graph_.nodes.size(); ++i) {
      if (is_computed(i) && !grouping_.inlined[i]) place(i);
    }
    compact();
    return std::move(grouping_);
  }

 private:
  const Node* node(uint32_t i) const { return graph_.nodes[i]; }
  bool is_computed(uint32_t i) const { return values_.wanted[i] && !graph_.is_leaf(i); }
  const Shape& shape(uint32_t i) const { return node(values_.shape[i])->shape; }
  const Shape& space_shape(int32_t group) const {
    return node(grouping_.groups[group].space)->shape;
  }

  // The node whose shape is the space `i` iterates over: a reduction iterates over its input's.
  uint32_t space_of(uint32_t i) const {
    return is_reduction(node(i)) ? values_.inputs[i][0].shape : values_.shape[i];
  }

  // A cast that must not be in a step of its own: its users could not join the steps of their other
  // inputs then, since they would wait for it.
  void find_inlined() {
    grouping_.inlined.assign(graph_.nodes.size(), 0);
    if (!flags().fusion) return;
    std::vector<uint32_t> larger_users(graph_.nodes.size(), 0);
    for (uint32_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!is_computed(i) || !is_elementwise(node(i)->op)) continue;
      for (const Use& use : values_.inputs[i]) {
        if (node(use.shape)->shape != shape(i)) ++larger_users[use.value];
      }
    }
    for (uint32_t i = 0; i < graph_.nodes.size(); ++i) {
      bool cast = is_computed(i) && node(i)->op == Op::astype && !graph_.is_held(i) &&
                  values_.shape[i] == i;
      grouping_.inlined[i] =
          cast && graph_.is_leaf(values_.inputs[i][0].value) && larger_users[i] == values_.uses[i];
    }
  }

  void guard_shapes(uint32_t a, uint32_t b, bool same) {
    if (a == b) return;
    guards_.push_back({a, b, same ? Guard::Kind::same_shape : Guard::Kind::other_shape});
  }

  // Whether `i` can be computed in the sweep of a group.
  bool fits(int32_t g, uint32_t i) {
    if (!flags().fusion) return false;
    Group& group = grouping_.groups[g];
    if (group.members.size() >= members_max) return false;
    if (node(group.members[0])->stream != node(i)->stream) return false;
    const Shape& full = space_shape(g);
    if (is_reduction(node(i))) {
      uint16_t axes = trailing_axes(node(i));
      if (group.row_axes && group.row_axes != axes) return false;
      return node(space_of(i))->shape == full;
    }
    return shape(i) == full || is_row_shape(shape(i), full, group.row_axes);
  }

  void place(uint32_t i) {
    uint32_t level = 0;
    bool fusable = is_fusable(node(i)) || joins_as_identity(i);
    SmallVector<int32_t, 8> candidates;
    for (const Use& use : values_.inputs[i]) {
      uint32_t m = use.value;
      if (graph_.is_leaf(m) || grouping_.inlined[m]) continue;
      // In a sweep a value has the shape it is computed with.
      bool here = fusable && use.shape == values_.shape[m];
      int32_t g = here ? find(grouping_.group_of[m]) : -1;
      if (g >= 0 && fits(g, i)) {
        level = std::max(level, level_[m]);
        candidates.push_back(g);
      } else {
        level = std::max(level, level_[m] + 1);
      }
    }
    level_[i] = level;
    if (fusable) join(i, level, candidates);
  }

  bool joins_as_identity(uint32_t i) {
    if (!is_plain_identity(node(i))) return false;
    if (values_.shape[values_.inputs[i][0].value] != values_.inputs[i][0].shape) return false;
    uint32_t m = values_.inputs[i][0].value;
    int32_t g = find(grouping_.group_of[m]);
    return g >= 0 && fits(g, i) && level_of_group(g) == level_[m];
  }

  void join(uint32_t i, uint32_t level, const SmallVector<int32_t, 8>& candidates) {
    int32_t home = -1;
    for (int32_t candidate : candidates) {
      int32_t g = find(candidate);
      if (level_of_group(g) != level || g == home) continue;
      if (home < 0) {
        home = g;
      } else if (can_unite(home, g)) {
        home = unite(home, g);
      } else {
        // Two sweeps that cannot be one: the node waits for both.
        level_[i] = level + 1;
        home = -1;
        break;
      }
    }
    if (home < 0) {
      home = static_cast<int32_t>(grouping_.groups.size());
      grouping_.groups.push_back({{}, space_of(i), 0});
      parent_.push_back(home);
    }
    Group& group = grouping_.groups[home];
    add_guards(home, i);
    if (is_reduction(node(i))) group.row_axes = trailing_axes(node(i));
    group.members.push_back(i);
    grouping_.group_of[i] = home;
  }

  // What the choice used beyond the key: extents behind equal patterns can still differ.
  void add_guards(int32_t g, uint32_t i) {
    Group& group = grouping_.groups[g];
    if (group.row_axes == 0 && !is_reduction(node(i))) return;
    uint32_t space = space_of(i);
    if (node(space)->shape == space_shape(g)) guard_shapes(space, group.space, true);
  }

  uint32_t level_of_group(int32_t g) const { return level_[grouping_.groups[g].members[0]]; }

  bool can_unite(int32_t a, int32_t b) {
    const Group& x = grouping_.groups[a];
    const Group& y = grouping_.groups[b];
    if (x.members.size() + y.members.size() > members_max) return false;
    if (node(x.members[0])->stream != node(y.members[0])->stream) return false;
    if (x.row_axes && y.row_axes && x.row_axes != y.row_axes) return false;
    return space_shape(a) == space_shape(b);
  }

  int32_t unite(int32_t a, int32_t b) {
    if (a > b) std::swap(a, b);
    Group& x = grouping_.groups[a];
    Group& y = grouping_.groups[b];
    guard_shapes(x.space, y.space, true);
    x.members.insert(x.members.end(), y.members.begin(), y.members.end());
    std::sort(x.members.begin(), x.members.end());
    x.row_axes = std::max(x.row_axes, y.row_axes);
    y.members.clear();
    parent_[b] = a;
    return a;
  }

  int32_t find(int32_t g) const {
    while (g >= 0 && parent_[g] != g) g = parent_[g];
    return g;
  }

  void compact() {
    std::vector<int32_t> number(grouping_.groups.size(), -1);
    std::vector<Group> kept;
    for (size_t g = 0; g < grouping_.groups.size(); ++g) {
      if (grouping_.groups[g].members.empty()) continue;
      number[g] = static_cast<int32_t>(kept.size());
      kept.push_back(std::move(grouping_.groups[g]));
    }
    for (int32_t& g : grouping_.group_of) {
      if (g >= 0) g = number[find(g)];
    }
    grouping_.groups = std::move(kept);
  }

  const Graph& graph_;
  const Values& values_;
  std::vector<Guard>& guards_;
  std::vector<uint32_t> level_;
  std::vector<int32_t> parent_;
  Grouping grouping_;
};

}  // namespace

uint16_t trailing_axes(const Node* reduction) {
  Words axes = params<AxesParams>(reduction).axes;
  size_t rank = reduction->shape.size(), count = axes.size();
  for (size_t i = 0; i < count; ++i) {
    if (axes[i] != static_cast<int64_t>(rank - count + i)) return 0;
  }
  return static_cast<uint16_t>(count);
}

Grouping fuse(const Graph& graph, const Values& values, std::vector<Guard>& guards) {
  return Fuser(graph, values, guards).run();
}

}  // namespace lazuli
