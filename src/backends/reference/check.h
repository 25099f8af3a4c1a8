// A step of a plan, computed again by the reference backend.
#pragma once

#include "compiler/backend.h"

namespace lazuli::reference {

std::unique_ptr<StepCheck> make_check(const Graph& graph, const Step& step,
                                      std::span<const Layout* const> reads);

}  // namespace lazuli::reference
