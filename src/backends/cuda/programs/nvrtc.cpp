#include "backends/cuda/programs/nvrtc.h"

#include <mutex>

#include "backends/cuda/library.h"
#include "backends/cuda/programs/device_sources.h"
#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

extern "C" typedef struct NvrtcProgram_st* NvrtcProgram;

struct Compiler {
  int (*nvrtcVersion)(int*, int*);
  const char* (*nvrtcGetErrorString)(int);
  int (*nvrtcCreateProgram)(NvrtcProgram*, const char*, const char*, int, const char* const*,
                            const char* const*);
  int (*nvrtcDestroyProgram)(NvrtcProgram*);
  int (*nvrtcAddNameExpression)(NvrtcProgram, const char*);
  int (*nvrtcCompileProgram)(NvrtcProgram, int, const char* const*);
  int (*nvrtcGetLoweredName)(NvrtcProgram, const char*, const char**);
  int (*nvrtcGetProgramLogSize)(NvrtcProgram, size_t*);
  int (*nvrtcGetProgramLog)(NvrtcProgram, char*);
  int (*nvrtcGetCUBINSize)(NvrtcProgram, size_t*);
  int (*nvrtcGetCUBIN)(NvrtcProgram, char*);
  std::string missing;
};

void open(Compiler& c) {
  std::string tried;
  // The compiler finds its built-in headers only where they are already open.
  open_library("libnvrtc-builtins.so.13.0", tried);
  tried.clear();
  void* library = open_library("libnvrtc.so.13", tried);
  if (!library) {
    c.missing =
        "NVIDIA's run-time compiler (libnvrtc.so.13) was not found; `pip install 'lazuli[cuda]'` "
        "brings it, in a checkout `./dev setup` does, and LAZULI_CUDA_PATH may name its folder. "
        "It was looked for here:" +
        tried;
    return;
  }
  auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(find_symbol(library, name));
    if (!function) c.missing = std::string("libnvrtc.so.13 has no ") + name + ".";
  };
#define FIND(name) find(c.name, #name)
  FIND(nvrtcVersion);
  FIND(nvrtcGetErrorString);
  FIND(nvrtcCreateProgram);
  FIND(nvrtcDestroyProgram);
  FIND(nvrtcAddNameExpression);
  FIND(nvrtcCompileProgram);
  FIND(nvrtcGetLoweredName);
  FIND(nvrtcGetProgramLogSize);
  FIND(nvrtcGetProgramLog);
  FIND(nvrtcGetCUBINSize);
  FIND(nvrtcGetCUBIN);
#undef FIND
}

const Compiler& compiler() {
  static const Compiler* once = [] {
    auto* made = new Compiler{};
    open(*made);
    return made;
  }();
  return *once;
}

// One program while it is compiled.
class Program {
 public:
  explicit Program(const std::string& source) {
    std::vector<const char*> texts, names;
    for (const DeviceSource& part : device_sources()) {
      texts.push_back(part.text.data());
      names.push_back(part.name.data());
    }
    check(compiler().nvrtcCreateProgram(&program_, source.c_str(), "lazuli.cu",
                                        static_cast<int>(texts.size()), texts.data(),
                                        names.data()));
  }
  ~Program() { compiler().nvrtcDestroyProgram(&program_); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  CompiledInstances compile(const std::vector<std::string>& instances,
                            const std::string& architecture, Effort effort) {
    for (const std::string& instance : instances) {
      check(compiler().nvrtcAddNameExpression(program_, instance.c_str()));
    }
    std::string target = "--gpu-architecture=" + architecture;
    std::vector<const char*> options{target.c_str(), "--std=c++17", "--fmad=true",
                                     "-default-device"};
    if (effort == Effort::least) options.push_back("--Ofast-compile=max");
    int result =
        compiler().nvrtcCompileProgram(program_, static_cast<int>(options.size()), options.data());
    if (result != 0) {
      throw DeviceError("[cuda] Device code does not compile (" + instances.front() +
                        (instances.size() > 1 ? " and others, " : ", ") + architecture + "):\n" +
                        log());
    }
    CompiledInstances made;
    for (const std::string& instance : instances) {
      const char* name = nullptr;
      check(compiler().nvrtcGetLoweredName(program_, instance.c_str(), &name));
      made.functions.push_back(name);
    }
    size_t bytes = 0;
    check(compiler().nvrtcGetCUBINSize(program_, &bytes));
    made.image.resize(bytes);
    check(compiler().nvrtcGetCUBIN(program_, made.image.data()));
    return made;
  }

 private:
  static void check(int result) {
    if (result == 0) return;
    throw DeviceError(std::string("[cuda] The run-time compiler reports ") +
                      compiler().nvrtcGetErrorString(result) + ".");
  }
  std::string log() const {
    size_t bytes = 0;
    compiler().nvrtcGetProgramLogSize(program_, &bytes);
    std::string text(bytes, '\0');
    compiler().nvrtcGetProgramLog(program_, text.data());
    return text;
  }

  NvrtcProgram program_ = nullptr;
};

}  // namespace

std::string missing_compiler() { return compiler().missing; }

std::string compiler_version() {
  int major = 0, minor = 0;
  compiler().nvrtcVersion(&major, &minor);
  return std::to_string(major) + "." + std::to_string(minor);
}

CompiledInstances compile_instances(const std::string& source,
                                    const std::vector<std::string>& instances,
                                    const std::string& architecture, Effort effort) {
  if (!missing_compiler().empty()) throw DeviceError("[cuda] " + missing_compiler());
  return Program(source).compile(instances, architecture, effort);
}

CompiledProgram compile_program(const std::string& source, const std::string& instance,
                                const std::string& architecture) {
  CompiledInstances made = compile_instances(source, {instance}, architecture, Effort::full);
  return {std::move(made.image), std::move(made.functions.front())};
}

}  // namespace lazuli::cuda
