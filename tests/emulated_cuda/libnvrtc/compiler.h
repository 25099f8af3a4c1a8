// The C++ compiler as a compiler of device code.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace emulated {

struct Source {
  std::string name, text;
};
struct Compiled {
  bool done = false;
  std::string image, log;
};

// Compiles a program with its headers into the machine code that the emulated driver loads.
// `defines` are such as "-DNAME=1".
Compiled compile(const Source& program, const std::vector<Source>& headers,
                 const std::vector<std::string>& expressions, const std::string& standard,
                 const std::vector<std::string>& defines);

// Changes with the compiler and with the headers of the emulation, so that kept machine code is
// used neither after a change of them nor on a GPU.
unsigned emulation_version();

}  // namespace emulated
