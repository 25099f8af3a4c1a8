// Runs one block of a kernel after another: its threads are fibers of the calling thread, which
// run one at a time until they wait for others.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "emulated_cuda/device/interface.h"
#include "emulated_cuda/libcuda/fiber.h"
#include "emulated_cuda/libcuda/module.h"

namespace emulated {

struct Launch {
  const Kernel* kernel = nullptr;
  Index3 grid{}, block{};
  unsigned shared_bytes = 0;
  std::vector<void*> arguments;
};

class BlockRunner {
 public:
  // The runner of the calling thread, which lives as long as the process: streams do.
  static void create_mine();
  static BlockRunner& mine();
  // Whether the calling thread is in device code.
  static bool is_running_here();

  // Runs a grid, block after block. 0, or the error with which it ended.
  int run(const Launch& launch);

  // ---- Called by the thread that runs ----
  Exchanged exchange(unsigned mask, Collective kind, const void* value, unsigned bytes);
  BarrierResult wait_at_barrier(unsigned id, unsigned threads, bool predicate);
  void arrive_at_barrier(unsigned id, unsigned threads);
  void yield();
  [[noreturn]] void fail(int error, const std::string& reason);
  // The stack of the thread that runs, of which nothing is needed any more.
  char* stack_to_fail_on() const { return current_->stack + Stacks::bytes; }

 private:
  struct Meeting {  // lanes of a warp on their way through one collective operation
    unsigned mask = 0, arrived = 0, readers = 0;
    Collective kind{};
    std::array<Slot, 32> slots;
  };
  struct Fiber {
    Context context;
    char* stack = nullptr;
    unsigned index = 0;
    Index3 position{};
    Meeting* meeting = nullptr;  // whose slots it may still read
    enum class State { ready, at_meeting, at_barrier, yielded, returned } state;
    unsigned barrier = 0;
  };
  struct Warp {
    unsigned live = 0;
    std::vector<Meeting*> pending;
  };
  struct Barrier {
    unsigned arrived = 0, passed = 0, threads = 0;
    BarrierResult result{};
    std::vector<Fiber*> waiting;
  };

  BlockRunner();
  static void thread_entry();
  void run_block(const Index3& block);
  void prepare_block(const Index3& block);
  size_t rounded_shared_bytes() const;
  bool has_overrun_shared_memory() const;
  Fiber* next_fiber();
  Fiber& next_thread(char* stack);
  bool starts_next_thread_here();
  void enter(Fiber& fiber);
  void resume(Fiber& fiber);
  void suspend(Fiber::State state);
  void make_ready(Fiber& fiber);
  void note_return(Fiber& fiber);
  void release_meeting(Fiber& fiber);
  bool finish_if_met(Warp& warp, Meeting& meeting);
  void join_barrier(unsigned id, unsigned threads, bool predicate);
  bool finish_if_met(Barrier& barrier);
  void abandon_block();
  void report(const Fiber* fiber, const std::string& reason) const;
  std::string waits() const;
  Meeting& meeting_of(Warp& warp, unsigned mask, Collective kind);

  Stacks stacks_;
  Context loop_;
  const Launch* launch_ = nullptr;
  char* dynamic_shared_ = nullptr;  // its end lies against an inaccessible page
  Index3 block_{};
  unsigned thread_count_ = 0, started_ = 0, live_ = 0;
  unsigned idle_rounds_ = 0;  // since anything but a yield happened
  bool reversed_ = false;
  std::vector<Fiber> fibers_;
  std::vector<Fiber*> ready_, yielded_;
  std::vector<Warp> warps_;
  std::array<Barrier, 16> barriers_;
  std::vector<std::unique_ptr<Meeting>> meetings_;
  std::vector<Meeting*> free_meetings_;
  Fiber* current_ = nullptr;
  int error_ = 0;
};

}  // namespace emulated
