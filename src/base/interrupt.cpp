#include "lazuli/interrupt.h"

#include <atomic>

#include "lazuli/error.h"

namespace lazuli {
namespace {
std::atomic<bool> wanted{false};
}

void request_interrupt() noexcept { wanted.store(true, std::memory_order_relaxed); }
void clear_interrupt() noexcept { wanted.store(false, std::memory_order_relaxed); }

void check_interrupt() {
  if (wanted.load(std::memory_order_relaxed) && wanted.exchange(false)) {
    throw InterruptedError("Interrupted.");
  }
}

}  // namespace lazuli
