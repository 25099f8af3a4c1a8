// The whole public API.
#pragma once

#include "lazuli/array.h"
#include "lazuli/device.h"
#include "lazuli/dtype.h"
#include "lazuli/elementwise.h"
#include "lazuli/error.h"
#include "lazuli/explain.h"
#include "lazuli/fast.h"
#include "lazuli/features.h"
#include "lazuli/io.h"
#include "lazuli/linalg.h"
#include "lazuli/memory.h"
#include "lazuli/ops.h"
#include "lazuli/packed.h"
#include "lazuli/random.h"
#include "lazuli/transforms.h"
