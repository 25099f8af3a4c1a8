#include "emulated_cuda/libcuda/block.h"

#include <sys/mman.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "emulated_cuda/libcuda/errors.h"
#include "emulated_cuda/libcuda/facts.h"

namespace emulated {

__thread ThreadState emulated_thread __attribute__((tls_model("initial-exec")));

namespace {

constexpr size_t page_bytes = 64 << 10;
constexpr size_t shared_mapping_bytes = 256 << 10, shared_alignment = 1024;
// Threads that only wait for memory to change are given up after about two seconds.
constexpr unsigned idle_rounds_max = 20000, busy_rounds = 100;
constexpr std::chrono::microseconds idle_pause{100};
constexpr int poison = 0xA5;
static_assert(shared_mapping_bytes >= shared_bytes_max);

std::string text_of(const Index3& at) {
  return "(" + std::to_string(at.x) + ", " + std::to_string(at.y) + ", " + std::to_string(at.z) +
         ")";
}

const char* name_of(Collective kind) {
  switch (kind) {
    case Collective::sync: return "__syncwarp";
    case Collective::shuffle: return "a shuffle";
    case Collective::vote: return "a vote";
    case Collective::match: return "a match";
    case Collective::reduce: return "a reduction";
    case Collective::exchange: return "an exchange";
  }
  return "";
}

std::string hexadecimal(unsigned mask) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", mask);
  return text;
}

}  // namespace

BlockRunner::BlockRunner() {
  void* place = ::mmap(nullptr, shared_mapping_bytes + page_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) std::abort();
  dynamic_shared_ = static_cast<char*>(place);
  ::mprotect(dynamic_shared_ + shared_mapping_bytes, page_bytes, PROT_NONE);
}

namespace {
// A plain pointer: thread storage that is reached in one instruction is scarce.
__thread BlockRunner* runner_of_this_thread __attribute__((tls_model("initial-exec")));
}  // namespace

BlockRunner& BlockRunner::mine() { return *runner_of_this_thread; }

void BlockRunner::create_mine() { runner_of_this_thread = new BlockRunner; }

bool BlockRunner::is_running_here() {
  return runner_of_this_thread && runner_of_this_thread->current_;
}

int BlockRunner::run(const Launch& launch) {
  launch_ = &launch;
  error_ = 0;
  emulated_thread.block_size = launch.block;
  emulated_thread.grid_size = launch.grid;
  thread_count_ = launch.block.x * launch.block.y * launch.block.z;
  Index3 at{};
  for (at.z = 0; at.z < launch.grid.z && !error_; ++at.z) {
    for (at.y = 0; at.y < launch.grid.y && !error_; ++at.y) {
      for (at.x = 0; at.x < launch.grid.x && !error_; ++at.x) run_block(at);
    }
  }
  return error_;
}

void BlockRunner::prepare_block(const Index3& block) {
  block_ = block;
  // Threads start in both orders, so that neither is relied on.
  reversed_ = (block.x + block.y + block.z) % 2 == 1;
  started_ = idle_rounds_ = 0;
  live_ = thread_count_;
  fibers_.resize(thread_count_);
  warps_.resize((thread_count_ + 31) / 32);
  for (size_t w = 0; w < warps_.size(); ++w) {
    unsigned lanes = thread_count_ - static_cast<unsigned>(w) * 32;
    warps_[w].live = lanes >= 32 ? 0xffffffffu : (1u << lanes) - 1;
    warps_[w].pending.clear();
  }
  for (Barrier& barrier : barriers_) {
    barrier.arrived = barrier.passed = barrier.threads = 0;
    barrier.waiting.clear();
  }
  // Shared memory holds nothing when a block starts.
  size_t rounded = rounded_shared_bytes();
  emulated_thread.dynamic_shared = dynamic_shared_ + shared_mapping_bytes - rounded;
  std::memset(emulated_thread.dynamic_shared, poison, rounded);
  launch_->kernel->module->poison_static_shared(poison);
  emulated_thread.block = block;
}

