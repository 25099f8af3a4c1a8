// Runs a fused step: walks over rows, in parallel, and sends blocks through the chain of stages.
//
// A row is swept once for each phase and stays in the second cache meanwhile. Floor: the bytes of
// operands and outputs. Reached with two cores of a Zen 4 on 4096 x 4096 float32: rms_norm 1.2 to
// 1.6 times the floor, softmax 1.6 to 2.4 times, most of it for the exponentials.
#include <algorithm>
#include <cstring>

#include "backends/cpu/fused/access.h"
#include "backends/cpu/fused/program.h"
#include "base/thread_pool.h"
#include "core/visit.h"

namespace lazuli {
namespace cpu {
namespace {

constexpr int64_t chunk_elements = 8192;  // of a reduction; fixes the order of summation
constexpr float serial_cost = 60000;  // cycles below which one thread is faster
constexpr int64_t nontemporal_bytes = 24 << 20;
constexpr int64_t prefetch_elements = 512;  // from a block to the one asked for

// Memory of a thread for scratch blocks, states and row buffers.
class Arena {
 public:
  ~Arena() { std::free(memory_); }
  char* reserve(size_t bytes) {
    if (bytes > capacity_) {
      std::free(memory_);
      capacity_ = std::max<size_t>(bytes, 1 << 16);
      memory_ = static_cast<char*>(std::aligned_alloc(64, (capacity_ + 63) / 64 * 64));
      if (!memory_) {
        capacity_ = 0;
        throw MemoryError("[eval] No memory for the scratch blocks of a fused step.");
      }
    }
    return memory_;
  }

 private:
  char* memory_ = nullptr;
  size_t capacity_ = 0;
};
thread_local Arena arena;
thread_local Walk walk_of_thread;

int64_t itemsize(Dtype::Val d) {
  static constexpr uint8_t sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 2, 8};
  return sizes[static_cast<int>(d)];
}

// `count` copies of an element.
void splat(const void* element, int64_t size, int64_t count, char* to) {
  switch (size) {
    case 1:
      std::memset(to, *static_cast<const uint8_t*>(element), static_cast<size_t>(count));
      break;
    case 2:
      std::fill_n(reinterpret_cast<uint16_t*>(to), count, *static_cast<const uint16_t*>(element));
      break;
    case 4:
      std::fill_n(reinterpret_cast<uint32_t*>(to), count, *static_cast<const uint32_t*>(element));
      break;
    default:
      std::fill_n(reinterpret_cast<uint64_t*>(to), count, *static_cast<const uint64_t*>(element));
  }
}

float half_to_float(const void* element, Dtype::Val dtype) {
  if (dtype == Dtype::Val::float16) return *static_cast<const float16_t*>(element);
  return *static_cast<const bfloat16_t*>(element);
}

// An element as stages read it: halves as float32.
void splat_widened(const void* element, Dtype::Val dtype, int64_t count, char* to) {
  if (dtype == Dtype::Val::float16 || dtype == Dtype::Val::bfloat16) {
    float wide = half_to_float(element, dtype);
    splat(&wide, 4, count, to);
  } else {
    splat(element, itemsize(dtype), count, to);
  }
}

class Runner {
 public:
  Runner(const FusedStep& step, const Program& program, const FusedBinding& binding)
      : step_(step),
        program_(program),
        binding_(binding),
        walk_(walk_of_thread),
        block_(stage_table().block) {}

  void run() {
    bind();
    if (walk_.rows == 0 || (walk_.length == 0 && step_.row_axes == 0)) return;
    bool reduces = step_.row_axes > 0;
    float cost = (program_.cost + 2) / 8 * static_cast<float>(walk_.rows) *
                 static_cast<float>(std::max<int64_t>(walk_.length, 8));
    int threads = ThreadPool::instance().threads();
    if (cost < serial_cost || threads == 1) {
      sweep_rows(0, walk_.rows, 0, walk_.length);
    } else if (reduces && walk_.rows < threads * 2 && walk_.length >= 2 * chunk_elements) {
      for (int64_t r = 0; r < walk_.rows; ++r) sweep_one_row_together(r);
    } else {
      share(threads, reduces);
    }
  }

