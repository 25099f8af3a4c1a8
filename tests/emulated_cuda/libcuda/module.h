// Compiled programs: shared libraries with a table of their kernels.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "emulated_cuda/device/interface.h"

namespace emulated {

class Module;

struct Kernel {
  const Module* module;
  const Entry* entry;
  unsigned dynamic_shared_max;  // what cuFuncSetAttribute has allowed
};

class Module {
 public:
  // nullptr, after a line on stderr, if `image` is none of the emulated compiler's.
  static std::unique_ptr<Module> load(const void* image);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  Kernel* find(const std::string& name);
  // Static shared memory is the library's thread storage.
  unsigned static_shared_bytes() const { return static_cast<unsigned>(shared_bytes_); }
  void poison_static_shared(int value) const;

 private:
  explicit Module(void* library);

  void* library_;
  const Entry* entries_ = nullptr;
  size_t shared_module_ = 0, shared_bytes_ = 0;
  std::vector<std::unique_ptr<Kernel>> kernels_;
};

}  // namespace emulated