size_t BlockRunner::rounded_shared_bytes() const {
  return (launch_->shared_bytes + shared_alignment - 1) / shared_alignment * shared_alignment;
}

// Whether the bytes between the dynamic shared memory and the inaccessible page were written.
bool BlockRunner::has_overrun_shared_memory() const {
  const char* start = emulated_thread.dynamic_shared;
  for (size_t k = launch_->shared_bytes; k < rounded_shared_bytes(); ++k) {
    if (start[k] != static_cast<char>(poison)) return true;
  }
  return false;
}

void BlockRunner::run_block(const Index3& block) {
  prepare_block(block);
  while (!error_) {
    Fiber* fiber = next_fiber();
    if (!fiber) break;
    resume(*fiber);
  }
  if (!error_ && live_ > 0) {
    report(nullptr, "deadlock: " + waits());
    error_ = error_launch_timeout;
  } else if (!error_ && has_overrun_shared_memory()) {
    report(nullptr, "memory was written beyond its " + std::to_string(launch_->shared_bytes) +
                        " bytes of dynamic shared memory");
    error_ = error_illegal_address;
  }
  if (error_) abandon_block();
}

BlockRunner::Fiber* BlockRunner::next_fiber() {
  if (!ready_.empty()) {
    Fiber* fiber = ready_.back();
    ready_.pop_back();
    return fiber;
  }
  if (started_ < thread_count_) {
    Fiber& fiber = next_thread(stacks_.take());
    make_context(fiber.context, fiber.stack, &BlockRunner::thread_entry);
    return &fiber;
  }
  if (yielded_.empty() || ++idle_rounds_ > idle_rounds_max) return nullptr;
  if (idle_rounds_ > busy_rounds) std::this_thread::sleep_for(idle_pause);
  for (Fiber* fiber : yielded_) make_ready(*fiber);
  yielded_.clear();
  return next_fiber();
}

BlockRunner::Fiber& BlockRunner::next_thread(char* stack) {
  unsigned index = reversed_ ? thread_count_ - 1 - started_ : started_;
  ++started_;
  const Index3& size = launch_->block;
  Fiber& fiber = fibers_[index];
  fiber.index = index;
  fiber.position = {index % size.x, index / size.x % size.y, index / size.x / size.y};
  fiber.meeting = nullptr;
  fiber.state = Fiber::State::ready;
  fiber.stack = stack;
  return fiber;
}

void BlockRunner::enter(Fiber& fiber) {
  current_ = &fiber;
  emulated_thread.thread = fiber.position;
}

void BlockRunner::resume(Fiber& fiber) {
  enter(fiber);
  switch_context(loop_, fiber.context);
  Fiber& stopped = *current_;
  current_ = nullptr;
  if (stopped.state == Fiber::State::returned) stacks_.give_back(stopped.stack);
}

void BlockRunner::suspend(Fiber::State state) {
  Fiber& fiber = *current_;
  fiber.state = state;
  switch_context(fiber.context, loop_);
}

void BlockRunner::make_ready(Fiber& fiber) {
  fiber.state = Fiber::State::ready;
  ready_.push_back(&fiber);
}

void BlockRunner::thread_entry() {
  BlockRunner& runner = mine();
  const Launch& launch = *runner.launch_;
  const Entry& entry = *launch.kernel->entry;
  do {
    entry.call(entry.function, const_cast<void**>(launch.arguments.data()));
    runner.note_return(*runner.current_);
  } while (runner.starts_next_thread_here());
  runner.suspend(Fiber::State::returned);
}

// A block whose threads wait for nothing runs them one after another on one stack.
bool BlockRunner::starts_next_thread_here() {
  if (!ready_.empty() || started_ == thread_count_) return false;
  char* stack = current_->stack;
  current_->state = Fiber::State::returned;
  enter(next_thread(stack));
  return true;
}

