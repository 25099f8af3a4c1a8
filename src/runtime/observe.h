// Watching steps run: times by LAZULI_DEBUG=2, the trace file, ranges for a profiler, the check
// against the reference.
#pragma once

#include <string>

#include "compiler/backend.h"

namespace lazuli {

// Whether runs that start now are to be watched.
bool observing();

// A watched run has ended: the trace is written so far.
void observe_end();

// What a profiler shows of a scope.
class ObservedRange {
 public:
  ObservedRange(Backend& backend, const std::string& name) : backend_(backend) {
    backend_.push_range(name);
  }
  ~ObservedRange() { backend_.pop_range(); }
  ObservedRange(const ObservedRange&) = delete;
  ObservedRange& operator=(const ObservedRange&) = delete;

 private:
  Backend& backend_;
};

}  // namespace lazuli
