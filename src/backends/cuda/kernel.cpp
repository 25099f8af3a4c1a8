#include "backends/cuda/kernel.h"

#include <map>
#include <memory>

#include "backends/cuda/programs/device_sources.h"
#include "backends/cuda/programs/kernel_images.h"
#include "backends/cuda/programs/nvrtc.h"
#include "base/log.h"
#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

constexpr const char* device_types[] = {
#define TYPE(value, name) name,
#include "backends/cuda/device_types.def"
#undef TYPE
};
constexpr Dtype::Val device_type_values[] = {
#define TYPE(value, name) Dtype::Val::value,
#include "backends/cuda/device_types.def"
#undef TYPE
};

}  // namespace

const char* device_type(Dtype::Val dtype) {
  for (size_t k = 0; k < std::size(device_type_values); ++k) {
    if (device_type_values[k] == dtype) return device_types[k];
  }
  throw TypeError("[cuda] There is no such element type on the GPU.");
}

void Function::allow_shared_bytes(unsigned bytes) const {
  if (bytes <= shared_allowed_.load(std::memory_order_relaxed)) return;
  LAZULI_CUDA(cuFuncSetAttribute, handle_, function_shared_bytes_max, static_cast<int>(bytes));
  shared_allowed_.store(bytes, std::memory_order_relaxed);
}

void Function::prefer_shared_percent(int percent) const {
  LAZULI_CUDA(cuFuncSetAttribute, handle_, function_shared_percent, percent);
}

int Function::blocks_per_multiprocessor(int threads, unsigned shared_bytes) const {
  allow_shared_bytes(shared_bytes);
  int blocks = 0;
  LAZULI_CUDA(cuOccupancyMaxActiveBlocksPerMultiprocessor, &blocks, handle_, threads, shared_bytes);
  return blocks;
}

namespace {

Function* load(const CompiledProgram& program) {
  CUmodule module = nullptr;
  CUfunction handle = nullptr;
  LAZULI_CUDA(cuModuleLoadData, &module, program.image.data());
  LAZULI_CUDA(cuModuleGetFunction, &handle, module, program.function.c_str());
  return new Function(handle);
}

Function* load_fixed(const std::string& file, const std::string& instance) {
  auto ahead = compiled_ahead(file, instance, gpu().architecture);
  if (debugging(4)) debug_line(file + ": " + instance + (ahead ? ", compiled ahead" : ""));
  return ahead ? load(*ahead) : load_function(std::string(device_source(file)), instance);
}

}  // namespace

Function* load_function(const std::string& source, const std::string& instance) {
  return load(cached_program(source, instance, gpu().architecture));
}

const Function& fixed_function(const char* file, const std::string& instance) {
  static std::mutex mutex;
  static auto* functions = new std::map<std::pair<std::string, std::string>, Function*>;
  std::lock_guard lock(mutex);
  Function*& function = (*functions)[{file, instance}];
  if (!function) function = load_fixed(file, instance);
  return *function;
}

void launch_raw(int stream, const Function& function, const LaunchShape& shape,
                void* const* arguments, std::span<const uint32_t> sizes) {
  if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0) return;
  gpu();
  function.allow_shared_bytes(shape.shared_bytes);
  queue_of(stream).launch(function.handle(), shape, arguments, sizes);
}

bool replace_last(int stream, const Function& last, const Function& function,
                  const LaunchShape& shape, void* const* arguments,
                  std::span<const uint32_t> sizes) {
  function.allow_shared_bytes(shape.shared_bytes);
  return queue_of(stream).replace_last(last.handle(), function.handle(), shape, arguments, sizes);
}

bool is_settled(const Operand& operand) {
  Work work = operand.layout->buffer->written.load(std::memory_order_acquire);
  if (work.is_none()) return true;
  return !work.is_of_many() && queue_of(work.stream()).was_done(work.ticket());
}

Scratch::Scratch(int stream, size_t bytes)
    : buffer_(allocate_buffer(bytes, backend_of(stream), stream)) {}

Scratch::~Scratch() { release(buffer_); }

}  // namespace lazuli::cuda
