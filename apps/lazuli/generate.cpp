#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "lazuli/interrupt.h"
#include "lazuli/io/mapped_file.h"
#include "lazuli/printable.h"
#include "output.h"

namespace lazuli::app {
namespace {

constexpr int interrupted_code = 130;
constexpr size_t prompt_bytes_max = size_t{1} << 30;

std::atomic<bool> stop{false};

// Ctrl-C ends what is being computed; a second one ends the program where it is.
void catch_interrupts() {
  std::signal(SIGINT, [](int) {
    stop.store(true);
    request_interrupt();
    std::signal(SIGINT, SIG_DFL);
  });
}

std::string read_input() {
  std::string text;
  char block[1 << 16];
  while (size_t count = std::fread(block, 1, sizeof block, stdin)) {
    text.append(block, count);
    if (text.size() > prompt_bytes_max) throw IoError("standard input is longer than 2^30 bytes");
  }
  if (std::ferror(stdin)) throw IoError("standard input cannot be read");
  return text;
}

// As the command line, a file or standard input gives it; the line feed that ends a text is not
// part of it.
std::string read_prompt(const GenerateCommand& command) {
  if (command.prompt.has_value() != command.prompt_file.empty()) {
    throw UsageError(command.prompt ? "a prompt was given twice, as an argument and with -f"
                                    : "a prompt is missing: an argument, -f FILE, or - for "
                                      "standard input");
  }
  if (command.prompt && *command.prompt != "-") return *command.prompt;
  std::string text;
  if (command.prompt) {
    text = read_input();
  } else {
    auto file = io::MappedFile::read(command.prompt_file, prompt_bytes_max);
    text.assign(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

void check_options(const models::GenerateOptions& options) try {
  models::check(options.sampler);
} catch (const ArgumentError& error) {
  throw UsageError(error.message());
}

[[noreturn]] void explain_missing_model() {
  throw ArgumentError("no model was named and " + default_model_path() +
                      " does not exist. Name a GGUF file with -m FILE; in a checkout, './dev demo' "
                      "fetches one.");
}

nlohmann::json as_json(const models::GenerateResult& r, size_t weight_bytes) {
  return {
      {"text", r.text},
      {"prompt_tokens", r.prompt_tokens},
      {"new_tokens", r.new_tokens},
      {"time_to_first_token_seconds", r.prompt_seconds},
      {"prompt_tokens_per_second", r.prompt_seconds > 0 ? r.prompt_tokens / r.prompt_seconds : 0.0},
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
bool prefetch_weights(const models::LanguageModel& model, const std::string& path, bool shown) try {
  prefetch(model.weights(), default_device(), [&](size_t done, size_t all) {
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

std::string default_model_path() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  std::string base = cache && *cache ? cache : std::string(home ? home : ".") + "/.cache";
  return base + "/lazuli/models/gemma-3-270m-q4_k_m.gguf";
}

int run_generate(const GenerateCommand& command) {
  check_options(command.options);
  std::string prompt = read_prompt(command);
  std::string path = command.model.empty() ? default_model_path() : command.model;
  if (command.model.empty() && !std::filesystem::exists(path)) explain_missing_model();
  if (!command.device.empty()) {
    set_default_device(command.device == "gpu" ? Device::gpu : Device::cpu);
  }
  catch_interrupts();
  bool terminal = isatty(STDERR_FILENO) && !command.json && !command.quiet;
  std::string shown_path = without_controls(path);
  if (terminal) std::cerr << "Loading " << shown_path << " ...\r" << std::flush;
  gguf::File file = command.mapped ? gguf::open(path) : gguf::open(io::MappedFile::read(path));
  const auto opened = models::open_model(file);
  const models::LanguageModel& model = *opened;
  models::Tokenizer tokenizer = models::Tokenizer::from_gguf(file);
  bool on_host = default_device() == Device(Device::cpu);
  if (!on_host && !prefetch_weights(model, shown_path, terminal)) return interrupted_code;
  if (terminal) std::cerr << "\033[K" << std::flush;
  if (!command.json) show(prompt);
  auto on_text = [&](const std::string& text) {
    if (!command.json) show(text);
    return !stop.load();
  };
  models::GenerateResult result =
      models::generate(model, tokenizer, prompt, command.options, on_text);
  if (command.json) {
    show(as_json(result, model.nbytes())
             .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n");
  } else {
    show("\n");
    if (!command.quiet && result.new_tokens > 0) print_figures(result, model.nbytes());
  }
  return stop.load() ? interrupted_code : 0;
}

}  // namespace lazuli::app
