// The version of the library. This line is its only home: CMake and the Python package read it.
#pragma once

#define LAZULI_VERSION_STRING "0.1.0"

namespace lazuli {

// "major.minor.patch" of the headers a program was compiled with.
inline const char* version() { return LAZULI_VERSION_STRING; }

}  // namespace lazuli
