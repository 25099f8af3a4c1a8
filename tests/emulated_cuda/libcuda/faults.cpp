#include "emulated_cuda/libcuda/faults.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <array>

#include "emulated_cuda/libcuda/block.h"
#include "emulated_cuda/libcuda/errors.h"
#include "emulated_cuda/libcuda/memory.h"

namespace emulated {
namespace {

constexpr std::array signals{SIGSEGV, SIGBUS, SIGFPE};
std::array<struct sigaction, 3> before;

struct Fault {
  int number;
  uintptr_t address;
};
thread_local Fault fault;

// Runs on the stack of the device thread that failed, after the handler has returned.
[[noreturn]] void fail_after_fault() {
  BlockRunner& runner = BlockRunner::mine();
  if (fault.number == SIGFPE) {
    runner.fail(error_illegal_instruction, "integer division by zero");
  }
  runner.fail(error_illegal_address, "no access to " + Memory::get().describe(fault.address));
}

void handle(int number, siginfo_t* info, void* machine) {
#if defined(__x86_64__)
  if (BlockRunner::is_running_here()) {
    fault = {number, reinterpret_cast<uintptr_t>(info->si_addr)};
    auto& registers = static_cast<ucontext_t*>(machine)->uc_mcontext.gregs;
    // As after a call: 8 bytes short of a multiple of 16.
    registers[REG_RSP] = reinterpret_cast<greg_t>(BlockRunner::mine().stack_to_fail_on() - 24);
    registers[REG_RIP] = reinterpret_cast<greg_t>(&fail_after_fault);
    return;
  }
#endif
  // The instruction is tried again under the handler that was there before.
  for (size_t k = 0; k < signals.size(); ++k) {
    if (signals[k] == number) ::sigaction(number, &before[k], nullptr);
  }
}

}  // namespace

void install_fault_handlers() {
  struct sigaction action{};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (size_t k = 0; k < signals.size(); ++k) ::sigaction(signals[k], &action, &before[k]);
}

void catch_faults_on_this_thread() {
  constexpr size_t bytes = 64 << 10;
  stack_t stack{};
  // For as long as the thread, which never ends.
  stack.ss_sp = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stack.ss_size = bytes;
  ::sigaltstack(&stack, nullptr);
}

}  // namespace emulated
