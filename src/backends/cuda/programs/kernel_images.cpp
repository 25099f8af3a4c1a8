#include "backends/cuda/programs/kernel_images.h"

#include "backends/cuda/programs/device_sources.h"
#include "backends/cuda/programs/fields.h"

namespace lazuli::cuda {
namespace {

constexpr std::string_view magic = "lazuli kernels 1\n";

struct View {
  std::string_view key, function, image;
};

bool take_view(std::string_view& from, View& view) {
  return take_field(from, view.key) && take_field(from, view.function) &&
         take_field(from, view.image);
}

// Without `magic`; the version goes to `version`.
bool take_head(std::string_view& packed, std::string_view& version) {
  if (!packed.starts_with(magic)) return false;
  packed.remove_prefix(magic.size());
  return take_field(packed, version);
}

// What the program holds, by key.
const std::map<std::string_view, View>& own_images() {
  static const auto* all = [] {
    auto* found = new std::map<std::string_view, View>;
    const KernelImages* part = lazuli_kernels;
    for (; part && part->begin; ++part) {
      std::string_view packed(part->begin, static_cast<size_t>(part->end - part->begin)), version;
      View view;
      if (!take_head(packed, version)) continue;
      while (take_view(packed, view)) (*found)[view.key] = view;
    }
    return found;
  }();
  return *all;
}

}  // namespace

std::string image_key(const std::string& file, const std::string& instance,
                      const std::string& architecture) {
  std::string_view source = device_source(file);
  return architecture + "\n" + file + "\n" + instance + "\n" + digest(source) +
         digest_of_includes(source);
}

std::string pack_images(const std::string& version,
                        const std::map<std::string, CompiledProgram>& images) {
  std::string packed(magic);
  append_field(packed, version);
  for (const auto& [key, program] : images) {
    append_field(packed, key);
    append_field(packed, program.function);
    append_field(packed, program.image);
  }
  return packed;
}

std::map<std::string, CompiledProgram> unpack_images(std::string_view packed,
                                                     const std::string& version) {
  std::map<std::string, CompiledProgram> images;
  std::string_view found;
  if (!take_head(packed, found) || found != version) return images;
  View view;
  while (take_view(packed, view)) {
    images[std::string(view.key)] = {std::string(view.image), std::string(view.function)};
  }
  return images;
}

std::optional<CompiledProgram> compiled_ahead(const std::string& file, const std::string& instance,
                                              const std::string& architecture) {
  if (own_images().empty()) return std::nullopt;
  auto found = own_images().find(image_key(file, instance, architecture));
  if (found == own_images().end()) return std::nullopt;
  return CompiledProgram{std::string(found->second.image), std::string(found->second.function)};
}

}  // namespace lazuli::cuda
