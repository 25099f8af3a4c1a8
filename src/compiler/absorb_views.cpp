// Views that only add, drop or repeat axes of extent 1 keep steps apart for nothing: an elementwise
// operation broadcasts by itself. It reads the value behind such a view where that broadcasts the
// same way. And what is computed of row values without their trailing axes (a mean over the last
// axis) is computed with them, so that it stays in the sweep over the rows.
#include <algorithm>
#include <unordered_map>

#include "compiler/values.h"
#include "ops/table/params.h"

namespace lazuli {
namespace {

class Absorber {
 public:
  Absorber(const Graph& graph, Values& values) : graph_(graph), values_(values) {}

  void run() {
    for (uint32_t i = 0; i < graph_.nodes.size(); ++i) {
      if (graph_.is_leaf(i) || !is_elementwise(graph_.nodes[i]->op)) continue;
      for (Use& use : values_.inputs[i]) use = behind_views(use, shape_of(i).size());
      widen(i);
    }
    narrow_what_stays_apart();
  }

 private:
  static constexpr int none = -1;
  using Axes = SmallVector<int, 8>;  // of a value behind views, by axis of the view; or none

  const Shape& shape_of(uint32_t i) const { return graph_.nodes[i]->shape; }

  // The value furthest behind views that an operation of that rank can read in place of the use.
  Use behind_views(Use use, size_t rank) const {
    const Shape& seen = shape_of(use.shape);
    Axes axes;
    for (size_t d = 0; d < seen.size(); ++d) axes.push_back(static_cast<int>(d));
    Use at = use;
    while (step_behind(at, axes)) {
      if (aligns(axes, shape_of(at.shape), rank)) use = at;
    }
    return use;
  }

  // To the value behind the one at hand, if that is a view of the kinds above or is computed with
  // more axes than it has.
  bool step_behind(Use& at, Axes& axes) const {
    uint32_t computed = values_.shape[at.value];
    if (computed != at.shape) {
      at.shape = computed;  // trailing axes of extent 1: the others keep their places
      return true;
    }
    if (graph_.is_leaf(at.value)) return false;
    const Node* node = graph_.nodes[at.value];
    if (node->inputs.size() != 1 || computed != at.value) return false;
    const Use& input = values_.inputs[at.value][0];
    if (is_unrounded(input.value)) return false;
    if (!map_axes(node, shape_of(input.shape).size(), axes)) return false;
    at = input;
    return true;
  }

  // A half that is rounded where it leaves its sweep, as a view of it does.
  bool is_unrounded(uint32_t i) const {
    const Node* node = graph_.nodes[i];
    if (node->dtype != Dtype::Val::float16 && node->dtype != Dtype::Val::bfloat16) return false;
    OpForm form = op_info(node->op).form;
    return form == OpForm::Reduce || (form == OpForm::Elementwise && node->op != Op::astype);
  }

  // From axes of the view to those of its input; false for other views.
  static bool map_axes(const Node* node, size_t input_rank, Axes& axes) {
    Axes map;  // by axis of the node
    auto listed = [node](int axis) {
      Words listed_axes = params<AxesParams>(node).axes;
      return std::find(listed_axes.begin(), listed_axes.end(), axis) != listed_axes.end();
    };
    switch (node->op) {
      case Op::identity: return true;
      case Op::broadcast_to:
        for (size_t d = 0; d < node->shape.size(); ++d) {
          map.push_back(static_cast<int>(d + input_rank) - static_cast<int>(node->shape.size()));
        }
        break;
      case Op::expand_dims:
        for (int d = 0, from = 0; d < static_cast<int>(node->shape.size()); ++d) {
          map.push_back(listed(d) ? none : from++);
        }
        break;
      case Op::squeeze:
        for (int d = 0; d < static_cast<int>(input_rank); ++d) {
          if (!listed(d)) map.push_back(d);
        }
        break;
      default: return false;
    }
    for (int& axis : axes) {
      if (axis >= 0) axis = map[static_cast<size_t>(axis)];
    }
    return true;
  }

