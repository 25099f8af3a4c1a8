// The ten packed formats, one struct each: from a block to integers and scales, vectorised.
//
// Included once per SIMD target. Each struct F has
//   elements, bytes   of one block
//   group             elements that share a scale: 32 or 16
//   lowest, highest   level
//   biased            whether w = scale * level + bias (else w = scale * level)
//   scale_at          where the block's f16 scale d lies
//   levels            writes the block's small integers, in element order
// and, where the block has sub-blocks (`nested`), subscales: integers s and m per group, with
// scale = d * s and bias = -e * m (e is the f16 at bias_at); else bias is the f16 at bias_at.
// The layouts are told in backends/reference/packed.cpp.

#if defined(LAZULI_PACKED_FORMATS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LAZULI_PACKED_FORMATS_INL_H_
#undef LAZULI_PACKED_FORMATS_INL_H_
#else
#define LAZULI_PACKED_FORMATS_INL_H_
#endif

#include <string.h>

#include "backends/cpu/half_vectors-inl.h"
#include "hwy/highway.h"
#include "lazuli/packed_format.h"

HWY_BEFORE_NAMESPACE();
namespace lazuli::cpu::packed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Vectors of at most 16 and 32 bytes: the legacy blocks have 16 bytes of nibbles, the K blocks
// runs of 32 bytes. A narrower target takes several steps.
using Bytes16 = hn::CappedTag<uint8_t, 16>;
using Bytes32 = hn::CappedTag<uint8_t, 32>;

HWY_INLINE float half_at(const uint8_t* p) {
  const hn::CappedTag<hwy::float16_t, 1> d16;
  const hn::Rebind<float, decltype(d16)> d32;
  uint16_t bits;
  memcpy(&bits, p, sizeof bits);
  const auto half = hn::BitCast(d16, hn::Set(hn::RebindToUnsigned<decltype(d16)>(), bits));
  return hn::GetLane(cpu::HWY_NAMESPACE::promote(d32, half));
}

template <class D>
HWY_INLINE void store_levels(D d, hn::Vec<D> values, int8_t* out) {
  hn::StoreU(values, d, reinterpret_cast<uint8_t*>(out));
}

// The 16 bytes at p as 32 nibbles, less `offset`.
HWY_INLINE void nibble_levels(const uint8_t* p, int offset, int8_t* out) {
  const Bytes16 d;
  const auto low = hn::Set(d, 15);
  const auto away = hn::Set(d, static_cast<uint8_t>(offset));
  for (size_t i = 0; i < 16; i += hn::Lanes(d)) {
    const auto bytes = hn::LoadU(d, p + i);
    store_levels(d, hn::Sub(hn::And(bytes, low), away), out + i);
    store_levels(d, hn::Sub(hn::ShiftRight<4>(bytes), away), out + 16 + i);
  }
}

// The same with a fifth bit each: bit j of the 32 at `bits` belongs to element j.
HWY_INLINE void five_bit_levels(const uint8_t* p, const uint8_t* bits, int offset, int8_t* out) {
  const Bytes16 d;
  const auto low = hn::Set(d, 15);
  const auto away = hn::Set(d, static_cast<uint8_t>(offset));
  const auto fifth = hn::Set(d, 16);
  // LoadMaskBits may read eight bytes from its pointer: the block has them.
  for (size_t i = 0; i < 16; i += hn::Lanes(d)) {
    const auto bytes = hn::LoadU(d, p + i);
    const auto top0 = hn::IfThenElseZero(hn::LoadMaskBits(d, bits + i / 8), fifth);
    const auto top1 = hn::IfThenElseZero(hn::LoadMaskBits(d, bits + 2 + i / 8), fifth);
    store_levels(d, hn::Sub(hn::Or(hn::And(bytes, low), top0), away), out + i);
    store_levels(d, hn::Sub(hn::Or(hn::ShiftRight<4>(bytes), top1), away), out + 16 + i);
  }
}

