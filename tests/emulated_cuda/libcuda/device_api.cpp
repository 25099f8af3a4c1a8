// The driver, its one device and that device's context.
#include <atomic>
#include <cstdio>

#include "emulated_cuda/libcuda/api.h"
#include "emulated_cuda/libcuda/facts.h"
#include "emulated_cuda/libcuda/faults.h"

namespace emulated {
namespace {

std::atomic<bool> initialized{false};
thread_local bool has_context = false;
char context_object;
CUcontext const context = reinterpret_cast<CUcontext>(&context_object);

struct Attribute {
  int number, value;
};
// Numbers: CUdevice_attribute of the CUDA Driver API reference.
const Attribute attributes[] = {
    {1, threads_per_block_max},
    {2, threads_per_block_max},  // extents of a block, then of a grid
    {3, threads_per_block_max},
    {4, 64},
    {5, 2147483647},
    {6, 65535},
    {7, 65535},
    {8, static_cast<int>(shared_bytes_default)},
    {10, 32},  // threads of a warp
    {device_clock_khz, clock_khz},
    {device_multiprocessors, multiprocessors},
    {18, 0},  // shares the host's memory
    {device_memory_clock_khz, clock_khz},
    {device_bus_bits, bus_bits},
    {device_l2_bytes, l2_bytes},
    {39, threads_per_multiprocessor},
    {device_major, capability() / 10},
    {device_minor, capability() % 10},
    {81, static_cast<int>(shared_bytes_per_multiprocessor)},
    {device_shared_bytes_max, static_cast<int>(shared_bytes_max)},
};

}  // namespace

CUresult refusal() {
  if (!initialized) return error_not_initialized;
  if (!has_context) return error_invalid_context;
  return context_error();
}

CUresult cuInit(unsigned flags) {
  if (flags != 0) return error_invalid_value;
  static std::once_flag once;
  std::call_once(once, [] {
    install_fault_handlers();
    initialized = true;
  });
  return error_success;
}

CUresult cuDriverGetVersion(int* version) {
  *version = driver_version;
  return error_success;
}

CUresult cuGetErrorName(CUresult error, const char** name) {
  switch (error) {
#define ERROR(name_, code, symbol, text) \
  case code: *name = symbol; return error_success;
    EMULATED_ERRORS(ERROR)
#undef ERROR
  }
  *name = nullptr;
  return error_invalid_value;
}

CUresult cuGetErrorString(CUresult error, const char** text) {
  switch (error) {
#define ERROR(name_, code, symbol, text_) \
  case code: *text = text_; return error_success;
    EMULATED_ERRORS(ERROR)
#undef ERROR
  }
  *text = nullptr;
  return error_invalid_value;
}

CUresult cuDeviceGetCount(int* count) {
  if (!initialized) return error_not_initialized;
  *count = 1;
  return error_success;
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  if (!initialized) return error_not_initialized;
  if (ordinal != 0) return error_invalid_device;
  *device = 0;
  return error_success;
}

CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
  if (device != 0) return error_invalid_device;
  std::snprintf(name, static_cast<size_t>(length), "%s", device_name);
  return error_success;
}

CUresult cuDeviceGetAttribute(int* value, int attribute, CUdevice device) {
  if (device != 0) return error_invalid_device;
  for (const Attribute& known : attributes) {
    if (known.number != attribute) continue;
    *value = known.value;
    return error_success;
  }
  return error_invalid_value;
}

CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice device) {
  if (device != 0) return error_invalid_device;
  *bytes = memory_bytes();
  return error_success;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext* retained, CUdevice device) {
  if (!initialized) return error_not_initialized;
  if (device != 0) return error_invalid_device;
  *retained = context;
  return error_success;
}

CUresult cuCtxSetCurrent(CUcontext current) {
  if (!initialized) return error_not_initialized;
  if (current && current != context) return error_invalid_context;
  has_context = current != nullptr;
  return error_success;
}

CUresult cuCtxSynchronize() {
  EMULATED_ENTER();
  synchronize_streams();
  return context_error();
}

}  // namespace emulated
