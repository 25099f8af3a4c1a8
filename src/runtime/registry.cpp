// The only file that names backends.
#include "runtime/registry.h"

#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/cuda/cuda_backend.h"
#include "backends/fake/fake_backend.h"
#include "backends/reference/check.h"
#include "base/flags.h"
#include "base/log.h"

namespace lazuli {
namespace {

std::vector<Backend*>* make_backends() {
  auto* all = new std::vector<Backend*>{&cpu_backend()};
  if (flags().fake_device) {
    all->push_back(&fake_backend(cpu_backend()));
  } else if (flags().cuda) {
    std::string missing;
    Backend* cuda = cuda_backend(missing);
    if (cuda) all->push_back(cuda);
    if (debugging(1) && !cuda) debug_line("no NVIDIA GPU: " + missing);
  }
  if (debugging(1)) {
    for (const Backend* backend : *all) {
      debug_line("device " + to_string(backend->device) + ": " + backend->name() + ", " +
                 std::to_string(backend->memory_bytes() >> 20) + " MiB");
    }
  }
  return all;
}

}  // namespace

Backend& host_backend() { return cpu_backend(); }

std::span<Backend* const> backends() {
  static const std::vector<Backend*>* all = make_backends();
  return *all;
}

Backend* find_backend(const Device& device) {
  for (Backend* backend : backends()) {
    if (backend->device == device) return backend;
  }
  return nullptr;
}

std::unique_ptr<StepCheck> check_step(const Graph& graph, const Step& step,
                                      std::span<const Layout* const> reads) {
  return reference::make_check(graph, step, reads);
}

}  // namespace lazuli