struct Q4_0 {
  static constexpr PackedFormat format = PackedFormat::q4_0;
  static constexpr int lowest = -8, highest = 7;
  static constexpr int elements = 32, bytes = 18, group = 32, scale_at = 0, bias_at = 0;
  static constexpr bool biased = false, nested = false;
  static HWY_INLINE void levels(const uint8_t* p, int8_t* out) { nibble_levels(p + 2, 8, out); }
};

struct Q4_1 {
  static constexpr PackedFormat format = PackedFormat::q4_1;
  static constexpr int lowest = 0, highest = 15;
  static constexpr int elements = 32, bytes = 20, group = 32, scale_at = 0, bias_at = 2;
  static constexpr bool biased = true, nested = false;
  static HWY_INLINE void levels(const uint8_t* p, int8_t* out) { nibble_levels(p + 4, 0, out); }
};

struct Q5_0 {
  static constexpr PackedFormat format = PackedFormat::q5_0;
  static constexpr int lowest = -16, highest = 15;
  static constexpr int elements = 32, bytes = 22, group = 32, scale_at = 0, bias_at = 0;
  static constexpr bool biased = false, nested = false;
  static HWY_INLINE void levels(const uint8_t* p, int8_t* out) {
    five_bit_levels(p + 6, p + 2, 16, out);
  }
};

struct Q5_1 {
  static constexpr PackedFormat format = PackedFormat::q5_1;
  static constexpr int lowest = 0, highest = 31;
  static constexpr int elements = 32, bytes = 24, group = 32, scale_at = 0, bias_at = 2;
  static constexpr bool biased = true, nested = false;
  static HWY_INLINE void levels(const uint8_t* p, int8_t* out) {
    five_bit_levels(p + 8, p + 4, 0, out);
  }
};

struct Q8_0 {
  static constexpr PackedFormat format = PackedFormat::q8_0;
  static constexpr int lowest = -128, highest = 127;
  static constexpr int elements = 32, bytes = 34, group = 32, scale_at = 0, bias_at = 0;
  static constexpr bool biased = false, nested = false;
  static HWY_INLINE void levels(const uint8_t* p, int8_t* out) { memcpy(out, p + 2, 32); }
};

struct Q2_K {
  static constexpr PackedFormat format = PackedFormat::q2_k;
  static constexpr int lowest = 0, highest = 3;
  static constexpr int elements = 256, bytes = 84, group = 16, scale_at = 80, bias_at = 82;
  static constexpr bool biased = true, nested = true;

  static HWY_INLINE void levels(const uint8_t* p, int8_t* out) {
    const Bytes32 d;
    const auto low = hn::Set(d, 3);
    for (int half = 0; half < 2; ++half) {
      for (size_t i = 0; i < 32; i += hn::Lanes(d)) {
        const auto quants = hn::LoadU(d, p + 16 + 32 * half + i);
        int8_t* to = out + 128 * half + i;
        store_levels(d, hn::And(quants, low), to);
        store_levels(d, hn::And(hn::ShiftRight<2>(quants), low), to + 32);
        store_levels(d, hn::And(hn::ShiftRight<4>(quants), low), to + 64);
        store_levels(d, hn::ShiftRight<6>(quants), to + 96);
      }
    }
  }
  static HWY_INLINE void subscales(const uint8_t* p, int8_t* scales, int8_t* minima) {
    for (int i = 0; i < 16; ++i) {
      scales[i] = static_cast<int8_t>(p[i] & 15);
      minima[i] = static_cast<int8_t>(p[i] >> 4);
    }
  }
};

struct Q3_K {
  static constexpr PackedFormat format = PackedFormat::q3_k;
  static constexpr int lowest = -4, highest = 3;
  static constexpr int elements = 256, bytes = 110, group = 16, scale_at = 108, bias_at = 108;
  static constexpr bool biased = false, nested = true;

