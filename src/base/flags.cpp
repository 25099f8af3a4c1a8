#include "base/flags.h"

#include <cctype>
#include <cstdlib>
#include <string>

namespace lazuli {
namespace {

std::string variable_of(const char* name) {
  std::string variable = "LAZULI_";
  for (const char* c = name; *c; ++c) {
    variable += static_cast<char>(std::toupper(static_cast<unsigned char>(*c)));
  }
  return variable;
}

void read(const char* name, int& value) {
  if (const char* text = std::getenv(variable_of(name).c_str())) value = std::atoi(text);
}

void read(const char* name, std::string& value) {
  if (const char* text = std::getenv(variable_of(name).c_str())) value = text;
}

}  // namespace

Flags& flags() {
  static Flags* all = [] {
    auto* f = new Flags;
#define FLAG(name, type, value, meaning) read(#name, f->name);
#include "base/flags.def"
#undef FLAG
    return f;
  }();
  return *all;
}

std::string foreign_variable(const char* name) {
  const char* text = std::getenv(name);
  return text ? text : "";
}

}  // namespace lazuli
