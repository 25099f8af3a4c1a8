// Streams of the CPU: each has a thread of its own, started when it is first needed, that runs what
// is submitted in order. A caller may run work itself while the stream is idle.
#pragma once

#include <functional>

#include "lazuli/device.h"

namespace lazuli {

using Task = std::function<void()>;

void submit(int stream, Task task);

// Runs `task` on the calling thread if nothing is waiting or running on the stream; else returns
// false and does nothing.
bool run_if_idle(int stream, const Task& task);

// Waits until everything submitted before has run.
void drain(int stream);

}  // namespace lazuli
