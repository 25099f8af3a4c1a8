// The user's wish to stop, read between steps. Front ends set it from their signal handlers.
#pragma once

namespace lazuli {

void request_interrupt() noexcept;  // async-signal-safe
void clear_interrupt() noexcept;
void check_interrupt();  // throws InterruptedError, and clears the wish

}  // namespace lazuli
