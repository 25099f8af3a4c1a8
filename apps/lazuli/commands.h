// The program's commands. Each returns its exit code; errors are thrown.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>

#include "llm/generate.h"

namespace lazuli::app {

// The command line asks for what cannot be: exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct GenerateCommand {
  std::string model;
  std::optional<std::string> prompt;  // "-": from standard input
  std::string prompt_file;
  std::string device;  // cpu or gpu; empty: the default one
  models::GenerateOptions options;
  bool json = false, quiet = false, mapped = true;
};

int run_generate(const GenerateCommand& command);
int run_info(const std::string& path, bool json);
int run_features(bool json);  // of this build
int run_devices(bool json);

// Where `./dev demo` and the help text expect the demonstration model.
std::string default_model_path();

}  // namespace lazuli::app
