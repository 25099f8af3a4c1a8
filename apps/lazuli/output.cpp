#include "output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iostream>
#include <system_error>

#include "lazuli/error.h"
#include "lazuli/printable.h"

namespace lazuli::app {

void hold_standard_descriptors() {
  for (int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) >= 0) continue;
    // The lowest free number is this one. Output must fail, not vanish.
    int opened = open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY);
    if (opened != descriptor && opened >= 0) close(opened);
  }
}

void show(std::string_view text) {
  static const bool terminal = isatty(STDOUT_FILENO);
  if (terminal) {
    std::cout << without_controls(text);
  } else {
    std::cout << text;
  }
  check_output();
}

// std::cout writes through stdout, which remembers a failure.
void check_output() {
  errno = 0;
  bool lost = std::fflush(stdout) != 0 || std::ferror(stdout) || !std::cout;
  if (!lost) return;
  std::string reason = errno ? ": " + std::generic_category().message(errno) : "";
  throw IoError("standard output cannot be written" + reason);
}

}  // namespace lazuli::app
