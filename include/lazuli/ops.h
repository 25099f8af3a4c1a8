// Operations on arrays. Each records one or a few nodes and returns at once; shapes and dtypes are
// checked here, at the caller's line. Binary operations broadcast as NumPy does and promote dtypes
// with `promote_types`. Negative axes count from the end.
//
// Errors: ArgumentError (Python: ValueError) for shapes and values that do not fit, IndexError for
// axes out of range. The examples of each function are in its Python documentation.
#pragma once

#include "lazuli/array.h"
#include "lazuli/elementwise.h"
#include "lazuli/ops/choosing.h"
#include "lazuli/ops/creation.h"
#include "lazuli/ops/indexing.h"
#include "lazuli/ops/order.h"
#include "lazuli/ops/parts.h"
#include "lazuli/ops/products.h"
#include "lazuli/ops/quantized.h"
#include "lazuli/ops/reductions.h"
#include "lazuli/ops/shape.h"
