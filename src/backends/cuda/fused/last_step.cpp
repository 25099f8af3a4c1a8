#include "backends/cuda/fused/last_step.h"

#include <array>

namespace lazuli::cuda {
namespace {

using Kind = FusedValue::Kind;

// A stream is given work by one thread at a time.
std::array<LastStep, streams_max> last_steps;

}  // namespace

bool LastStep::allows(const ByteRange& read, const ByteRange& written) const {
  for (const Place& place : places) {
    if (!place.bytes.apart_from(written)) return false;
    if (place.output && !place.bytes.apart_from(read)) return false;
  }
  return true;
}

const LastStep::Place* LastStep::row_at(const void* x, int64_t count, Dtype::Val dtype) const {
  if (!makes_one_row || has_followers || count != length) return nullptr;
  for (const Place& place : places) {
    const FusedValue& value = step->values[place.value];
    bool row = place.output && value.kind == Kind::compute && value.scope == Scope::full;
    if (row && place.bytes.begin == x && value.dtype == dtype) return &place;
  }
  return nullptr;
}

LastStep* last_step(int stream) {
  LastStep& last = last_steps[static_cast<size_t>(stream)];
  return last.function && last.launched == queue_of(stream).launched() ? &last : nullptr;
}

LastStep& new_last_step(int stream) {
  LastStep& last = last_steps[static_cast<size_t>(stream)];
  last.launched = queue_of(stream).launched();
  last.has_followers = false;
  return last;
}

}  // namespace lazuli::cuda
