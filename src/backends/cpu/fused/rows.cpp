#include "backends/cpu/fused/rows.h"

#include <algorithm>
#include <cstring>

#include "core/visit.h"
#include "ops/table/params.h"

namespace lazuli::cpu {
namespace {

constexpr int64_t prefetch_elements = 512;  // from a block to the one asked for
constexpr int64_t short_row = 8192;  // elements that stay in the first caches from row to row

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

bool is_half(Dtype::Val d) { return d == Dtype::Val::float16 || d == Dtype::Val::bfloat16; }

float half_to_float(const void* element, Dtype::Val dtype) {
  if (dtype == Dtype::Val::float16) return *static_cast<const float16_t*>(element);
  return *static_cast<const bfloat16_t*>(element);
}

// An element as stages read it: halves as float32.
void splat_widened(const StageTable& table, const void* element, Dtype::Val dtype, char* to) {
  if (is_half(dtype)) {
    float wide = half_to_float(element, dtype);
    splat(table, &wide, 4, to);
  } else {
    splat(table, element, itemsize(dtype), to);
  }
}

size_t arena_bytes(const Bound& bound) {
  size_t bytes = 0;
  for (const SlotInfo& s : bound.program.slots) {
    bytes += static_cast<size_t>(s.kind == SlotKind::row_buffer ? bound.row_buffer_bytes()
                                                                : scratch_bytes);
  }
  return bytes;
}

// ---- Where a row lies ----
char* address(const Walk& walk, const OperandAccess& access, int64_t row) {
  char* at = access.base;
  for (size_t d = walk.outer.size(); d-- > 1;) {
    int64_t rest = row / walk.outer[d];
    at += (row - rest * walk.outer[d]) * access.outer[d];
    row = rest;
  }
  return walk.outer.empty() ? at : at + row * access.outer[0];
}

bool same_for_all_rows(const OperandAccess& access) {
  return std::all_of(access.outer.begin(), access.outer.end(), [](int64_t s) { return s == 0; });
}

void apply(const Bound& bound, Thread& thread, const Move& move, char* at, size_t& gathers) {
  Slot& slot = thread.slots[move.slot];
  switch (move.kind) {
    case Move::Kind::point:
    case Move::Kind::ahead: slot.base = at; break;
    case Move::Kind::gather: thread.rows[gathers++] = at; break;
    case Move::Kind::splat: splat(bound.table, at, move.access->itemsize, slot.base); break;
    case Move::Kind::widen: {
      const SlotInfo& info = bound.program.slots[move.slot];
      splat_widened(bound.table, at, bound.step.values[info.value].dtype, slot.base);
    }
  }
}

// A slot that is the same for all rows is made once; what is gathered is told apart by its order.
void add_move(const Bound& bound, Thread& thread, Move::Kind kind, uint16_t slot) {
  const OperandAccess& access = bound.access_of(slot);
  Move move{kind, slot, access.outer.empty() ? 0 : access.outer[0], &access};
  if (move.kind == Move::Kind::gather) thread.gathers.push_back(move.slot);
  if (move.kind == Move::Kind::gather || !same_for_all_rows(access)) {
    thread.moves.push_back(move);
    return;
  }
  size_t none = 0;
  char* at = access.base;
  if (move.kind == Move::Kind::ahead) at += prefetch_elements * access.itemsize;
  apply(bound, thread, move, at, none);
}

// Not what the last row has brought in already.
bool is_worth_prefetching(const Bound& bound, const OperandAccess& access) {
  if (access.row != RowAccess::direct) return false;
  if (bound.program.phases.size() > 1) return !same_for_all_rows(access);
  return bound.walk.length > short_row || !same_for_all_rows(access);
}

void choose_prefetches(const Bound& bound, Thread& thread) {
  for (const Program::Phase& phase : bound.program.phases) {
    for (const Prefetch& prefetch : phase.row.prefetches) {
      const OperandAccess& access = bound.access_of(prefetch.slot);
      if (!is_worth_prefetching(bound, access)) continue;
      thread.prefetches.push_back(prefetch);
      add_move(bound, thread, Move::Kind::ahead, prefetch.slot);
    }
  }
}

}  // namespace

int64_t itemsize(Dtype::Val d) {
  static constexpr uint8_t sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 2, 8};
  return sizes[static_cast<int>(d)];
}

