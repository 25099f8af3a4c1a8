// Text from files and models made fit for a message or a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lazuli {

// The text in single quotes, control characters, quotes and bytes above 126 written as \xNN, cut
// after `length_max` bytes: a file must not be able to write on the terminal or fill the log.
std::string printable(std::string_view text, size_t length_max = 80);

// The text with each control character (C0 but for tab and line feed, DEL, C1) replaced by U+FFFD:
// whole characters of UTF-8 stay as they are, escape sequences lose their power.
std::string without_controls(std::string_view text);

}  // namespace lazuli
