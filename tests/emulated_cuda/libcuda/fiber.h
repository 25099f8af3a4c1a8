// Fibers: a thread of a block is a function with a stack of its own, which runs until it waits.
#pragma once

#include <cstddef>
#include <vector>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emulated {

// Where a fiber, or the loop that runs fibers, goes on.
struct Context {
#if defined(__x86_64__)
  void* stack_pointer = nullptr;
#else
  ucontext_t machine;
#endif
};

void switch_context(Context& from, Context& to);

// Stacks with an inaccessible page below each, reused and never unmapped.
class Stacks {
 public:
  static constexpr size_t bytes = 256 << 10;
  char* take();
  void give_back(char* stack) { free_.push_back(stack); }

 private:
  std::vector<char*> free_;
};

// A context that starts with a call of `entry`, which must not return.
void make_context(Context& context, char* stack, void (*entry)());

}  // namespace emulated
