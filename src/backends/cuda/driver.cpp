#include "backends/cuda/driver.h"

#include "backends/cuda/library.h"
#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

constexpr int version_min = 13000;
constexpr const char* wanted_driver = "install a driver for CUDA 13.0 or newer (580 or newer).";

struct Opened {
  Driver driver;
  std::string missing;  // empty: the driver is usable
};

std::string open(Driver& driver) {
  std::string tried;
  void* library = open_library("libcuda.so.1", tried);
  if (!library) {
    return "NVIDIA's driver (libcuda.so.1) was not found; " + std::string(wanted_driver) +
           " It was looked for here:" + tried;
  }
#define DRIVER(name, symbol, parameters)                                                \
  driver.name = reinterpret_cast<decltype(driver.name)>(find_symbol(library, #symbol)); \
  if (!driver.name) return "NVIDIA's driver has no " #symbol "; " + std::string(wanted_driver);
#include "backends/cuda/driver_api.def"
#undef DRIVER
  int version = 0;
  if (CUresult result = driver.cuInit(0); result != cuda_success) {
    const char* text = nullptr;
    driver.cuGetErrorString(result, &text);
    return "NVIDIA's driver does not start" + (text ? ": " + std::string(text) : "") +
           ". `nvidia-smi` says more.";
  }
  driver.cuDriverGetVersion(&version);
  if (version < version_min) {
    return "NVIDIA's driver supports CUDA " + std::to_string(version / 1000) + "." +
           std::to_string(version % 1000 / 10) + "; " + wanted_driver;
  }
  int count = 0;
  if (driver.cuDeviceGetCount(&count) != cuda_success || count == 0) {
    return "NVIDIA's driver finds no GPU; CUDA_VISIBLE_DEVICES may hide it.";
  }
  return "";
}

const Opened& opened() {
  static const Opened* once = [] {
    auto* made = new Opened;
    made->missing = open(made->driver);
    return made;
  }();
  return *once;
}

}  // namespace

const Driver* find_driver() { return opened().missing.empty() ? &opened().driver : nullptr; }
std::string missing_driver() { return opened().missing; }
const Driver& driver() { return opened().driver; }

void check(CUresult result, const char* call) {
  if (result == cuda_success) return;
  const char *name = nullptr, *text = nullptr;
  driver().cuGetErrorName(result, &name);
  driver().cuGetErrorString(result, &text);
  std::string message = "[cuda] " + std::string(call) + ": " +
                        (name ? name : std::to_string(result).c_str()) + (text ? ", " : "") +
                        (text ? text : "") + ".";
  if (result == cuda_error_out_of_memory) throw MemoryError(message);
  throw DeviceError(message);
}

}  // namespace lazuli::cuda
