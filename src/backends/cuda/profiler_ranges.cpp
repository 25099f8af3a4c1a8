// A profiler names a library of its own in the environment. That library is given tables of
// pointers to functions, by number, and fills in those that it wants to be called. The numbers and
// declarations follow nvtxTypes.h of NVTX 3; only the functions for plain ranges are called.
#include "backends/cuda/profiler_ranges.h"

#include <dlfcn.h>

#include <array>
#include <cstdint>

#include "base/flags.h"

namespace lazuli::cuda {
namespace {

extern "C" {
typedef void (*Function)();
struct FunctionTables {
  size_t bytes;
  int (*find)(int module, Function*** table, unsigned* size);
};
struct VersionFacts {
  size_t bytes;
  uint32_t version, reserved;
  void (*set_profiler_version)(uint32_t version);
};
typedef const void* (*FindTable)(uint32_t id);
typedef int (*Attach)(FindTable find);
}

constexpr uint32_t id_of_functions = 1, id_of_version = 3, version = 3;
constexpr int core_module = 1, push_number = 9, pop_number = 11;
constexpr unsigned core_functions = 16;

std::array<Function, core_functions> functions{};
std::array<Function*, core_functions + 1> places{};  // ended by none

int find_functions(int module, Function*** table, unsigned* size) {
  if (module != core_module) return 0;
  if (table) *table = places.data();
  if (size) *size = core_functions;
  return 1;
}

const void* find_table(uint32_t id) {
  static const FunctionTables tables{sizeof tables, find_functions};
  static const VersionFacts facts{sizeof facts, version, 0, [](uint32_t) {}};
  if (id == id_of_functions) return &tables;
  return id == id_of_version ? static_cast<const void*>(&facts) : nullptr;
}

// Whether a profiler is there.
bool attach() {
  std::string library = foreign_variable("NVTX_INJECTION64_PATH");
  if (library.empty()) return false;
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) return false;
  auto enter = reinterpret_cast<Attach>(dlsym(handle, "InitializeInjectionNvtx2"));
  for (unsigned k = 1; k < core_functions; ++k) places[k] = &functions[k];
  return enter && enter(find_table) != 0;
}

bool is_attached() {
  static const bool attached = attach();
  return attached;
}

}  // namespace

void push_range(const std::string& name) {
  if (!is_attached() || !functions[push_number]) return;
  reinterpret_cast<int (*)(const char*)>(functions[push_number])(name.c_str());
}

void pop_range() {
  if (!is_attached() || !functions[pop_number]) return;
  reinterpret_cast<int (*)()>(functions[pop_number])();
}

}  // namespace lazuli::cuda
