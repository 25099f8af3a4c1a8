// Watching steps run: times by LAZULI_DEBUG=2, the trace file, the check against the reference.
#pragma once

namespace lazuli {

// Whether runs that start now are to be watched.
bool observing();

// A watched run has ended: the trace is written so far.
void observe_end();

}  // namespace lazuli
