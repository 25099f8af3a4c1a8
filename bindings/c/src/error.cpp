#include "mlx/c/error.h"

#include <cstdio>
#include <exception>
#include <mutex>

#include "handles.h"

namespace {

void write_to_stderr(const char* message, void*) { std::fprintf(stderr, "lazuli: %s\n", message); }

struct Handler {
  mlx_error_handler_func function = write_to_stderr;
  void* data = nullptr;
  void (*destructor)(void*) = nullptr;
};

std::mutex mutex;
Handler current;

void tell(const char* message) noexcept {
  Handler handler;
  {
    std::lock_guard lock(mutex);
    handler = current;
  }
  handler.function(message, handler.data);
}

}  // namespace

namespace lazuli::c {

void report() noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    tell(error.what());
  } catch (...) {
    tell("An unknown error.");
  }
}

}  // namespace lazuli::c

extern "C" void mlx_set_error_handler(mlx_error_handler_func handler, void* data,
                                      void (*dtor)(void*)) {
  Handler before;
  {
    std::lock_guard lock(mutex);
    before = current;
    current = handler ? Handler{handler, data, dtor} : Handler{};
  }
  if (before.destructor) before.destructor(before.data);
}
