// Seeing what an evaluation would do.
#pragma once

#include <string>
#include <vector>

#include "lazuli/array.h"

namespace lazuli {

// The steps that evaluating the outputs would take, one line each, after a line that says whether
// their plan is known, and if not, which fact differs from the most similar plan. Nothing is
// evaluated.
std::string explain(const std::vector<array>& outputs);

}  // namespace lazuli
