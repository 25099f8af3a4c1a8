// Random programs of arrays, recorded as instructions so that one can be built again: at the same
// sizes for a second evaluation, at other sizes through the same plan.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lazuli/lazuli.h"

namespace lazuli::testing {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du) {
    next();
  }
  uint64_t next() {
    state_ ^= state_ << 13, state_ ^= state_ >> 7, state_ ^= state_ << 17;
    return state_ * 0x2545f4914f6cdd1du;
  }
  int64_t below(int64_t n) {
    return static_cast<int64_t>((next() >> 33) % static_cast<uint64_t>(n));
  }
  bool chance(int percent) { return below(100) < percent; }

 private:
  uint64_t state_;
};

struct RandomGraph {
  std::vector<array> leaves;   // evaluated inputs
  std::vector<array> nodes;    // everything recorded
  std::vector<array> outputs;  // what is asked for
};

// How often each op and each situation has been generated.
using Coverage = std::map<std::string, int64_t>;

// Builds the program of `seed` with extents drawn from `sizes`. Programs of one seed have the same
// structure for every `sizes`. Handles of nodes that are not outputs are kept with the chance the
// program asks for, so that some intermediates are held.
RandomGraph build(uint64_t seed, uint64_t sizes, Coverage* coverage = nullptr);

}  // namespace lazuli::testing
