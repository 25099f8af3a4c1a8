// What kernels compiled for the emulated GPU and the emulated driver agree on. Kernels see no
// standard header: device code defines int64_t and others in its own way.
#pragma once

namespace emulated {

struct Index3 {
  unsigned x, y, z;
};

// The thread that runs now.
struct ThreadState {
  Index3 thread, block, block_size, grid_size;
  char* dynamic_shared;
};

// A kernel of a compiled program, found by the name it was asked for with. `call` unpacks the
// arguments, whose sizes are listed.
struct Entry {
  const char* name;
  void (*function)();
  void (*call)(void (*function)(), void** arguments);
  const unsigned* argument_bytes;
  unsigned argument_count;
};

// What one lane gives to the others of its warp.
constexpr unsigned slot_bytes = 64;
struct Slot {
  __attribute__((aligned(16))) unsigned char bytes[slot_bytes];
};

// Collective operations of a warp; lanes that meet must be in the same one.
enum class Collective : int { sync, shuffle, vote, match, reduce, exchange };

#pragma GCC visibility push(default)
extern "C" {
// What the thread that runs a block keeps about it.
extern __thread ThreadState emulated_thread;

// Waits for all lanes in `mask` that have not returned. The result is one slot a lane, valid up to
// the next call of this lane, and the lanes that took part; slots of others are filled with 0xA5.
struct Exchanged {
  const Slot* slots;
  unsigned lanes;
};
Exchanged emulated_exchange(unsigned mask, Collective kind, const void* value, unsigned bytes);

// Waits at barrier `id` for `threads` threads, 0 for all that have not returned. The number of
// threads that passed a predicate, and of those that met.
struct BarrierResult {
  unsigned passed, met;
};
BarrierResult emulated_barrier(unsigned id, unsigned threads, bool predicate);
// Counts as one of the threads that a named barrier waits for, and goes on.
void emulated_arrive(unsigned id, unsigned threads);

// Lets the other threads of the block run: for loops that wait for memory to change.
void emulated_yield();

// Ends the grid with an error that names the thread.
[[noreturn]] void emulated_trap(const char* reason);
}
#pragma GCC visibility pop

}  // namespace emulated
