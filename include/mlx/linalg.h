// MLX's name for a part of Lazuli's public API.
#pragma once

#include "mlx/mlx.h"