  static HWY_INLINE void levels(const uint8_t* p, int8_t* out) {
    const Bytes32 d;
    const auto low = hn::Set(d, 3);
    const auto four = hn::Set(d, 4);
    for (int plane = 0; plane < 8; ++plane) {
      const auto bit = hn::Set(d, static_cast<uint8_t>(1 << plane));
      for (size_t i = 0; i < 32; i += hn::Lanes(d)) {
        const auto quants = hn::LoadU(d, p + 32 + 32 * (plane / 4) + i);
        const auto two = hn::And(hn::ShiftRightSame(quants, 2 * (plane % 4)), low);
        const auto third = hn::TestBit(hn::LoadU(d, p + i), bit);
        store_levels(d, hn::Sub(two, hn::IfThenZeroElse(third, four)), out + 32 * plane + i);
      }
    }
  }
  static HWY_INLINE void subscales(const uint8_t* p, int8_t* scales, int8_t* /*minima*/) {
    const uint8_t* s = p + 96;
    for (int i = 0; i < 16; ++i) {
      const int low = i < 8 ? s[i] & 15 : s[i - 8] >> 4;
      const int high = (s[8 + i % 4] >> (2 * (i / 4))) & 3;
      scales[i] = static_cast<int8_t>((low | (high << 4)) - 32);
    }
  }
};

// The 12 bytes of 6-bit scales and minima of Q4_K and Q5_K.
HWY_INLINE void six_bit_subscales(const uint8_t* p, int8_t* scales, int8_t* minima) {
  uint32_t a, b, c;
  memcpy(&a, p, 4);
  memcpy(&b, p + 4, 4);
  memcpy(&c, p + 8, 4);
  const uint32_t six = 0x3f3f3f3f, four = 0x0f0f0f0f, top = 0x30303030;
  const uint32_t s[2] = {a & six, (c & four) | ((a >> 2) & top)};
  const uint32_t m[2] = {b & six, ((c >> 4) & four) | ((b >> 2) & top)};
  memcpy(scales, s, 8);
  memcpy(minima, m, 8);
}

struct Q4_K {
  static constexpr PackedFormat format = PackedFormat::q4_k;
  static constexpr int lowest = 0, highest = 15;
  static constexpr int elements = 256, bytes = 144, group = 32, scale_at = 0, bias_at = 2;
  static constexpr bool biased = true, nested = true;

  static HWY_INLINE void levels(const uint8_t* p, int8_t* out) {
    const Bytes32 d;
    const auto low = hn::Set(d, 15);
    for (int run = 0; run < 4; ++run) {
      for (size_t i = 0; i < 32; i += hn::Lanes(d)) {
        const auto quants = hn::LoadU(d, p + 16 + 32 * run + i);
        store_levels(d, hn::And(quants, low), out + 64 * run + i);
        store_levels(d, hn::ShiftRight<4>(quants), out + 64 * run + 32 + i);
      }
    }
  }
  static HWY_INLINE void subscales(const uint8_t* p, int8_t* scales, int8_t* minima) {
    six_bit_subscales(p + 4, scales, minima);
  }
};

struct Q5_K {
  static constexpr PackedFormat format = PackedFormat::q5_k;
  static constexpr int lowest = 0, highest = 31;
  static constexpr int elements = 256, bytes = 176, group = 32, scale_at = 0, bias_at = 2;
  static constexpr bool biased = true, nested = true;

  static HWY_INLINE void levels(const uint8_t* p, int8_t* out) {
    const Bytes32 d;
    const auto low = hn::Set(d, 15);
    const auto fifth = hn::Set(d, 16);
    const auto one = hn::Set(d, 1);
    for (size_t i = 0; i < 32; i += hn::Lanes(d)) {
      auto tops = hn::LoadU(d, p + 16 + i);
      for (int run = 0; run < 4; ++run) {
        const auto quants = hn::LoadU(d, p + 48 + 32 * run + i);
        const auto top0 = hn::IfThenElseZero(hn::TestBit(tops, one), fifth);
        tops = hn::ShiftRight<1>(tops);
        const auto top1 = hn::IfThenElseZero(hn::TestBit(tops, one), fifth);
        tops = hn::ShiftRight<1>(tops);
        store_levels(d, hn::Or(hn::And(quants, low), top0), out + 64 * run + i);
        store_levels(d, hn::Or(hn::ShiftRight<4>(quants), top1), out + 64 * run + 32 + i);
      }
    }
  }
  static HWY_INLINE void subscales(const uint8_t* p, int8_t* scales, int8_t* minima) {
    six_bit_subscales(p + 4, scales, minima);
  }
};

