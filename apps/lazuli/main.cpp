// lazuli: write text, look into model files, list devices.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>

#include "commands.h"
#include "lazuli/error.h"
#include "lazuli/version.h"

using namespace lazuli;

namespace {

void add_generate(CLI::App& app, app::GenerateCommand& c) {
  CLI::App* g = app.add_subcommand("generate", "Write text that continues a prompt");
  g->add_option("-m,--model", c.model, "GGUF file of a Gemma 3 model");
  g->add_option("--device", c.device, "Where to compute: cpu or gpu; `lazuli devices` lists them")
      ->check(CLI::IsMember({"cpu", "gpu"}));
  g->add_option("prompt", c.prompt, "Text to continue")->required();
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
}

int run(int argc, char** argv) {
  CLI::App app("Lazuli writes text with language models on this machine.");
  app.set_version_flag("--version", std::string("lazuli ") + LAZULI_VERSION_STRING);
  app.require_subcommand(1);
  app::GenerateCommand generate;
  add_generate(app, generate);
  std::string file;
  bool json = false;
  CLI::App* info = app.add_subcommand("info", "Show what a GGUF file holds");
  info->add_option("file", file, "The file")->required();
  info->add_flag("--json", json, "One JSON object");
  CLI::App* devices = app.add_subcommand("devices", "List the devices of this machine");
  devices->add_flag("--json", json, "One JSON object");
  CLI11_PARSE(app, argc, argv);
  if (*info) return app::run_info(file, json);
  if (*devices) return app::run_devices(json);
  return app::run_generate(generate);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "lazuli: " << e.what() << "\n";
    return 1;
  }
}
