// What the program writes to standard output.
#pragma once

#include <string_view>

namespace lazuli::app {

// Standard input, output and error that are closed become ends that give nothing and take nothing,
// so that a file that is opened later does not get one of their numbers.
void hold_standard_descriptors();

// Writes text that came from a file or a model, at once. On a terminal control characters are
// replaced. IoError if it cannot be written.
void show(std::string_view text);

// IoError if anything that was written to std::cout has been lost.
void check_output();

}  // namespace lazuli::app
