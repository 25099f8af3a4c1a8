// Layouts (little endian, one block after the other; f16 = IEEE binary16; nibble j = low four bits
// of byte j, nibble j + 16 = high four bits of byte j):
//
//   Q4_0  f16 d, 16 bytes of nibbles                  w = d (q - 8)
//   Q4_1  f16 d, f16 m, 16 bytes of nibbles           w = d q + m
//   Q5_0  f16 d, u32 fifth bits, 16 bytes of nibbles  w = d (q - 16)
//   Q5_1  f16 d, f16 m, u32 fifth bits, 16 bytes      w = d q + m
//   Q8_0  f16 d, 32 signed bytes                      w = d q
//
// The K formats hold 256 elements in sub-blocks of 16 or 32, each with a small integer scale s (and
// minimum m) under the block's f16 scales d and e:
//
//   Q2_K  16 bytes (s low, m high nibble), 64 bytes of 2-bit q, d, e      w = d s q - e m
//   Q3_K  32 bytes of third bits, 64 bytes of 2-bit q, 12 bytes of s, d   w = d (s - 32) (q - 4)
//   Q4_K  d, e, 12 bytes of s and m, 128 bytes of nibbles                 w = d s q - e m
//   Q5_K  d, e, 12 bytes of s and m, 32 bytes of fifth bits, 128 bytes    w = d s q - e m
//   Q6_K  128 bytes of nibbles, 64 bytes of 2-bit tops, 16 bytes of s, d  w = d s (q - 32)
//
// Every product here is exact in float, so only the last addition of each element rounds.
#include "backends/reference/packed.h"

#include <string>
#include <vector>

#include "lazuli/error.h"
#include "lazuli/half.h"