 private:
  const Node* node_of(uint16_t v) const { return binding_.graph->nodes[step_.values[v].node]; }

  void bind() {
    SmallVector<WalkInput, 8> inputs;
    operand_of_value_.resize(step_.values.size(), 0);
    int64_t output_bytes = 0;
    for (uint16_t v = 0; v < step_.values.size(); ++v) {
      const FusedValue& x = step_.values[v];
      if (x.kind != FusedValue::Kind::operand && !x.output) continue;
      operand_of_value_[v] = static_cast<uint16_t>(inputs.size());
      const Node* node = node_of(v);
      inputs.push_back({binding_.value[v], &node->shape, itemsize(x.dtype), x.scope == Scope::row});
      if (x.output) output_bytes += node->size() * itemsize(x.dtype);
    }
    make_walk(binding_.graph->nodes[step_.space]->shape, step_.row_axes,
              {inputs.data(), inputs.size()}, walk_);
    nontemporal_ = output_bytes > nontemporal_bytes;
  }

  // Rows, or parts of rows where nothing is reduced, dealt to the threads.
  void share(int threads, bool reduces) {
    int64_t parts_per_row = 1;
    int64_t tasks_wanted = threads * 4;
    if (!reduces && walk_.rows < tasks_wanted) {
      parts_per_row =
          std::max<int64_t>(1, std::min(tasks_wanted / walk_.rows, walk_.length / (block_ * 16)));
    }
    int64_t part = (walk_.length + parts_per_row - 1) / parts_per_row;
    part = (part + block_ - 1) / block_ * block_;
    int64_t row_tasks = parts_per_row > 1 ? walk_.rows : std::min(walk_.rows, tasks_wanted);
    ThreadPool::instance().run(row_tasks * parts_per_row, [&](int64_t task) {
      int64_t r = task / parts_per_row, p = task % parts_per_row;
      int64_t first = walk_.rows * r / row_tasks, last = walk_.rows * (r + 1) / row_tasks;
      int64_t begin = std::min(p * part, walk_.length);
      sweep_rows(first, last, begin, std::min(begin + part, walk_.length));
    });
  }

  // ---- Slots of a thread ----
  struct Thread {
    Context context;
    SmallVector<Slot, 24> slots;
    SmallVector<uint16_t, 8> gathers;  // slots filled block by block
    SmallVector<char*, 8> rows;  // by slot in `gathers`: the row's first element
    SmallVector<char*, 24> tails;  // by slot: room for a block of a direct one, or nullptr
  };

  char* scratch_for(uint16_t s, char*& next, char* row_buffers) const {
    if (program_.slots[s].kind == SlotKind::row_buffer && row_buffers) return row_buffers;
    char* at = next;
    next += scratch_bytes;
    return at;
  }

  int64_t row_buffer_bytes() const { return ((walk_.length + block_) * 8 + 63) / 64 * 64; }

  size_t arena_bytes() const {
    size_t bytes = 0;
    for (const SlotInfo& s : program_.slots) {
      bytes += s.kind == SlotKind::row_buffer ? static_cast<size_t>(row_buffer_bytes())
                                              : static_cast<size_t>(scratch_bytes);
    }
    return bytes;
  }

  // `shared_rows` replaces the thread's own row buffers where threads work on one row together.
  void prepare(Thread& thread, char* shared_rows) const {
    char* next = arena.reserve(arena_bytes());
    char* shared = shared_rows;
    thread.slots.resize(program_.slots.size(), Slot{nullptr, 0});
    thread.tails.resize(program_.slots.size(), nullptr);
    thread.context = {thread.slots.data(), 0, 0, nontemporal_};
    int64_t copies = std::min(block_, std::max<int64_t>(walk_.length, 1));
    if (step_.row_axes) copies = block_;
    for (uint16_t s = 0; s < program_.slots.size(); ++s) {
      const SlotInfo& info = program_.slots[s];
      Slot& slot = thread.slots[s];
      if (info.kind == SlotKind::row_buffer) {
        slot = {shared ? shared : next, itemsize(info.dtype)};
        (shared ? shared : next) += row_buffer_bytes();
        continue;
      }
      bool direct = info.kind == SlotKind::output;
      if (info.kind == SlotKind::operand || info.kind == SlotKind::ahead) {
        const OperandAccess& access = walk_.operands[operand_of_value_[info.value]];
        direct = access.row == RowAccess::direct;
        bool gathered = access.row == RowAccess::gather && info.kind == SlotKind::operand;
        if (gathered) thread.gathers.push_back(s);
      }
      if (direct) {
        slot.step = itemsize(info.dtype);
        if (info.kind != SlotKind::ahead) {
          thread.tails[s] = next;
          next += scratch_bytes;
        }
        continue;
      }
      slot.base = next;
      next += scratch_bytes;
      if (info.kind == SlotKind::constant) {
        const Node* node = node_of(info.value);
        splat_widened(&node->params[0], node->dtype, copies, slot.base);
      }
    }
    thread.rows.resize(thread.gathers.size());
  }

