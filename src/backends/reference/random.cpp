#include "backends/reference/random.h"

#include <array>
#include <bit>

namespace lazuli::reference {
namespace {

using Pair = std::array<uint32_t, 2>;

// Threefry-2x32-20 as the paper writes it: a key injection after every four rounds.
Pair threefry(Pair key, Pair counter) {
  constexpr int rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  const uint32_t schedule[3] = {key[0], key[1], 0x1BD11BDAu ^ key[0] ^ key[1]};
  Pair x = {counter[0] + key[0], counter[1] + key[1]};
  for (uint32_t round = 0; round < 20; ++round) {
    x[0] += x[1];
    x[1] = std::rotl(x[1], rotations[round % 8]) ^ x[0];
    if (round % 4 != 3) continue;
    uint32_t injection = round / 4 + 1;
    x[0] += schedule[injection % 3];
    x[1] += schedule[(injection + 1) % 3] + injection;
  }
  return x;
}

// Word w of the n that a key gives.
uint32_t word(Pair key, uint64_t w, uint64_t n) {
  uint64_t half = (n + 1) / 2, pair = w < half ? w : w - half;
  bool alone = n % 2 == 1 && pair == half - 1;
  uint64_t partner = alone ? 0 : pair + half;
  Pair both = threefry(key, {static_cast<uint32_t>(pair), static_cast<uint32_t>(partner)});
  return both[w < half ? 0 : 1];
}

}  // namespace

Tensor random_bits(const Node* node, const Tensor& keys) {
  Tensor out(node->shape, node->type());
  uint64_t key_count = static_cast<uint64_t>(keys.size()) / 2, width = node->type().size();
  if (key_count == 0) return out;
  uint64_t each = static_cast<uint64_t>(out.size()) / key_count, words = (each * width + 3) / 4;
  for (uint64_t i = 0; i < each * key_count; ++i) {
    size_t k = static_cast<size_t>(i / each);
    Pair key = {static_cast<uint32_t>(keys.whole[2 * k]),
                static_cast<uint32_t>(keys.whole[2 * k + 1])};
    uint64_t byte = i % each * width;
    uint64_t shifted = word(key, byte / 4, words) >> (byte % 4 * 8);
    out.whole[i] = static_cast<int64_t>(shifted & ((uint64_t{1} << (8 * width)) - 1));
  }
  return out;
}

}  // namespace lazuli::reference
