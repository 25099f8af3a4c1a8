#include "lazuli/interrupt.h"
#include "lazuli/memory.h"
#include "runtime/registry.h"
#include "runtime/residency.h"
#include "runtime/run.h"

namespace lazuli {

void prefetch(const std::vector<array>& arrays, const Device& device,
              const std::function<void(size_t done, size_t all)>& progress) {
  Backend& backend = backend_at(device, "prefetch");
  int stream = default_stream(device).index;
  size_t done = 0, all = 0;
  async_eval(arrays);
  for (const array& a : arrays) all += a.nbytes();
  for (const array& a : arrays) {
    check_interrupt();
    Buffer* buffer = submitted_layout(a).buffer;
    make_current(buffer, backend, stream);
    end_use(buffer, backend);
    done += a.nbytes();
    if (progress && done < all) progress(done, all);
  }
  for (const array& a : arrays) wait_until_written(submitted_layout(a).buffer);
  if (progress) progress(all, all);
}

}  // namespace lazuli
