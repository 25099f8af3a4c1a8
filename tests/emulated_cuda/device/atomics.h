// Atomics and memory accesses with hints. Blocks of different streams run on different threads, so
// atomics are real ones.
#pragma once

namespace emulated {

template <class T, class Join>
T atomic_update(T* at, Join join) {
  T before, after;
  __atomic_load(at, &before, __ATOMIC_SEQ_CST);
  do {
    after = join(before);
  } while (
      !__atomic_compare_exchange(at, &before, &after, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  return before;
}

}  // namespace emulated

#define EMULATED_ATOMICS(type)                                                                    \
  inline type atomicAdd(type* at, type value) {                                                   \
    return emulated::atomic_update(at, [=](type old) { return static_cast<type>(old + value); }); \
  }                                                                                               \
  inline type atomicExch(type* at, type value) {                                                  \
    return emulated::atomic_update(at, [=](type) { return value; });                              \
  }
#define EMULATED_INTEGER_ATOMICS(type)                                                            \
  EMULATED_ATOMICS(type)                                                                          \
  inline type atomicSub(type* at, type value) {                                                   \
    return emulated::atomic_update(at, [=](type old) { return static_cast<type>(old - value); }); \
  }                                                                                               \
  inline type atomicMax(type* at, type value) {                                                   \
    return emulated::atomic_update(at, [=](type old) { return old < value ? value : old; });      \
  }                                                                                               \
  inline type atomicMin(type* at, type value) {                                                   \
    return emulated::atomic_update(at, [=](type old) { return value < old ? value : old; });      \
  }                                                                                               \
  inline type atomicAnd(type* at, type value) {                                                   \
    return emulated::atomic_update(at, [=](type old) { return old & value; });                    \
  }                                                                                               \
  inline type atomicOr(type* at, type value) {                                                    \
    return emulated::atomic_update(at, [=](type old) { return old | value; });                    \
  }                                                                                               \
  inline type atomicXor(type* at, type value) {                                                   \
    return emulated::atomic_update(at, [=](type old) { return old ^ value; });                    \
  }
#define EMULATED_COMPARE_AND_SWAP(type)                                                           \
  inline type atomicCAS(type* at, type expected, type value) {                                    \
    __atomic_compare_exchange_n(at, &expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
    return expected;                                                                              \
  }

EMULATED_ATOMICS(float)
EMULATED_ATOMICS(double)
EMULATED_INTEGER_ATOMICS(int)
EMULATED_INTEGER_ATOMICS(unsigned)
EMULATED_INTEGER_ATOMICS(long long)
EMULATED_INTEGER_ATOMICS(unsigned long long)
EMULATED_COMPARE_AND_SWAP(unsigned short)
EMULATED_COMPARE_AND_SWAP(int)
EMULATED_COMPARE_AND_SWAP(unsigned)
EMULATED_COMPARE_AND_SWAP(unsigned long long)
#undef EMULATED_ATOMICS
#undef EMULATED_INTEGER_ATOMICS
#undef EMULATED_COMPARE_AND_SWAP

// Counts up to `last` and starts again at 0.
inline unsigned atomicInc(unsigned* at, unsigned last) {
  return emulated::atomic_update(at, [=](unsigned old) { return old >= last ? 0 : old + 1; });
}
inline unsigned atomicDec(unsigned* at, unsigned last) {
  return emulated::atomic_update(
      at, [=](unsigned old) { return old == 0 || old > last ? last : old - 1; });
}

inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_system() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

#define EMULATED_HINTED_LOAD(name) \
  template <class T>               \
  T name(const T* from) {          \
    return *from;                  \
  }
#define EMULATED_HINTED_STORE(name) \
  template <class T>                \
  void name(T* to, T value) {       \
    *to = value;                    \
  }
EMULATED_HINTED_LOAD(__ldg)
EMULATED_HINTED_LOAD(__ldca)
EMULATED_HINTED_LOAD(__ldcg)
EMULATED_HINTED_LOAD(__ldcs)
EMULATED_HINTED_LOAD(__ldcv)
EMULATED_HINTED_LOAD(__ldlu)
EMULATED_HINTED_STORE(__stcg)
EMULATED_HINTED_STORE(__stcs)
EMULATED_HINTED_STORE(__stwb)
EMULATED_HINTED_STORE(__stwt)
#undef EMULATED_HINTED_LOAD
#undef EMULATED_HINTED_STORE
