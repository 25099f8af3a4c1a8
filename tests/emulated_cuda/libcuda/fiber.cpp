#include "emulated_cuda/libcuda/fiber.h"

#include <sys/mman.h>

#include <cstdlib>

namespace emulated {

#if defined(__x86_64__)
// Saves what a call has to keep, changes the stack, and returns into the other context. ucontext's
// swapcontext does the same with two system calls.
asm(R"(
.text
.globl emulated_switch_stack
.hidden emulated_switch_stack
.type emulated_switch_stack, @function
emulated_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulated_switch_stack, .-emulated_switch_stack
)");
extern "C" void emulated_switch_stack(void** save, void* load);

void switch_context(Context& from, Context& to) {
  emulated_switch_stack(&from.stack_pointer, to.stack_pointer);
}

void make_context(Context& context, char* stack, void (*entry)()) {
  constexpr int saved_registers = 6;
  void** top = reinterpret_cast<void**>(stack + Stacks::bytes);
  *--top = nullptr;  // the return address of `entry`
  *--top = reinterpret_cast<void*>(entry);
  for (int k = 0; k < saved_registers; ++k) *--top = nullptr;
  context.stack_pointer = top;
}
#else
void switch_context(Context& from, Context& to) { ::swapcontext(&from.machine, &to.machine); }

void make_context(Context& context, char* stack, void (*entry)()) {
  ::getcontext(&context.machine);
  context.machine.uc_stack.ss_sp = stack;
  context.machine.uc_stack.ss_size = Stacks::bytes;
  context.machine.uc_link = nullptr;
  ::makecontext(&context.machine, entry, 0);
}
#endif

namespace {
constexpr size_t guard_bytes = 64 << 10;  // a page on every machine
}

char* Stacks::take() {
  if (free_.empty()) {
    void* place = ::mmap(nullptr, bytes + guard_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) std::abort();
    ::mprotect(place, guard_bytes, PROT_NONE);
    free_.push_back(static_cast<char*>(place) + guard_bytes);
  }
  char* stack = free_.back();
  free_.pop_back();
  return stack;
}

}  // namespace emulated
