// Modules, functions and launches.
#include <algorithm>
#include <cstring>

#include "emulated_cuda/libcuda/api.h"
#include "emulated_cuda/libcuda/block.h"
#include "emulated_cuda/libcuda/facts.h"
#include "emulated_cuda/libcuda/module.h"

namespace emulated {
namespace {

// Numbers: CUfunction_attribute of the CUDA Driver API reference.
constexpr int function_threads_max = 0, function_static_shared_bytes = 1;
constexpr int registers_reported = 32;

Handles<Module>& modules() {
  static auto* all = new Handles<Module>;
  return *all;
}

Kernel& kernel_of(CUfunction function) { return *reinterpret_cast<Kernel*>(function); }

bool fits(const CUlaunchConfig& config, const Kernel& kernel) {
  uint64_t threads = uint64_t{config.block_x} * config.block_y * config.block_z;
  if (threads == 0 || threads > threads_per_block_max || config.block_z > 64) return false;
  if (config.grid_x == 0 || config.grid_y == 0 || config.grid_z == 0) return false;
  if (config.grid_x > 2147483647u || config.grid_y > 65535 || config.grid_z > 65535) return false;
  return config.shared_bytes <= kernel.dynamic_shared_max;
}

// Arguments are taken at the call, each aligned for any type.
struct alignas(64) Line {
  char bytes[64];
};
struct Arguments {
  std::vector<Line> lines;
  std::vector<size_t> starts;
};
bool take_arguments(const Entry& entry, void** parameters, Arguments& taken) {
  size_t sum = 0;
  for (unsigned k = 0; k < entry.argument_count; ++k) {
    size_t bytes = entry.argument_bytes[k];
    sum += bytes;
    if (sum > argument_bytes_max) return false;
    taken.starts.push_back(taken.lines.size());
    taken.lines.resize(taken.lines.size() + (bytes + sizeof(Line) - 1) / sizeof(Line));
    std::memcpy(&taken.lines[taken.starts[k]], parameters[k], bytes);
  }
  return true;
}

}  // namespace

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  EMULATED_ENTER();
  auto loaded = Module::load(image);
  if (!loaded) return error_invalid_image;
  *module = reinterpret_cast<CUmodule>(modules().add(loaded.release()));
  return error_success;
}

CUresult cuModuleUnload(CUmodule handle) {
  EMULATED_ENTER();
  Module* module = modules().find(handle);
  if (!module) return error_invalid_handle;
  synchronize_streams();
  modules().remove(module);
  delete module;
  return error_success;
}

CUresult cuModuleGetFunction(CUfunction* function, CUmodule handle, const char* name) {
  EMULATED_ENTER();
  Module* module = modules().find(handle);
  if (!module) return error_invalid_handle;
  Kernel* kernel = module->find(name);
  if (!kernel) return error_not_found;
  *function = reinterpret_cast<CUfunction>(kernel);
  return error_success;
}

CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value) {
  EMULATED_ENTER();
  if (attribute != function_shared_bytes_max) return error_success;  // hints
  Kernel& kernel = kernel_of(function);
  if (value < 0 || value + kernel.module->static_shared_bytes() > shared_bytes_max) {
    return error_invalid_value;
  }
  kernel.dynamic_shared_max = static_cast<unsigned>(value);
  return error_success;
}

CUresult cuFuncGetAttribute(int* value, int attribute, CUfunction function) {
  EMULATED_ENTER();
  const Kernel& kernel = kernel_of(function);
  switch (attribute) {
    case function_threads_max: *value = threads_per_block_max; break;
    case function_static_shared_bytes:
      *value = static_cast<int>(kernel.module->static_shared_bytes());
      break;
    case function_local_bytes: *value = 0; break;
    case function_registers: *value = registers_reported; break;
    case function_shared_bytes_max: *value = static_cast<int>(kernel.dynamic_shared_max); break;
    default: return error_invalid_value;
  }
  return error_success;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction function, int threads,
                                                     size_t shared_bytes) {
  EMULATED_ENTER();
  if (threads <= 0 || threads > threads_per_block_max) return error_invalid_value;
  size_t shared = shared_bytes + kernel_of(function).module->static_shared_bytes();
  int by_shared =
      shared > shared_bytes_max
          ? 0
          : static_cast<int>(shared_bytes_per_multiprocessor / (shared + shared_bytes_reserved));
  int by_threads = threads_per_multiprocessor / ((threads + 31) / 32 * 32);
  *blocks = std::min({by_shared, by_threads, blocks_per_multiprocessor_max});
  return error_success;
}

// A launch with its arguments, to be run on any stream, once or often.
CUresult prepare(const CUlaunchConfig& config, CUfunction function, void** parameters,
                 std::function<int()>& run) {
  if (!function) return error_invalid_handle;
  const Kernel& kernel = kernel_of(function);
  auto taken = std::make_shared<Arguments>();
  if (!fits(config, kernel) || !take_arguments(*kernel.entry, parameters, *taken)) {
    return error_invalid_value;
  }
  Launch launch;
  launch.kernel = &kernel;
  launch.grid = {config.grid_x, config.grid_y, config.grid_z};
  launch.block = {config.block_x, config.block_y, config.block_z};
  launch.shared_bytes = config.shared_bytes;
  for (size_t start : taken->starts) launch.arguments.push_back(&taken->lines[start]);
  run = [launch, taken] { return BlockRunner::mine().run(launch); };
  return error_success;
}

CUresult cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction function, void** parameters,
                          void** extra) {
  EMULATED_ENTER();
  Stream* stream = stream_of(config->stream);
  if (!stream) return error_invalid_handle;
  if (extra) return error_invalid_value;
  std::function<int()> run;
  if (CUresult wrong = prepare(*config, function, parameters, run)) return wrong;
  stream->submit(run);
  return error_success;
}

}  // namespace emulated
