// The program's commands. Each returns its exit code; errors are thrown.
#pragma once

#include <string>

#include "llm/generate.h"

namespace lazuli::app {

struct GenerateCommand {
  std::string model, prompt;
  std::string device;  // cpu or gpu; empty: the default one
  models::GenerateOptions options;
  bool json = false, quiet = false;
};

int run_generate(const GenerateCommand& command);
int run_info(const std::string& path, bool json);
int run_devices(bool json);

// Where `./dev demo` and the help text expect the demonstration model.
std::string default_model_path();

// Set by Ctrl-C: generation ends after the current token.
bool interrupted();
void catch_interrupts();

}  // namespace lazuli::app
