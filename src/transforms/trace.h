// What the transforms share: the nodes between some inputs and outputs, and recording one again.
#pragma once

#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/node.h"
#include "lazuli/array.h"

namespace lazuli {

inline array handle(Node* node) {
  retain(node);
  return array(node);
}

// The nodes outputs depend on that themselves depend on one of `inputs`, inputs before users; the
// inputs are left out.
std::vector<Node*> nodes_between(const std::vector<array>& inputs,
                                 const std::vector<array>& outputs);

// The op of `node` recorded again with other inputs, of the same shapes as before; without a dtype
// of the result, of the same dtypes too.
array replay(const Node* node, const std::vector<array>& inputs);
array replay(const Node* node, const std::vector<array>& inputs, Dtype dtype);

std::vector<array> inputs_of(const Node* node);

// Whether the shape of the result follows from those of the inputs.
bool is_resizable(const Node* node);
// The op of such a node recorded again with inputs of the same ranks, dtypes and extents of 0
// and 1.
array replay_resized(const Node* node, const std::vector<array>& inputs);

// Whether `node` is a stop_gradient.
bool stops_gradient(const Node* node);

// Rules. A missing entry is a derivative of zero.
using Derivatives = std::vector<std::optional<array>>;

// For each input of `node` the vector-Jacobian product with `g`, where `wanted`.
Derivatives vjp_of(const Node* node, const array& output, const array& g,
                   const std::vector<bool>& wanted);

// The Jacobian-vector product with the tangents of the inputs, at least one of which is given. A
// tangent is of the dtype of its primal or of one that this is promoted to.
std::optional<array> jvp_of(const Node* node, const array& output, const Derivatives& tangents);

// The op on inputs that carry a batch as axis 0 where `batched`; so does the result.
array vmap_of(const Node* node, const std::vector<array>& inputs, const std::vector<bool>& batched,
              int64_t batch);

}  // namespace lazuli
