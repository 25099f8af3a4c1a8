// Unicode's general categories of characters, as far as splitting text needs them.
#pragma once

namespace lazuli::models {

bool is_letter(char32_t code);  // \p{L}
bool is_number(char32_t code);  // \p{N}
bool is_space(char32_t code);   // \s: White_Space

}  // namespace lazuli::models
