// What a stream was given last, if that was a fused step of rows: some of what follows makes one
// launch with it.
// - Another step of the same form, such as the norms of queries and of keys.
// - Products of the one row that it makes, such as those of a layer after its norm. Each block
//   makes the row for itself, which costs less than a launch; the first one writes it.
#pragma once

#include <memory>

#include "backends/cuda/fused/variant.h"
#include "backends/cuda/kernel.h"
#include "backends/cuda/kernels/byte_range.h"

namespace lazuli::cuda {

struct LastStep {
  struct Place {
    ByteRange bytes;
    uint16_t value;
    bool output;
  };

  uint64_t launched = 0;  // by the stream's queue, with this
  const Function* function = nullptr;
  LaunchShape shape;
  SmallVector<uint64_t, 64> arguments;  // of the step
  SmallVector<Place, 8> places;
  std::shared_ptr<const FusedStep> step;
  Variant variant;
  int64_t length = 0;
  bool makes_one_row = false;  // from operands that lie together, apart from what it writes
  bool has_followers = false;  // the function does more than the step

  // Whether these bytes may be read and written at the same time.
  bool allows(const ByteRange& read, const ByteRange& written) const;
  // The output that lies at `x`, so many elements of this dtype; null if there is none.
  const Place* row_at(const void* x, int64_t count, Dtype::Val dtype) const;
  int64_t vectors() const { return length / variant.vector; }
};

// Null if the stream has been given something else since.
LastStep* last_step(int stream);

// The stream's launch of just now, to be filled in.
LastStep& new_last_step(int stream);

}  // namespace lazuli::cuda
