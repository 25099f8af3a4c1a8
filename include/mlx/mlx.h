// For programs written for MLX: Lazuli under MLX's names. Link lazuli::mlx_compat.
#pragma once

#include "lazuli/lazuli.h"
#include "lazuli/version.h"

namespace mlx::core {
using namespace lazuli;  // NOLINT: that is what this header is for
}  // namespace mlx::core
