// Streams of the CPU: each has a thread of its own, started when it is first needed, that runs what
// is submitted in order. A caller may run work itself while the stream is idle.
#pragma once

#include <functional>

#include "lazuli/device.h"

namespace lazuli {

using Task = std::function<void()>;

void submit(int stream, Task task);

// Enters the stream if nothing is waiting or running on it: the caller runs work itself until it
// leaves.
bool enter_if_idle(int stream);
void leave(int stream);

// Waits until everything submitted before has run.
void drain(int stream);

}  // namespace lazuli
