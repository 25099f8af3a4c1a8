// A fast hash of 64-bit words. A hash never proves identity: users compare the words as well.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lazuli {

// Multiply-and-fold mixing of two words at a time (the construction of wyhash and mum-hash).
inline uint64_t hash_words(const uint64_t* words, size_t count) {
  auto mix = [](uint64_t a, uint64_t b) {
    unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  uint64_t state = 0x9e3779b97f4a7c15u ^ (count * 0xd6e8feb86659fd93u);
  size_t i = 0;
  for (; i + 1 < count; i += 2) {
    state = mix(words[i] ^ 0xa0761d6478bd642fu, words[i + 1] ^ state);
  }
  if (i < count) state = mix(words[i] ^ 0xe7037ed1a0b428dbu, state ^ 0x8ebc6af09c88c6e3u);
  return mix(state, 0x589965cc75374cc3u);
}

}  // namespace lazuli
