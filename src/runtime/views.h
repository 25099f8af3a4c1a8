// Views: the layout of a view op's result from its input's layout.
#pragma once

#include <optional>

#include "core/node.h"

namespace lazuli {

// The layout of `node`, a view of a value laid out as `input` (shape `input_shape`); nothing if the
// elements must be copied first, which only reshapes of scattered values need.
std::optional<Layout> view_layout(const Node* node, const Layout& input, const Shape& input_shape);

}  // namespace lazuli
