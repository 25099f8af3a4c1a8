// random_bits: keys [..., 2] of uint32 -> [..., shape] of uint8, uint16 or uint32.
//
// For each key the output is a sequence of n 32-bit words, cut to its bytes. With h = ceil(n / 2),
// the pair of counters (i, i + h) gives words i and i + h; when n is odd, the last pair is
// (h - 1, 0) and gives one word. Threefry-2x32, 20 rounds (Salmon et al., SC 2011).
//
// Floor: about 75 vector instructions for two vectors of words; the stores hide behind them.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/random_bits.cpp"
#include "hwy/foreach_target.h"
// clang-format off: foreach_target.h goes first
#include "hwy/highway.h"
// clang-format on

#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"
#include "compiler/backend.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<uint32_t>;
using V = hn::Vec<D>;

template <int left>
HWY_INLINE void mix(V& a, V& b) {
  a = hn::Add(a, b);
  b = hn::Xor(hn::RotateRight<32 - left>(b), a);
}

HWY_INLINE void threefry(V& a, V& b, const uint32_t* key) {
  D d;
  V words[3] = {hn::Set(d, key[0]), hn::Set(d, key[1]), hn::Set(d, 0x1BD11BDAu ^ key[0] ^ key[1])};
  a = hn::Add(a, words[0]), b = hn::Add(b, words[1]);
  for (uint32_t round = 0; round < 5; ++round) {
    if (round % 2 == 0) {
      mix<13>(a, b), mix<15>(a, b), mix<26>(a, b), mix<6>(a, b);
    } else {
      mix<17>(a, b), mix<29>(a, b), mix<16>(a, b), mix<24>(a, b);
    }
    a = hn::Add(a, words[(round + 1) % 3]);
    b = hn::Add(hn::Add(b, words[(round + 2) % 3]), hn::Set(d, round + 1));
  }
}

// Words of the pairs [first, last): low[i] and high[i] for pair i.
void pairs(const uint32_t* key, uint32_t half, uint32_t first, uint32_t last, uint32_t* low,
           uint32_t* high) {
  D d;
  const uint32_t lanes = static_cast<uint32_t>(hn::Lanes(d));
  for (uint32_t i = first; i < last; i += lanes) {
    V a = hn::Iota(d, i), b = hn::Add(a, hn::Set(d, half));
    threefry(a, b, key);
    if (last - i >= lanes) {
      hn::StoreU(a, d, low + i);
      hn::StoreU(b, d, high + i);
    } else {
      hn::StoreN(a, d, low + i, last - i);
      hn::StoreN(b, d, high + i, last - i);
    }
  }
}

uint32_t single(const uint32_t* key, uint32_t counter) {
  D d;
  V a = hn::Set(d, counter), b = hn::Zero(d);
  threefry(a, b, key);
  return hn::GetLane(a);
}

}  // namespace lazuli::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lazuli {
namespace cpu {
HWY_EXPORT(pairs);
HWY_EXPORT(single);

namespace {

// All words of one key; `words` has room for n of them.
void fill_words(const uint32_t* key, int64_t n, uint32_t* words) {
  int64_t whole = n / 2;  // pairs that give two words
  int64_t half = (n + 1) / 2;
  constexpr int64_t chunk = 8192;
  auto fill = HWY_DYNAMIC_POINTER(pairs);
  ThreadPool::instance().run((whole + chunk - 1) / chunk, [&](int64_t c) {
    int64_t last = std::min(whole, (c + 1) * chunk);
    fill(key, static_cast<uint32_t>(half), static_cast<uint32_t>(c * chunk),
         static_cast<uint32_t>(last), words, words + half);
  });
  if (n % 2) {
    words[half - 1] = HWY_DYNAMIC_DISPATCH(single)(key, static_cast<uint32_t>(half - 1));
  }
}

}  // namespace
}  // namespace cpu

void kernel_random_bits(const KernelCall& call) {
  const Operand& keys = call.inputs[0];
  int64_t key_count = keys.size() / 2;
  int64_t total = call.output.size();
  if (total == 0) return;
  int64_t width = dtype_of(call.output.dtype).size();
  int64_t bytes = total / key_count * width, words = (bytes + 3) / 4;
  if (words > int64_t{1} << 32) {
    throw ArgumentError("[random_bits] One key gives at most 2^32 words, not " +
                        std::to_string(words) + ".");
  }
  char* out = call.output.data();
  const uint32_t* key = keys.as<uint32_t>();
  std::vector<uint32_t> scratch;
  for (int64_t k = 0; k < key_count; ++k, key += 2, out += bytes) {
    bool in_place = bytes % 4 == 0 && reinterpret_cast<uintptr_t>(out) % 4 == 0;
    if (in_place) {
      cpu::fill_words(key, words, reinterpret_cast<uint32_t*>(out));
      continue;
    }
    scratch.resize(static_cast<size_t>(words));
    cpu::fill_words(key, words, scratch.data());
    std::memcpy(out, scratch.data(), static_cast<size_t>(bytes));
  }
}

}  // namespace lazuli
#endif