  char* row_address(const OperandAccess& access, int64_t row) const {
    char* at = access.base;
    for (size_t d = walk_.outer.size(); d-- > 0;) {
      at += row % walk_.outer[d] * access.outer[d];
      row /= walk_.outer[d];
    }
    return at;
  }

  // Points the slots at a row. Only operands and outputs move.
  void enter_row(Thread& thread, int64_t row) const {
    size_t g = 0;
    for (uint16_t s = 0; s < program_.slots.size(); ++s) {
      const SlotInfo& info = program_.slots[s];
      bool operand = info.kind == SlotKind::operand || info.kind == SlotKind::output;
      bool row_operand = info.kind == SlotKind::row_value;
      bool ahead = info.kind == SlotKind::ahead;
      if (!operand && !row_operand && !ahead) continue;
      const OperandAccess& access = walk_.operands[operand_of_value_[info.value]];
      if (ahead) {
        if (access.row == RowAccess::direct) thread.slots[s].base = ahead_of(access, row);
        continue;
      }
      char* at = row_address(access, row);
      if (row_operand) {
        splat_widened(at, step_.values[info.value].dtype, block_, thread.slots[s].base);
      } else if (access.row == RowAccess::direct || info.kind == SlotKind::output) {
        thread.slots[s].base = at;
      } else if (access.row == RowAccess::splat) {
        splat(at, access.itemsize, block_, thread.slots[s].base);
      } else {
        thread.rows[g++] = at;
      }
    }
  }

  // What is prefetched while a row is swept: see Compiler::prefetch.
  char* ahead_of(const OperandAccess& access, int64_t row) const {
    if (program_.phases.size() > 1) return row_address(access, std::min(row + 1, walk_.rows - 1));
    return row_address(access, row) + prefetch_elements * access.itemsize;
  }

  void chain(Thread& thread, const Part& part, int64_t begin, int64_t end) const {
    stage_table().run(program_.instructions.data() + part.first, part.prefetches, &thread.context,
                      begin, end);
  }

  void sweep(Thread& thread, const Part& part, int64_t begin, int64_t end) const {
    int64_t whole = begin + (end - begin) / block_ * block_;
    if (thread.gathers.empty()) {
      chain(thread, part, begin, whole);
      if (whole < end) sweep_tail(thread, part, whole, end);
      return;
    }
    for (int64_t i = begin; i < end; i += block_) {
      int64_t stop = std::min(i + block_, end);
      for (size_t g = 0; g < thread.gathers.size(); ++g) {
        uint16_t s = thread.gathers[g];
        gather_row(walk_, walk_.operands[operand_of_value_[program_.slots[s].value]],
                   thread.rows[g], i, stop - i, thread.slots[s].base);
      }
      if (i < whole) chain(thread, part, i, stop);
      else sweep_tail(thread, part, i, stop);
    }
  }