struct Q6_K {
  static constexpr PackedFormat format = PackedFormat::q6_k;
  static constexpr int lowest = -32, highest = 31;
  static constexpr int elements = 256, bytes = 210, group = 16, scale_at = 208, bias_at = 208;
  static constexpr bool biased = false, nested = true;

  static HWY_INLINE void levels(const uint8_t* p, int8_t* out) {
    const Bytes32 d;
    const auto low = hn::Set(d, 15);
    const auto high = hn::Set(d, 0x30);
    const auto away = hn::Set(d, 32);
    for (int half = 0; half < 2; ++half) {
      for (size_t i = 0; i < 32; i += hn::Lanes(d)) {
        const auto quants0 = hn::LoadU(d, p + 64 * half + i);
        const auto quants1 = hn::LoadU(d, p + 64 * half + 32 + i);
        const auto tops = hn::LoadU(d, p + 128 + 32 * half + i);
        const auto top0 = hn::And(hn::ShiftLeft<4>(tops), high);
        const auto top1 = hn::And(hn::ShiftLeft<2>(tops), high);
        const auto top2 = hn::And(tops, high);
        const auto top3 = hn::And(hn::ShiftRight<2>(tops), high);
        int8_t* to = out + 128 * half + i;
        store_levels(d, hn::Sub(hn::Or(hn::And(quants0, low), top0), away), to);
        store_levels(d, hn::Sub(hn::Or(hn::And(quants1, low), top1), away), to + 32);
        store_levels(d, hn::Sub(hn::Or(hn::ShiftRight<4>(quants0), top2), away), to + 64);
        store_levels(d, hn::Sub(hn::Or(hn::ShiftRight<4>(quants1), top3), away), to + 96);
      }
    }
  }
  static HWY_INLINE void subscales(const uint8_t* p, int8_t* scales, int8_t* /*minima*/) {
    memcpy(scales, p + 192, 16);
  }
};

// Scales and biases of one block as floats, elements / group of each; biases only if F::biased.
template <class F>
HWY_INLINE void block_scales(const uint8_t* p, float* scales, float* biases) {
  const float d = half_at(p + F::scale_at);
  if constexpr (F::nested) {
    int8_t multiples[F::elements / F::group], minima[F::elements / F::group];
    F::subscales(p, multiples, minima);
    for (int i = 0; i < F::elements / F::group; ++i) scales[i] = d * multiples[i];
    if constexpr (F::biased) {
      const float e = half_at(p + F::bias_at);
      for (int i = 0; i < F::elements / F::group; ++i) biases[i] = -(e * minima[i]);
    }
  } else {
    scales[0] = d;
    if constexpr (F::biased) biases[0] = half_at(p + F::bias_at);
  }
}

// Calls call(F()) for the struct F of `format`.
template <class Call>
HWY_INLINE void with_format(PackedFormat format, const Call& call) {
  switch (format) {
    case PackedFormat::q4_0: return call(Q4_0());
    case PackedFormat::q4_1: return call(Q4_1());
    case PackedFormat::q5_0: return call(Q5_0());
    case PackedFormat::q5_1: return call(Q5_1());
    case PackedFormat::q8_0: return call(Q8_0());
    case PackedFormat::q2_k: return call(Q2_K());
    case PackedFormat::q3_k: return call(Q3_K());
    case PackedFormat::q4_k: return call(Q4_K());
    case PackedFormat::q5_k: return call(Q5_K());
    case PackedFormat::q6_k: return call(Q6_K());
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lazuli::cpu::packed
HWY_AFTER_NAMESPACE();

#endif  // LAZULI_PACKED_FORMATS_INL_H_