// A thread that has returned is waited for no longer.
void BlockRunner::note_return(Fiber& fiber) {
  release_meeting(fiber);
  idle_rounds_ = 0;
  --live_;
  Warp& warp = warps_[fiber.index / 32];
  warp.live &= ~(1u << fiber.index % 32);
  for (size_t k = warp.pending.size(); k-- > 0;) finish_if_met(warp, *warp.pending[k]);
  if (barriers_[0].arrived > 0) finish_if_met(barriers_[0]);
}

void BlockRunner::yield() {
  yielded_.push_back(current_);
  suspend(Fiber::State::yielded);
}

// ---- Warps ----

void BlockRunner::release_meeting(Fiber& fiber) {
  if (!fiber.meeting) return;
  if (--fiber.meeting->readers == 0) free_meetings_.push_back(fiber.meeting);
  fiber.meeting = nullptr;
}

BlockRunner::Meeting& BlockRunner::meeting_of(Warp& warp, unsigned mask, Collective kind) {
  for (Meeting* meeting : warp.pending) {
    if (meeting->mask != mask) continue;
    if (meeting->kind != kind) {
      fail(error_launch_failed, std::string("meets others of its warp in ") + name_of(kind) +
                                    " while they are in " + name_of(meeting->kind) + ".");
    }
    return *meeting;
  }
  if (free_meetings_.empty()) {
    meetings_.push_back(std::make_unique<Meeting>());
    free_meetings_.push_back(meetings_.back().get());
  }
  Meeting* meeting = free_meetings_.back();
  free_meetings_.pop_back();
  meeting->mask = mask;
  meeting->arrived = meeting->readers = 0;
  meeting->kind = kind;
  warp.pending.push_back(meeting);
  return *meeting;
}

bool BlockRunner::finish_if_met(Warp& warp, Meeting& meeting) {
  if ((meeting.mask & warp.live) != (meeting.arrived & warp.live)) return false;
  idle_rounds_ = 0;
  std::erase(warp.pending, &meeting);
  Fiber* first = &fibers_[(&warp - warps_.data()) * 32];
  for (int lane = 31; lane >= 0; --lane) {
    if (!(meeting.arrived >> lane & 1)) {
      std::memset(&meeting.slots[lane], poison, slot_bytes);
    } else if (first[lane].state == Fiber::State::at_meeting && first[lane].meeting == &meeting) {
      make_ready(first[lane]);
    }
  }
  return true;
}

Exchanged BlockRunner::exchange(unsigned mask, Collective kind, const void* value, unsigned bytes) {
  Fiber& fiber = *current_;
  unsigned lane = fiber.index % 32;
  release_meeting(fiber);
  if (!(mask >> lane & 1)) {
    fail(error_launch_failed,
         std::string("is not in the mask ") + hexadecimal(mask) + " of " + name_of(kind) + ".");
  }
  Warp& warp = warps_[fiber.index / 32];
  Meeting& meeting = meeting_of(warp, mask, kind);
  fiber.meeting = &meeting;
  ++meeting.readers;
  meeting.arrived |= 1u << lane;
  std::memcpy(meeting.slots[lane].bytes, value, bytes);
  if (!finish_if_met(warp, meeting)) suspend(Fiber::State::at_meeting);
  return {meeting.slots.data(), meeting.arrived};
}

// ---- Barriers ----

void BlockRunner::join_barrier(unsigned id, unsigned threads, bool predicate) {
  if (id >= barriers_.size()) fail(error_launch_failed, "names a barrier beyond the sixteenth.");
  Barrier& barrier = barriers_[id];
  if (barrier.arrived > 0 && barrier.threads != threads) {
    fail(error_launch_failed, "waits at barrier " + std::to_string(id) + " for " +
                                  std::to_string(threads) + " threads, others for " +
                                  std::to_string(barrier.threads) + ".");
  }
  barrier.threads = threads;
  ++barrier.arrived;
  barrier.passed += predicate;
}