  // Whether the value behind, with its own shape, broadcasts as the view of these axes does.
  static bool aligns(const Axes& axes, const Shape& behind, size_t rank) {
    if (behind.size() > rank) return false;
    for (size_t right = 0; right < rank; ++right) {
      int own = right < behind.size() ? static_cast<int>(behind.size() - 1 - right) : none;
      int seen = right < axes.size() ? axes[axes.size() - 1 - right] : none;
      if (seen >= 0 ? seen != own : own >= 0 && behind[static_cast<size_t>(own)] != 1) return false;
    }
    return true;
  }

  // ---- Values of rows, computed with their trailing axes ----
  static bool is_single(const Shape& shape) {
    return std::all_of(shape.begin(), shape.end(), [](int64_t extent) { return extent == 1; });
  }

  // The use with its dropped trailing axes; their number, or 0.
  size_t with_trailing_axes(Use& use) const {
    if (use.shape != use.value) return 0;
    size_t rank = shape_of(use.value).size();
    uint32_t computed = values_.shape[use.value];
    if (computed != use.value) {
      use.shape = computed;
    } else {
      const Node* node = graph_.nodes[use.value];
      if (graph_.is_leaf(use.value) || node->op != Op::squeeze) return 0;
      if (params<AxesParams>(node).axes[0] != static_cast<int64_t>(rank)) return 0;
      if (is_unrounded(values_.inputs[use.value][0].value)) return 0;
      use = values_.inputs[use.value][0];
    }
    return shape_of(use.shape).size() - rank;
  }

  void widen(uint32_t i) {
    const Shape& own = shape_of(i);
    SmallVector<Use, 2> wide = values_.inputs[i];
    size_t trailing = 0;
    uint32_t shape = i;
    for (Use& use : wide) {
      Use with_axes = use;
      size_t dropped = with_trailing_axes(with_axes);
      if (dropped == 0 || (trailing != 0 && dropped != trailing)) {
        if (is_single(shape_of(use.shape))) continue;  // broadcasts to anything
        return;
      }
      use = with_axes;
      trailing = dropped;
      if (has_extents(shape_of(use.shape), own, trailing)) shape = use.shape;
    }
    if (shape == i) return;
    narrow_.emplace(i, values_.inputs[i]);
    values_.inputs[i] = wide;
    values_.shape[i] = shape;
  }

  // One number a row is made by a block of stages; a sweep over all rows at once is cheaper. So
  // only what flows back into the rows' own space is computed with their axes.
  void narrow_what_stays_apart() {
    std::vector<uint8_t> flows_back(graph_.nodes.size(), 0);
    for (size_t k = graph_.nodes.size(); k-- > 0;) {
      auto i = static_cast<uint32_t>(k);
      auto found = narrow_.find(i);
      if (found != narrow_.end() && !flows_back[i]) {
        values_.inputs[i] = found->second;
        values_.shape[i] = i;
      }
      bool full = values_.shape[i] == i;
      for (const Use& use : values_.inputs[i]) {
        bool wide = use.shape != use.value && use.shape == values_.shape[use.value];
        if (wide && (full || flows_back[i])) flows_back[use.value] = 1;
      }
    }
  }

  // Whether a shape is that of the value followed by so many extents of 1. Extents that are not 1
  // are equal where one broadcasts to the other.
  static bool has_extents(const Shape& shape, const Shape& own, size_t trailing) {
    if (shape.size() != own.size() + trailing) return false;
    for (size_t d = 0; d < own.size(); ++d) {
      if ((shape[d] == 1) != (own[d] == 1)) return false;
    }
    return true;
  }

  const Graph& graph_;
  Values& values_;
  std::unordered_map<uint32_t, SmallVector<Use, 2>> narrow_;  // inputs of what may get axes
};

}  // namespace

void absorb_views(const Graph& graph, Values& values) { Absorber(graph, values).run(); }

}  // namespace lazuli
