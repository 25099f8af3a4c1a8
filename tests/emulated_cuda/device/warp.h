// Barriers, and what the lanes of a warp do together.
#pragma once

namespace emulated {

inline unsigned lane() {
  const ThreadState& state = emulated_thread;
  return (state.thread.x +
          state.block_size.x * (state.thread.y + state.block_size.y * state.thread.z)) &
         31;
}

template <class T>
struct Lanes {
  Exchanged exchanged;
  bool has(unsigned lane) const { return exchanged.lanes >> lane & 1; }
  T operator[](unsigned lane) const {
    T value;
    __builtin_memcpy(&value, exchanged.slots[lane].bytes, sizeof value);
    return value;
  }
};
template <class T>
Lanes<T> collect(unsigned mask, Collective kind, T value) {
  static_assert(sizeof(T) <= slot_bytes, "too large to be exchanged between lanes");
  return {emulated_exchange(mask, kind, &value, sizeof value)};
}

// For kernels: the values that all lanes of the mask give; valid up to this lane's next exchange.
template <class T>
Lanes<T> exchange(unsigned mask, T value) {
  return collect(mask, Collective::exchange, value);
}
// PTX's barrier.sync and barrier.arrive.
inline void named_barrier(unsigned id, unsigned threads) { emulated_barrier(id, threads, false); }
inline void named_arrive(unsigned id, unsigned threads) { emulated_arrive(id, threads); }
inline void yield() { emulated_yield(); }

template <class T>
T shuffle(unsigned mask, T value, int source, bool inside) {
  T own = value;
  Lanes<T> lanes = collect(mask, Collective::shuffle, value);
  return inside ? lanes[source & 31] : own;
}

template <class T, class Join>
T reduce(unsigned mask, T value, Join join) {
  Lanes<T> lanes = collect(mask, Collective::reduce, value);
  T result = value;
  bool first = true;
  for (unsigned k = 0; k < 32; ++k) {
    if (!lanes.has(k)) continue;
    result = first ? lanes[k] : join(result, lanes[k]);
    first = false;
  }
  return result;
}

}  // namespace emulated

inline void __syncthreads() { emulated::emulated_barrier(0, 0, false); }
inline int __syncthreads_count(int predicate) {
  return emulated::emulated_barrier(0, 0, predicate != 0).passed;
}
inline int __syncthreads_or(int predicate) { return __syncthreads_count(predicate) > 0; }
inline int __syncthreads_and(int predicate) {
  emulated::BarrierResult result = emulated::emulated_barrier(0, 0, predicate != 0);
  return result.passed == result.met;
}
inline void __syncwarp(unsigned mask = 0xffffffffu) {
  emulated::collect(mask, emulated::Collective::sync, 0);
}
inline void __nanosleep(unsigned) { emulated::emulated_yield(); }
[[noreturn]] inline void __trap() { emulated::emulated_trap("__trap()"); }

// Values that CUDA's shuffles take; others convert as they do there.
#define EMULATED_SHUFFLES(T)                                                        \
  inline T __shfl_sync(unsigned mask, T value, int source, int width = 32) {        \
    int first = emulated::lane() & ~(width - 1);                                    \
    return emulated::shuffle(mask, value, first + (source & (width - 1)), true);    \
  }                                                                                 \
  inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {    \
    int lane = emulated::lane(), source = lane - static_cast<int>(by);              \
    return emulated::shuffle(mask, value, source, source >= (lane & ~(width - 1))); \
  }                                                                                 \
  inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {  \
    int lane = emulated::lane(), source = lane + static_cast<int>(by);              \
    return emulated::shuffle(mask, value, source, source <= (lane | (width - 1)));  \
  }                                                                                 \
  inline T __shfl_xor_sync(unsigned mask, T value, int with, int width = 32) {      \
    int lane = emulated::lane(), source = lane ^ with;                              \
    return emulated::shuffle(mask, value, source, source <= (lane | (width - 1)));  \
  }
EMULATED_SHUFFLES(int)
EMULATED_SHUFFLES(unsigned)
EMULATED_SHUFFLES(long)
EMULATED_SHUFFLES(unsigned long)
EMULATED_SHUFFLES(long long)
EMULATED_SHUFFLES(unsigned long long)
EMULATED_SHUFFLES(float)
EMULATED_SHUFFLES(double)
#undef EMULATED_SHUFFLES

inline unsigned __ballot_sync(unsigned mask, int predicate) {
  auto lanes = emulated::collect(mask, emulated::Collective::vote, predicate);
  unsigned result = 0;
  for (unsigned k = 0; k < 32; ++k) {
    if (lanes.has(k) && lanes[k] != 0) result |= 1u << k;
  }
  return result;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) {
  return __ballot_sync(mask, predicate == 0) == 0;
}
// Lanes go their own ways here, so that no other is promised to be with this one.
inline unsigned __activemask() { return 1u << emulated::lane(); }

template <class T>
unsigned __match_any_sync(unsigned mask, T value) {
  auto lanes = emulated::collect(mask, emulated::Collective::match, value);
  unsigned result = 0;
  for (unsigned k = 0; k < 32; ++k) {
    if (lanes.has(k) && lanes[k] == value) result |= 1u << k;
  }
  return result;
}
template <class T>
unsigned __match_all_sync(unsigned mask, T value, int* all) {
  unsigned same = __match_any_sync(mask, value);
  *all = same == mask;
  return *all ? mask : 0;
}

#define EMULATED_WARP_REDUCE(name, T, expression)                                   \
  inline T __reduce_##name##_sync(unsigned mask, T value) {                         \
    return emulated::reduce(mask, value, [](T a, T b) -> T { return expression; }); \
  }
EMULATED_WARP_REDUCE(add, unsigned, a + b)
EMULATED_WARP_REDUCE(add, int, a + b)
EMULATED_WARP_REDUCE(min, unsigned, b < a ? b : a)
EMULATED_WARP_REDUCE(min, int, b < a ? b : a)
EMULATED_WARP_REDUCE(max, unsigned, a < b ? b : a)
EMULATED_WARP_REDUCE(max, int, a < b ? b : a)
EMULATED_WARP_REDUCE(and, unsigned, a& b)
EMULATED_WARP_REDUCE(or, unsigned, a | b)
EMULATED_WARP_REDUCE(xor, unsigned, a ^ b)
#undef EMULATED_WARP_REDUCE