bool BlockRunner::finish_if_met(Barrier& barrier) {
  if (barrier.arrived < (barrier.threads ? barrier.threads : live_)) return false;
  idle_rounds_ = 0;
  barrier.result = {barrier.passed, barrier.arrived};
  barrier.arrived = barrier.passed = 0;
  for (size_t k = barrier.waiting.size(); k-- > 0;) make_ready(*barrier.waiting[k]);
  barrier.waiting.clear();
  return true;
}

BarrierResult BlockRunner::wait_at_barrier(unsigned id, unsigned threads, bool predicate) {
  join_barrier(id, threads, predicate);
  Barrier& barrier = barriers_[id];
  if (!finish_if_met(barrier)) {
    barrier.waiting.push_back(current_);
    current_->barrier = id;
    suspend(Fiber::State::at_barrier);
  }
  return barrier.result;
}

void BlockRunner::arrive_at_barrier(unsigned id, unsigned threads) {
  join_barrier(id, threads, false);
  finish_if_met(barriers_[id]);
}

// ---- Errors ----

void BlockRunner::fail(int error, const std::string& reason) {
  report(current_, reason);
  error_ = error;
  suspend(Fiber::State::ready);
  __builtin_unreachable();
}

void BlockRunner::report(const Fiber* fiber, const std::string& reason) const {
  std::string text = "emulated GPU: kernel " + std::string(launch_->kernel->entry->name) +
                     ", block " + text_of(block_);
  if (fiber) text += ", thread " + text_of(emulated_thread.thread);
  std::fprintf(stderr, "%s: %s\n", text.c_str(), reason.c_str());
}

// What the threads of a deadlocked block wait for; those that wait for the same in one part.
std::string BlockRunner::waits() const {
  std::vector<std::pair<std::string, unsigned>> found;
  for (const Fiber& fiber : fibers_) {
    std::string what;
    if (fiber.state == Fiber::State::at_barrier) {
      what =
          fiber.barrier == 0 ? "at __syncthreads" : "at barrier " + std::to_string(fiber.barrier);
    } else if (fiber.state == Fiber::State::at_meeting) {
      what = std::string("in ") + name_of(fiber.meeting->kind) + " of lanes " +
             hexadecimal(fiber.meeting->mask);
    } else if (fiber.state == Fiber::State::yielded) {
      what = "for memory to change";
    } else {
      continue;
    }
    bool known = false;
    for (auto& [text, count] : found) {
      if (text != what) continue;
      ++count;
      known = true;
    }
    if (!known) found.push_back({what, 1});
  }
  std::string all;
  for (auto& [text, count] : found) {
    all += (all.empty() ? "" : ", ") + std::to_string(count) + " threads wait " + text;
  }
  return all + "; " + std::to_string(thread_count_ - live_) + " have returned.";
}

// Threads are left where they stand: device code has nothing to destroy.
void BlockRunner::abandon_block() {
  for (unsigned k = 0; k < started_; ++k) {
    Fiber& fiber = fibers_[reversed_ ? thread_count_ - 1 - k : k];
    if (fiber.state != Fiber::State::returned) stacks_.give_back(fiber.stack);
  }
  ready_.clear();
  yielded_.clear();
  free_meetings_.clear();
  for (auto& meeting : meetings_) free_meetings_.push_back(meeting.get());
}

// ---- What kernels call ----

Exchanged emulated_exchange(unsigned mask, Collective kind, const void* value, unsigned bytes) {
  return BlockRunner::mine().exchange(mask, kind, value, bytes);
}
BarrierResult emulated_barrier(unsigned id, unsigned threads, bool predicate) {
  return BlockRunner::mine().wait_at_barrier(id, threads, predicate);
}
void emulated_arrive(unsigned id, unsigned threads) {
  BlockRunner::mine().arrive_at_barrier(id, threads);
}
void emulated_yield() { BlockRunner::mine().yield(); }
void emulated_trap(const char* reason) {
  BlockRunner::mine().fail(error_illegal_instruction, reason);
}

}  // namespace emulated