void splat(const StageTable& table, const void* element, int64_t size, char* to) {
  switch (size) {
    case 1:
      std::memset(to, *static_cast<const uint8_t*>(element), static_cast<size_t>(table.block));
      break;
    case 2:
      std::fill_n(reinterpret_cast<uint16_t*>(to), table.block,
                  *static_cast<const uint16_t*>(element));
      break;
    case 4: table.fill(*static_cast<const uint32_t*>(element), to); break;
    default:
      std::fill_n(reinterpret_cast<uint64_t*>(to), table.block,
                  *static_cast<const uint64_t*>(element));
  }
}

void prepare(const Bound& bound, Thread& thread, char* shared_rows) {
  const Program& program = bound.program;
  char* next = arena.reserve(arena_bytes(bound));
  char*& next_row = shared_rows ? shared_rows : next;
  thread.slots.resize(program.slots.size(), Slot{nullptr, 0});
  thread.tails.resize(program.slots.size(), nullptr);
  thread.context = {thread.slots.data(), 0, 0, bound.nontemporal};
  for (uint16_t s = 0; s < program.slots.size(); ++s) {
    const SlotInfo& info = program.slots[s];
    Slot& slot = thread.slots[s];
    char*& room = info.kind == SlotKind::row_buffer ? next_row : next;
    char* own = room;
    if (info.kind == SlotKind::ahead) {
      slot.step = itemsize(info.dtype);
      continue;
    }
    room += info.kind == SlotKind::row_buffer ? bound.row_buffer_bytes() : scratch_bytes;
    if (info.kind == SlotKind::output) {
      thread.tails[s] = own;
      slot.step = itemsize(info.dtype);
      add_move(bound, thread, Move::Kind::point, s);
      continue;
    }
    if (info.kind == SlotKind::operand) {
      const OperandAccess& access = bound.access_of(s);
      if (access.row == RowAccess::direct) {
        thread.tails[s] = own;
        slot.step = itemsize(info.dtype);
        add_move(bound, thread, Move::Kind::point, s);
      } else {
        slot.base = own;
        bool splat = access.row == RowAccess::splat;
        add_move(bound, thread, splat ? Move::Kind::splat : Move::Kind::gather, s);
      }
      continue;
    }
    slot.base = own;
    if (info.kind == SlotKind::row_buffer) slot.step = itemsize(info.dtype);
    if (info.kind == SlotKind::row_value) {
      add_move(bound, thread, Move::Kind::widen, s);
    }
    if (info.kind == SlotKind::row_output) {
      thread.results.push_back({Move::Kind::point, s, 0, &bound.access_of(s)});
    }
    if (info.kind == SlotKind::constant) {
      const Node* node = bound.node_of(info.value);
      uint64_t bits = params<ConstantParams>(node).bits;
      splat_widened(bound.table, &bits, node->dtype, slot.base);
    }
  }
  thread.rows.resize(thread.gathers.size());
  choose_prefetches(bound, thread);
}

void enter_row(const Bound& bound, Thread& thread, int64_t row) {
  const Walk& walk = bound.walk;
  bool one_dimension = walk.outer.size() <= 1;
  // One of several sweeps over a row asks for the next row, a single one for its own next blocks.
  bool whole_rows = bound.program.phases.size() > 1;
  int64_t next = std::min(row + 1, walk.rows - 1);
  size_t gathers = 0;
  for (const Move& move : thread.moves) {
    const OperandAccess& access = *move.access;
    bool ahead = move.kind == Move::Kind::ahead;
    int64_t r = ahead && whole_rows ? next : row;
    char* at = one_dimension ? access.base + r * move.stride : address(walk, access, r);
    if (ahead && !whole_rows) at += prefetch_elements * access.itemsize;
    apply(bound, thread, move, at, gathers);
  }
}

void leave_row(const Bound& bound, const Thread& thread, int64_t row) {
  for (const Move& move : thread.results) {
    std::memcpy(address(bound.walk, *move.access, row), thread.slots[move.slot].base,
                static_cast<size_t>(move.access->itemsize));
  }
}

}  // namespace lazuli::cpu