namespace lazuli::reference {

namespace {

using Bytes = const uint8_t*;

float half_at(Bytes p) {
  float16_t half;
  half.bits = static_cast<uint16_t>(p[0] | (p[1] << 8));
  return half;
}

uint32_t word_at(Bytes p) {
  return p[0] | (p[1] << 8) | (p[2] << 16) | (static_cast<uint32_t>(p[3]) << 24);
}

int nibble(Bytes p, int j) { return j < 16 ? p[j] & 15 : p[j - 16] >> 4; }

void q4_0(Bytes p, float* out) {
  for (int j = 0; j < 32; ++j) out[j] = half_at(p) * static_cast<float>(nibble(p + 2, j) - 8);
}

void q4_1(Bytes p, float* out) {
  for (int j = 0; j < 32; ++j) {
    out[j] = half_at(p) * static_cast<float>(nibble(p + 4, j)) + half_at(p + 2);
  }
}

void q5_0(Bytes p, float* out) {
  uint32_t fifth = word_at(p + 2);
  for (int j = 0; j < 32; ++j) {
    int q = nibble(p + 6, j) | static_cast<int>((fifth >> j) & 1) << 4;
    out[j] = half_at(p) * static_cast<float>(q - 16);
  }
}

void q5_1(Bytes p, float* out) {
  uint32_t fifth = word_at(p + 4);
  for (int j = 0; j < 32; ++j) {
    int q = nibble(p + 8, j) | static_cast<int>((fifth >> j) & 1) << 4;
    out[j] = half_at(p) * static_cast<float>(q) + half_at(p + 2);
  }
}

void q8_0(Bytes p, float* out) {
  for (int j = 0; j < 32; ++j) {
    out[j] = half_at(p) * static_cast<float>(static_cast<int8_t>(p[2 + j]));
  }
}

// Bits 2 * plane and up of byte l of a half hold element 32 * plane + l of that half.
int two_bits(Bytes quants, int element) {
  int half = element / 128, plane = element % 128 / 32, l = element % 32;
  return (quants[32 * half + l] >> (2 * plane)) & 3;
}

void q2_k(Bytes p, float* out) {
  float d = half_at(p + 80), e = half_at(p + 82);
  for (int i = 0; i < 256; ++i) {
    int packed = p[i / 16];
    float scale = d * static_cast<float>(packed & 15);
    float minimum = e * static_cast<float>(packed >> 4);
    out[i] = scale * static_cast<float>(two_bits(p + 16, i)) - minimum;
  }
}

// Scale i: four bits in a nibble of bytes 0..7, two in byte 8 + i % 4.
int q3_k_scale(Bytes p, int i) {
  int low = i < 8 ? p[i] & 15 : p[i - 8] >> 4;
  int high = (p[8 + i % 4] >> (2 * (i / 4))) & 3;
  return (low | (high << 4)) - 32;
}

void q3_k(Bytes p, float* out) {
  float d = half_at(p + 108);
  for (int i = 0; i < 256; ++i) {
    int third = (p[i % 32] >> (i / 32)) & 1;
    int q = two_bits(p + 32, i) + 4 * third - 4;
    out[i] = d * static_cast<float>(q3_k_scale(p + 96, i / 16)) * static_cast<float>(q);
  }
}

struct SixBits {
  int scale;
  int minimum;
};

// Pairs 0..3 take the low six bits of bytes i and i + 4; pairs 4..7 take the nibbles of byte i + 4
// and the top two bits of bytes i - 4 and i.
SixBits six_bits(Bytes p, int i) {
  if (i < 4) return {p[i] & 63, p[i + 4] & 63};
  return {(p[i + 4] & 15) | (p[i - 4] >> 6 << 4), (p[i + 4] >> 4) | (p[i] >> 6 << 4)};
}

// Nibbles of a 64-element run: its first 32 elements low, its last 32 high.
int run_nibble(Bytes quants, int i) {
  int byte = quants[i / 64 * 32 + i % 32];
  return i % 64 < 32 ? byte & 15 : byte >> 4;
}

void q4_k(Bytes p, float* out) {
  float d = half_at(p), e = half_at(p + 2);
  for (int i = 0; i < 256; ++i) {
    SixBits s = six_bits(p + 4, i / 32);
    float scale = d * static_cast<float>(s.scale), minimum = e * static_cast<float>(s.minimum);
    out[i] = scale * static_cast<float>(run_nibble(p + 16, i)) - minimum;
  }
}

void q5_k(Bytes p, float* out) {
  float d = half_at(p), e = half_at(p + 2);
  for (int i = 0; i < 256; ++i) {
    SixBits s = six_bits(p + 4, i / 32);
    float scale = d * static_cast<float>(s.scale), minimum = e * static_cast<float>(s.minimum);
    int q = run_nibble(p + 48, i) | ((p[16 + i % 32] >> (i / 32)) & 1) << 4;
    out[i] = scale * static_cast<float>(q) - minimum;
  }
}

void q6_k(Bytes p, float* out) {
  float d = half_at(p + 208);
  for (int i = 0; i < 256; ++i) {
    int half = i / 128, l = i % 128;
    int low = l < 64 ? p[64 * half + l] & 15 : p[64 * half + l - 64] >> 4;
    int q = low | two_bits(p + 128, i) << 4;
    auto scale = static_cast<float>(static_cast<int8_t>(p[192 + i / 16]));
    out[i] = d * scale * static_cast<float>(q - 32);
  }
}

using BlockFunction = void (*)(Bytes, float*);

BlockFunction block_function(PackedFormat format) {
  switch (format) {
    case PackedFormat::q4_0: return q4_0;
    case PackedFormat::q4_1: return q4_1;
    case PackedFormat::q5_0: return q5_0;
    case PackedFormat::q5_1: return q5_1;
    case PackedFormat::q8_0: return q8_0;
    case PackedFormat::q2_k: return q2_k;
    case PackedFormat::q3_k: return q3_k;
    case PackedFormat::q4_k: return q4_k;
    case PackedFormat::q5_k: return q5_k;
    case PackedFormat::q6_k: return q6_k;
  }
  throw ArgumentError("dequantize: unknown packed format " +
                      std::to_string(static_cast<int>(format)) +
                      "; use one of the PackedFormat enumerators");
}

}  // namespace

void dequantize(PackedFormat format, const std::byte* blocks, int64_t elements, float* out) {
  BlockFunction block = block_function(format);
  const PackedFormatInfo& info = packed_format_info(format);
  int64_t count = packed_row_bytes(format, elements) / info.block_bytes;
  Bytes bytes = reinterpret_cast<Bytes>(blocks);
  for (int64_t i = 0; i < count; ++i) {
    block(bytes + i * info.block_bytes, out + i * info.block_elements);
  }
}

void packed_matmul(PackedFormat format, const float* x, const std::byte* w, int64_t m, int64_t n,
                   int64_t k, double* out) {
  int64_t row_bytes = packed_row_bytes(format, k);
  std::vector<float> row(static_cast<size_t>(k));
  for (int64_t j = 0; j < n; ++j) {
    dequantize(format, w + j * row_bytes, k, row.data());
    for (int64_t i = 0; i < m; ++i) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l) sum += static_cast<double>(x[i * k + l]) * row[l];
      out[i * n + j] = sum;
    }
  }
}

}  // namespace lazuli::reference
