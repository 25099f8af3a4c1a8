#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "lazuli/interrupt.h"

namespace lazuli::app {
namespace {

std::atomic<bool> stop{false};

[[noreturn]] void explain_missing_model() {
  throw ArgumentError("no model was named and " + default_model_path() +
                      " does not exist. Name a Gemma 3 GGUF file with -m FILE; in a checkout, "
                      "'./dev demo' fetches one.");
}

nlohmann::json as_json(const models::GenerateResult& r, size_t weight_bytes) {
  return {{"text", r.text},
          {"prompt_tokens", r.prompt_tokens},
          {"new_tokens", r.new_tokens},
          {"time_to_first_token_seconds", r.prompt_seconds},
          {"prompt_tokens_per_second", r.prompt_tokens / r.prompt_seconds},
          {"decode_tokens_per_second",
           r.decode_seconds > 0 ? (r.new_tokens - 1) / r.decode_seconds : 0.0},
          {"peak_memory_bytes", get_peak_memory()},
          {"weight_bytes", weight_bytes},
          {"ended", r.ended}};
}

void print_figures(const models::GenerateResult& r, size_t weight_bytes) {
  char line[200];
  std::snprintf(
      line, sizeof line,
      "first token %.0f ms | prompt %d tokens, %.0f tok/s | decode %d tokens, %.1f tok/s | "
      "memory %.0f MB + weights %.0f MB",
      r.prompt_seconds * 1e3, r.prompt_tokens, r.prompt_tokens / r.prompt_seconds, r.new_tokens,
      r.decode_seconds > 0 ? (r.new_tokens - 1) / r.decode_seconds : 0.0,
      static_cast<double>(get_peak_memory()) / 1e6, static_cast<double>(weight_bytes) / 1e6);
  std::cerr << line << "\n";
}

// On a device with memory of its own weights move there first; `shown`: with progress. False if the
// user has interrupted it.
bool prefetch_weights(const models::Gemma3& model, const std::string& path, bool shown) try {
  prefetch(model.weights(), default_device(), [&](size_t done, size_t all) {
    if (interrupted() && done < all) request_interrupt();
    if (!shown) return;
    std::fprintf(stderr, "Loading %s: %3.0f %% of %.0f MB\r", path.c_str(),
                 100.0 * static_cast<double>(done) / static_cast<double>(all),
                 static_cast<double>(all) / 1e6);
  });
  return true;
} catch (const InterruptedError&) {
  return false;
}

}  // namespace

bool interrupted() { return stop.load(); }
void catch_interrupts() {
  std::signal(SIGINT, [](int) { stop.store(true); });
}

std::string default_model_path() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  std::string base = cache && *cache ? cache : std::string(home ? home : ".") + "/.cache";
  return base + "/lazuli/models/gemma-3-270m-q4_k_m.gguf";
}

int run_generate(const GenerateCommand& command) {
  std::string path = command.model.empty() ? default_model_path() : command.model;
  if (command.model.empty() && !std::filesystem::exists(path)) explain_missing_model();
  if (!command.device.empty()) {
    set_default_device(command.device == "gpu" ? Device::gpu : Device::cpu);
  }
  catch_interrupts();
  bool terminal = isatty(STDERR_FILENO) && !command.json && !command.quiet;
  if (terminal) std::cerr << "Loading " << path << " ...\r" << std::flush;
  gguf::File file = gguf::open(path);
  models::Tokenizer tokenizer = models::Tokenizer::from_gguf(file);
  models::Gemma3 model(file);
  bool on_host = default_device() == Device(Device::cpu);
  if (!on_host && !prefetch_weights(model, path, terminal)) return 130;
  if (terminal) std::cerr << "\033[K" << std::flush;
  if (!command.json) std::cout << command.prompt << std::flush;
  models::GenerateResult result = models::generate(model, tokenizer, command.prompt,
                                                   command.options, [&](const std::string& text) {
                                                     if (!command.json)
                                                       std::cout << text << std::flush;
                                                     return !interrupted();
                                                   });
  if (command.json) {
    std::cout << as_json(result, model.nbytes())
                     .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
              << "\n";
  } else {
    std::cout << "\n";
    if (!command.quiet) print_figures(result, model.nbytes());
  }
  return interrupted() ? 130 : 0;
}

}  // namespace lazuli::app
