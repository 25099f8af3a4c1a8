// Settings from the environment, read once, in one table (flags.def).
#pragma once

#include <string>

namespace lazuli {

struct Flags {
#define FLAG(name, type, value, meaning) type name = value;
#include "base/flags.def"
#undef FLAG
};

// Settings may be changed by tests while nothing is being evaluated.
Flags& flags();

// A variable of the environment that is not ours; empty where it is not set.
std::string foreign_variable(const char* name);

}  // namespace lazuli
