// random_bits: keys [..., 2] of uint32 -> [..., shape] of uint8, uint16 or uint32.
//
// For each key the output is a sequence of `words` 32-bit words, cut to its bytes. With
// h = ceil(words / 2), the pair of counters (i, i + h) gives words i and i + h; when `words` is
// odd, the last pair is (h - 1, 0) and gives one word. Threefry-2x32, 20 rounds (Salmon et al.,
// SC 2011).
//
// Floor: one write of the output; about 75 instructions for two words.
#include "types.cuh"

template <int left>
__device__ __forceinline__ void mix(uint32_t& a, uint32_t& b) {
  a += b;
  b = (b << left | b >> (32 - left)) ^ a;
}

__device__ __forceinline__ void threefry(uint32_t& a, uint32_t& b, uint32_t key0, uint32_t key1) {
  const uint32_t words[3] = {key0, key1, 0x1BD11BDAu ^ key0 ^ key1};
  a += words[0], b += words[1];
#pragma unroll
  for (int round = 0; round < 5; ++round) {
    if (round % 2 == 0) {
      mix<13>(a, b), mix<15>(a, b), mix<26>(a, b), mix<6>(a, b);
    } else {
      mix<17>(a, b), mix<29>(a, b), mix<16>(a, b), mix<24>(a, b);
    }
    a += words[(round + 1) % 3];
    b += words[(round + 2) % 3] + round + 1;
  }
}

// Word `index` of a key's `bytes` bytes, which need not be whole words or lie on them.
template <bool Aligned>
__device__ __forceinline__ void store_word(unsigned char* out, int64_t index, uint32_t word,
                                           int64_t bytes) {
  if constexpr (Aligned) {
    reinterpret_cast<uint32_t*>(out)[index] = word;
  } else {
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      if (index * 4 + k < bytes) out[index * 4 + k] = static_cast<unsigned char>(word >> 8 * k);
    }
  }
}

// One thread for each pair of each key.
template <bool Aligned>
__global__ void __launch_bounds__(256)
    random_bits(const uint32_t* keys, unsigned char* out, int64_t key_count, int64_t bytes) {
  start_after_earlier();
  const int64_t words = (bytes + 3) / 4, pairs = (words + 1) / 2;
  int64_t pair = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x, key = 0;
  if (key_count > 1) {
    key = pair / pairs;
    pair -= key * pairs;
  }
  if (key >= key_count || pair >= pairs) return;
  const bool alone = words % 2 == 1 && pair == pairs - 1;
  uint32_t low = static_cast<uint32_t>(pair);
  uint32_t high = alone ? 0u : static_cast<uint32_t>(pair + pairs);
  threefry(low, high, keys[2 * key], keys[2 * key + 1]);
  out += key * bytes;
  store_word<Aligned>(out, pair, low, bytes);
  if (!alone) store_word<Aligned>(out, pair + pairs, high, bytes);
}
