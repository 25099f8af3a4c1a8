#include "common/unicode/categories.h"

#include <algorithm>
#include <span>

#include "common/unicode/ranges.h"

namespace lazuli::models {
namespace {

// The property White_Space, beyond ASCII.
constexpr CharacterRange white_space[] = {
    {0x85, 0x85},     {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
    {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
};

bool holds(std::span<const CharacterRange> ranges, char32_t code) {
  auto after =
      std::upper_bound(ranges.begin(), ranges.end(), code,
                       [](char32_t c, const CharacterRange& range) { return c < range.first; });
  return after != ranges.begin() && code <= (after - 1)->last;
}

}  // namespace

// Most text is ASCII, which needs no search.
bool is_letter(char32_t code) {
  if (code < 0x80) return (code | 0x20) >= 'a' && (code | 0x20) <= 'z';
  return holds(letter_ranges, code);
}

bool is_number(char32_t code) {
  if (code < 0x80) return code >= '0' && code <= '9';
  return holds(number_ranges, code);
}

bool is_space(char32_t code) {
  if (code < 0x80) return code == ' ' || (code >= '\t' && code <= '\r');
  return holds(white_space, code);
}

}  // namespace lazuli::models
