// Text for error messages about files: hostile bytes made printable, the system's reasons.
#pragma once

#include <string>
#include <string_view>

namespace lazuli {

// The text in single quotes, control characters, quotes and bytes above 126 written as \xNN, cut
// after `length_max` bytes: a file must not be able to write on the terminal or fill the log.
std::string printable(std::string_view text, size_t length_max = 80);

// "No such file or directory" for an errno value.
std::string system_reason(int error_number);

}  // namespace lazuli
