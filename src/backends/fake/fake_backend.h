// A device with memory of its own, for tests: the CPU's kernels, run on blocks that the host never
// reads or writes but by upload and download.
#pragma once

#include "compiler/backend.h"

namespace lazuli {

// The fake device, with `host`'s kernels; lives to the end of the process.
Backend& fake_backend(Backend& host);

}  // namespace lazuli
