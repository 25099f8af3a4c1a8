// Device code as a C++ compiler can take it.
#pragma once

#include <string>
#include <vector>

namespace emulated {

// Declarations of dynamic shared memory, `extern __shared__ T name[];`, become pointers.
std::string rewritten(const std::string& source);

// What is appended to a program: the table of the kernels that it was asked for.
std::string entry_table(const std::vector<std::string>& expressions);

}  // namespace emulated
