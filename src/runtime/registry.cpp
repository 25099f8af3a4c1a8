// The only file that names backends.
#include "runtime/registry.h"

#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/cuda/cuda_backend.h"
#include "backends/fake/fake_backend.h"
#include "backends/reference/check.h"
#include "base/flags.h"
#include "base/log.h"
#include "lazuli/error.h"

namespace lazuli {
namespace {

struct Devices {
  std::vector<Backend*> backends{&cpu_backend()};
  std::string missing_gpu;
};

const Devices* find_devices() {
  auto* found = new Devices;
  Backend* gpu = nullptr;
  if (flags().fake_device) gpu = &fake_backend(cpu_backend());
  else if (flags().cuda) gpu = cuda_backend(found->missing_gpu);
  else found->missing_gpu = "NVIDIA GPUs are not looked for, because LAZULI_CUDA is 0.";
  if (gpu) found->backends.push_back(gpu);
  if (debugging(1)) {
    for (const Backend* backend : found->backends) {
      debug_line("device " + to_string(backend->device) + ": " + backend->name() + ", " +
                 std::to_string(backend->memory_bytes() >> 20) + " MiB");
    }
    if (!gpu) debug_line("no NVIDIA GPU: " + found->missing_gpu);
  }
  return found;
}

const Devices& devices() {
  static const Devices* found = find_devices();
  return *found;
}

}  // namespace

Backend& host_backend() { return cpu_backend(); }

std::span<Backend* const> backends() { return devices().backends; }
const std::string& missing_gpu() { return devices().missing_gpu; }

Backend* find_backend(const Device& device) {
  for (Backend* backend : backends()) {
    if (backend->device == device) return backend;
  }
  return nullptr;
}

Backend& backend_at(const Device& device, const char* what) {
  if (Backend* backend = find_backend(device)) return *backend;
  throw DeviceError("[" + std::string(what) + "] There is no " + to_string(device) + " here. " +
                    why_unavailable(device));
}

std::unique_ptr<StepCheck> check_step(const Graph& graph, const Step& step,
                                      std::span<const Layout* const> reads) {
  return reference::make_check(graph, step, reads);
}

}  // namespace lazuli