  // Stages work on whole blocks, so the elements left over are computed in copies.
  void sweep_tail(Thread& thread, const Part& part, int64_t i, int64_t end) const {
    SmallVector<char*, 24> base_of_slot(thread.slots.size());
    auto into_copy = [&](uint16_t s, bool read) {
      Slot& slot = thread.slots[s];
      char* tail = thread.tails[s];
      if (!tail) return;  // a gathered block is a copy already
      size_t bytes = static_cast<size_t>((end - i) * slot.step);
      std::memset(tail + bytes, 0, static_cast<size_t>(block_ * slot.step) - bytes);
      if (read) std::memcpy(tail, slot.base + i * slot.step, bytes);
      base_of_slot[s] = slot.base;
      slot.base = tail - i * slot.step;
    };
    for (uint16_t s : part.operands) into_copy(s, true);
    for (uint16_t s : part.outputs) into_copy(s, false);
    thread.context.nontemporal = false;
    chain(thread, part, i, end);
    thread.context.nontemporal = nontemporal_;
    for (uint16_t s : part.operands) {
      if (thread.tails[s]) thread.slots[s].base = base_of_slot[s];
    }
    for (uint16_t s : part.outputs) {
      Slot& slot = thread.slots[s];
      slot.base = base_of_slot[s];
      std::memcpy(slot.base + i * slot.step, thread.tails[s],
                  static_cast<size_t>((end - i) * slot.step));
    }
  }

  // ---- One thread, many rows ----
  void sweep_rows(int64_t first, int64_t last, int64_t begin, int64_t end) const {
    Thread thread;
    prepare(thread, nullptr);
    for (int64_t row = first; row < last; ++row) {
      enter_row(thread, row);
      for (const Program::Phase& phase : program_.phases) {
        once(thread, phase);
        if (phase.states.empty()) {
          if (phase.row.count) sweep(thread, phase.row, begin, end);
        } else {
          reduce_row(thread, phase, begin, end);
        }
      }
      if (step_.row_axes) leave_row(thread, row);
    }
    if (nontemporal_) stage_table().flush();
  }

  void once(Thread& thread, const Program::Phase& phase) const {
    if (!phase.once.count) return;
    chain(thread, phase.once, 0, block_);
  }

  struct Total {
    alignas(16) char bytes[16];
  };

  void reduce_row(Thread& thread, const Program::Phase& phase, int64_t begin, int64_t end) const {
    SmallVector<Total, 4> totals(phase.states.size());
    init_totals(thread, phase, totals.data());
    for (int64_t at = begin; at < end; at += chunk_elements) {
      reduce_chunk(thread, phase, at, std::min(at + chunk_elements, end), totals.data());
    }
    publish(thread, phase, totals.data());
  }

  void init_totals(Thread& thread, const Program::Phase& phase, Total* totals) const {
    for (size_t k = 0; k < phase.states.size(); ++k) {
      char* state = thread.slots[phase.states[k]].base;
      phase.reducers[k]->init(state);
      phase.reducers[k]->finish(state, totals[k].bytes);
    }
  }

  void reduce_chunk(Thread& thread, const Program::Phase& phase, int64_t begin, int64_t end,
                    Total* totals) const {
    for (size_t k = 0; k < phase.states.size(); ++k) {
      phase.reducers[k]->init(thread.slots[phase.states[k]].base);
    }
    sweep(thread, phase.row, begin, end);
    for (size_t k = 0; k < phase.states.size(); ++k) {
      Total part;
      phase.reducers[k]->finish(thread.slots[phase.states[k]].base, part.bytes);
      phase.reducers[k]->combine(totals[k].bytes, part.bytes);
    }
  }

  // Results of reductions become blocks of copies for the stages that follow.
  void publish(Thread& thread, const Program::Phase& phase, const Total* totals) const {
    for (size_t k = 0; k < phase.states.size(); ++k) {
      uint16_t result = program_.slots[phase.states[k]].other;
      alignas(16) char value[16];
      phase.reducers[k]->write(totals[k].bytes, value);
      const SlotInfo& info = program_.slots[result];
      splat(value, itemsize(info.dtype), block_, thread.slots[result].base);
      if (info.other != nowhere) keep_reduced(thread, info, value);
    }
  }

