// lazuli: write text, look into model files, list devices.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "commands.h"
#include "lazuli/error.h"
#include "lazuli/printable.h"
#include "lazuli/version.h"
#include "output.h"

using namespace lazuli;

namespace {

constexpr int failure = 1, wrong_usage = 2;

CLI::App* add_generate(CLI::App& app, app::GenerateCommand& c) {
  CLI::App* g = app.add_subcommand("generate", "Write text that continues a prompt");
  g->add_option("-m,--model", c.model, "GGUF file of a language model");
  g->add_flag("!--no-mmap", c.mapped, "Read the model into memory instead of mapping the file");
  g->add_option("--device", c.device, "Where to compute: cpu or gpu; `lazuli devices` lists them")
      ->check(CLI::IsMember({"cpu", "gpu"}));
  g->add_option("prompt", c.prompt, "Text to continue; - reads it from standard input");
  g->add_option("-f,--file", c.prompt_file, "Read the prompt from a file");
  g->add_option("-n,--tokens", c.options.tokens_max, "Most tokens to write")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  g->add_option("-t,--temperature", c.options.sampler.temperature,
                "0 takes the most likely token; higher is more varied")
      ->capture_default_str();
  g->add_option("--top-k", c.options.sampler.top_k, "Keep the k most likely tokens; 0 keeps all");
  g->add_option("--top-p", c.options.sampler.top_p,
                "Keep the likeliest tokens up to this probability");
  g->add_option("--min-p", c.options.sampler.min_p,
                "Drop tokens below this fraction of the likeliest");
  g->add_option("--repetition-penalty", c.options.sampler.repetition_penalty,
                "Divides the logits of recent tokens");
  g->add_option("--seed", c.options.sampler.seed, "Seed of the random choice")
      ->capture_default_str();
  g->add_flag("--json", c.json, "One JSON object instead of text");
  g->add_flag("-q,--quiet", c.quiet, "The text alone, no figures");
  return g;
}

// What is wrong with the words that no option and no command takes; empty if there are none.
std::string unknown_words(const CLI::App& app, const CLI::App& generate) {
  std::vector<std::string> words = app.remaining(true);
  std::erase(words, "--");  // kept there, though it has had its effect
  if (words.empty()) return "";
  if (app.get_subcommands().empty()) {
    return "there is no command " + printable(words[0]) +
           "; the commands are generate, info and "
           "devices";
  }
  std::string text = printable(words[0]) + " is not an option";
  if (generate.parsed()) text += "; write -- before a prompt that begins with a dash";
  return text;
}

int refuse(std::string what) {
  if (what.ends_with('.')) what.pop_back();
  std::cerr << "lazuli: " << what << ". lazuli --help tells what there is.\n";
  return wrong_usage;
}

int run(int argc, char** argv) {
  CLI::App app("Lazuli writes text with language models on this machine.");
  app.set_version_flag("--version", std::string("lazuli ") + LAZULI_VERSION_STRING);
  app.allow_extras();  // to name them
  app::GenerateCommand generate;
  CLI::App* generate_words = add_generate(app, generate);
  std::optional<std::string> file;
  bool json = false;
  CLI::App* info = app.add_subcommand("info", "Show what a GGUF file holds, or this build");
  info->add_option("file", file, "The file; without one: what this build of lazuli has");
  info->add_flag("--json", json, "One JSON object");
  CLI::App* devices = app.add_subcommand("devices", "List the devices of this machine");
  devices->add_flag("--json", json, "One JSON object");
  for (CLI::App* command : {generate_words, info, devices}) command->allow_extras();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return refuse(error.what());
  }
  if (std::string problem = unknown_words(app, *generate_words); !problem.empty()) {
    return refuse(problem);
  }
  if (app.get_subcommands().empty()) return refuse("a command is missing");
  if (*info) return file ? app::run_info(*file, json) : app::run_features(json);
  if (*devices) return app::run_devices(json);
  return app::run_generate(generate);
}

}  // namespace

int main(int argc, char** argv) {
  app::hold_standard_descriptors();
  try {
    int code = run(argc, argv);
    app::check_output();
    return code;
  } catch (const app::UsageError& error) {
    return refuse(error.what());
  } catch (const std::exception& error) {
    std::cerr << "lazuli: " << error.what() << "\n";
    return failure;
  }
}
