// Memory faults of device code: they end the kernel with an error, not the process.
#pragma once

namespace emulated {

// Once a process. A fault of host code is left to the handler that was there before.
void install_fault_handlers();
// Once a thread that runs kernels: a fault may be the overflow of a stack.
void catch_faults_on_this_thread();

}  // namespace emulated
