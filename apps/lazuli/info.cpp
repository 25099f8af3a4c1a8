#include <algorithm>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "lazuli/features.h"
#include "lazuli/io/gguf.h"
#include "llm/model.h"
#include "output.h"

namespace lazuli::app {
namespace {

constexpr size_t shown_max = 200;

std::string shortened(std::string_view text) {
  return text.size() > shown_max ? std::string(text.substr(0, shown_max)) + "..."
                                 : std::string(text);
}

std::string dump(const nlohmann::json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

// A key takes one line.
std::string without_line_feeds(std::string key) {
  std::replace(key.begin(), key.end(), '\n', ' ');
  return key;
}

nlohmann::json value_json(const gguf::Value& value) {
  return std::visit(
      [](const auto& v) -> nlohmann::json {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, gguf::Array>) {
          return std::string("[") + std::to_string(v.size()) + " x " +
                 gguf::value_type_name(v.element_type()) + "]";
        } else if constexpr (std::is_same_v<T, std::string_view>) {
          return shortened(v);
        } else {
          return v;
        }
      },
      value);
}

// The language model that the file holds, or why `lazuli generate` cannot run it.
nlohmann::json model_json(const gguf::File& file) try {
  const auto model = models::open_model(file);
  const models::DecoderConfig& config = model->config();
  return {{"family", std::string(models::find_family(file)->name)},
          {"layers", config.layers},
          {"context", config.context},
          {"vocabulary", config.vocabulary},
          {"weight_bytes", model->nbytes()}};
} catch (const Error& error) {
  return {{"problem", error.message()}};
}

std::string model_line(const nlohmann::json& model) {
  if (model.contains("problem")) {
    return "lazuli generate cannot run it: " + model["problem"].get<std::string>() + "\n";
  }
  std::string line = model["family"].get<std::string>() + " that lazuli generate runs";
  for (const char* fact : {"layers", "context", "vocabulary"}) {
    line += std::string(", ") + fact + " " + std::to_string(model[fact].get<int>());
  }
  return line + "\n";
}

}  // namespace

int run_features(bool json) {
  const Features& f = features();
  if (json) {
    show(dump({{"version", f.version},
               {"simd_targets", f.simd_targets},
               {"onednn", f.onednn},
               {"openblas", f.openblas},
               {"cuda_architectures", f.cuda_architectures},
               {"python", f.python},
               {"sanitizers", f.sanitizers}},
              2) +
         "\n");
    return 0;
  }
  auto yes = [](bool has) { return std::string(has ? "yes" : "no"); };
  auto listed = [](const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
    return names.empty() ? "none" : text;
  };
  show("lazuli " + f.version + "\nSIMD targets        " + listed(f.simd_targets) +
       "\noneDNN              " + yes(f.onednn) + "\nOpenBLAS            " + yes(f.openblas) +
       "\nGPU kernels ahead   " + listed(f.cuda_architectures) + "\nPython              " +
       yes(f.python) + "\nsanitizers          " + listed(f.sanitizers) + "\n");
  return 0;
}

int run_info(const std::string& path, bool json) {
  gguf::File file = gguf::open(path);
  nlohmann::json metadata, types;
  std::map<std::string, std::pair<int, uint64_t>> by_type;
  int64_t parameters = 0;
  for (const gguf::Entry& e : file.metadata()) metadata[shortened(e.key)] = value_json(e.value);
  for (const gguf::Tensor& t : file.tensors()) {
    auto& [count, bytes] = by_type[t.type.name];
    ++count;
    bytes += t.bytes.size();
    parameters += t.elements;
  }
  if (json) {
    for (auto& [name, row] : by_type) types[name] = {{"tensors", row.first}, {"bytes", row.second}};
    nlohmann::json all = {{"path", path},
                          {"version", file.version()},
                          {"parameters", parameters},
                          {"tensors", file.tensors().size()},
                          {"types", types},
                          {"model", model_json(file)},
                          {"metadata", metadata}};
    show(dump(all, 2) + "\n");
    return 0;
  }
  std::string text = path + ": GGUF version " + std::to_string(file.version()) + ", " +
                     std::to_string(file.tensors().size()) + " tensors, " +
                     std::to_string(parameters) + " parameters\n";
  for (auto& [name, row] : by_type) {
    text += "  " + name + ": " + std::to_string(row.first) + " tensors, " +
            std::to_string(row.second) + " bytes\n";
  }
  text += model_line(model_json(file));
  for (auto& [key, value] : metadata.items()) {
    text += without_line_feeds(key) + " = " + dump(value, -1) + "\n";
  }
  show(text);
  return 0;
}

int run_devices(bool json) {
  std::string missing = why_unavailable(Device::gpu);
  nlohmann::json all = nlohmann::json::array();
  for (auto type : {Device::cpu, Device::gpu}) {
    for (int index = 0; index < device_count(type); ++index) {
      Device device(type, index);
      DeviceInfo info = device_info(device);
      std::string name = std::get<std::string>(info["device_name"]);
      std::string architecture = std::get<std::string>(info["architecture"]);
      size_t bytes = std::get<size_t>(info["memory_size"]);
      nlohmann::json row = {{"device", to_string(device)},
                            {"name", name},
                            {"architecture", architecture},
                            {"memory_bytes", bytes}};
      if (type == Device::cpu) row["threads"] = std::get<size_t>(info["threads"]);
      all.push_back(row);
      if (json) continue;
      std::cout << to_string(device) << "  " << name << ", " << bytes / 1000000 << " MB, ";
      if (type == Device::cpu) std::cout << row["threads"] << " threads\n";
      else std::cout << architecture << "\n";
    }
  }
  if (json) {
    std::cout << nlohmann::json({{"devices", all}, {"missing", missing}}).dump(2) << "\n";
  } else if (!missing.empty()) {
    std::cout << "gpu    none: " << missing << "\n";
  }
  return 0;
}

}  // namespace lazuli::app