  // A reduction's result in the dtype it has in memory.
  void keep_reduced(Thread& thread, const SlotInfo& info, const char* value) const {
    char* to = thread.slots[info.other].base;
    Dtype::Val dtype = program_.slots[info.other].dtype;
    if (dtype == Dtype::Val::float16) {
      *reinterpret_cast<float16_t*>(to) = float16_t(*reinterpret_cast<const float*>(value));
    } else if (dtype == Dtype::Val::bfloat16) {
      *reinterpret_cast<bfloat16_t*>(to) = bfloat16_t(*reinterpret_cast<const float*>(value));
    } else {
      std::memcpy(to, value, static_cast<size_t>(itemsize(dtype)));
    }
  }

  void leave_row(Thread& thread, int64_t row) const {
    for (uint16_t s = 0; s < program_.slots.size(); ++s) {
      const SlotInfo& info = program_.slots[s];
      if (info.kind != SlotKind::row_output) continue;
      const OperandAccess& access = walk_.operands[operand_of_value_[info.value]];
      std::memcpy(row_address(access, row), thread.slots[s].base,
                  static_cast<size_t>(access.itemsize));
    }
  }

  // ---- One row, all threads ----
  // Each phase is dealt in chunks; the totals of the chunks are combined in their order, so the
  // result does not depend on the number of threads.
  void sweep_one_row_together(int64_t row) {
    int64_t chunks = (walk_.length + chunk_elements - 1) / chunk_elements;
    std::vector<char> shared(shared_row_bytes() + 64);
    char* aligned = shared.data() + 64 - reinterpret_cast<uintptr_t>(shared.data()) % 64;
    std::vector<Total> published;
    for (size_t p = 0; p < program_.phases.size(); ++p) {
      const Program::Phase& phase = program_.phases[p];
      size_t states = phase.states.size();
      std::vector<Total> totals(static_cast<size_t>(chunks) * states);
      int64_t tasks = std::min<int64_t>(chunks, ThreadPool::instance().threads() * 4);
      ThreadPool::instance().run(phase.row.count ? tasks : 0, [&](int64_t task) {
        Thread thread;
        resume(thread, row, p, published, aligned);
        for (int64_t c = chunks * task / tasks; c < chunks * (task + 1) / tasks; ++c) {
          int64_t begin = c * chunk_elements, end = std::min(begin + chunk_elements, walk_.length);
          if (states == 0) {
            sweep(thread, phase.row, begin, end);
            if (nontemporal_) stage_table().flush();
            continue;
          }
          Total* own = totals.data() + static_cast<size_t>(c) * states;
          init_totals(thread, phase, own);
          reduce_chunk(thread, phase, begin, end, own);
        }
      });
      for (size_t c = 1; c < static_cast<size_t>(chunks); ++c) {
        for (size_t k = 0; k < states; ++k) {
          phase.reducers[k]->combine(totals[k].bytes, totals[c * states + k].bytes);
        }
      }
      published.insert(published.end(), totals.begin(), totals.begin() + static_cast<long>(states));
    }
    Thread thread;
    resume(thread, row, program_.phases.size(), published, aligned);
    leave_row(thread, row);
  }

  size_t shared_row_bytes() const {
    size_t bytes = 0;
    for (const SlotInfo& s : program_.slots) {
      if (s.kind == SlotKind::row_buffer) bytes += static_cast<size_t>(row_buffer_bytes());
    }
    return bytes;
  }

  // Brings a thread to the start of a phase of a row that others have worked on.
  void resume(Thread& thread, int64_t row, size_t phase, const std::vector<Total>& published,
              char* shared) const {
    prepare(thread, shared);
    enter_row(thread, row);
    const Total* totals = published.data();
    for (size_t p = 0; p < phase; ++p) {
      once(thread, program_.phases[p]);
      publish(thread, program_.phases[p], totals);
      totals += program_.phases[p].states.size();
    }
    if (phase < program_.phases.size()) once(thread, program_.phases[phase]);
  }

  const FusedStep& step_;
  const Program& program_;
  const FusedBinding& binding_;
  Walk& walk_;
  int64_t block_;
  SmallVector<uint16_t, 16> operand_of_value_;
  bool nontemporal_ = false;
};

}  // namespace
}  // namespace cpu

void run_fused(const FusedStep& step, const CompiledStep& compiled, const FusedBinding& binding) {
  cpu::Runner(step, static_cast<const cpu::Program&>(compiled), binding).run();
}

}  // namespace lazuli
