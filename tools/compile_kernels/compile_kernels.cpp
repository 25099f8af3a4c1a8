// Compiles fixed kernels for one architecture while Lazuli is built, with NVIDIA's compiler and
// without a GPU. What the output file of the build before holds is taken from there.
//
// usage: compile_kernels FOLDER ARCHITECTURE PART PARTS OUTPUT
// FOLDER has libnvrtc.so.13; each of PARTS processes compiles its share, by the kernels' names.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <regex>

#include "backends/cuda/kernels/function_table.h"
#include "backends/cuda/programs/device_sources.h"
#include "backends/cuda/programs/kernel_images.h"
#include "base/atomic_file.h"
#include "base/flags.h"

namespace lazuli::cuda {
namespace {

using Images = std::map<std::string, CompiledProgram>;

// Kernels that move bytes, whose types are sizes.
bool moves_bytes(const FixedInstance& fixed) {
  return fixed.file == "gather.cu" || fixed.file == "move.cu" || fixed.file == "dense_copy.cu" ||
         fixed.instance.starts_with("scatter_replace");
}

// Whether a launch on such a chip may ask for the kernel (nibble_tiles.cpp).
bool is_for(const std::string& architecture, const FixedInstance& fixed) {
  static const std::regex other_tiles("nibble_tiles<(.*, 4|KNibbles, .*, 8)>");
  if (architecture == "sm_90a") return !std::regex_match(fixed.instance, other_tiles);
  return !fixed.instance.starts_with("nibble_groups");
}

// Whether the kernel is worth its place in every program: one of the types and formats that
// programs use most. The others are compiled at first use and kept in the disk cache.
bool is_usual(const FixedInstance& fixed) {
  static const std::regex rare_type(R"(\b(double|complex_t|u?int(8|16|64)_t|uint32_t)\b)");
  static const std::regex rare_join(R"(op::Prod|Merge::m|<bool, (Greatest|Least)|ArgExtreme<bool)");
  static const std::regex float_type(R"(\b(float|half_t|bfloat_t)\b)");
  static const std::regex rare_levels(
      R"(\bAffine<(([2356]), \d+|\d+, 32), .*|.*\bAffine<.*false>.*)");
  if (moves_bytes(fixed)) return true;
  std::string types = fixed.file == "arange.cu" ? fixed.instance.substr(0, fixed.instance.find(','))
                                                : fixed.instance;
  if (std::regex_search(types, rare_type) || std::regex_search(types, rare_join)) return false;
  if (fixed.file == "cumulative.cu") return types.find("op::Sum") != types.npos;
  if (fixed.file.starts_with("quantized")) return !std::regex_search(types, rare_levels);
  if (!fixed.file.starts_with("attention")) return true;
  // Queries, keys and values of one type.
  std::sregex_iterator first(types.begin(), types.end(), float_type), none;
  std::string type = first == none ? "" : first->str();
  return std::all_of(first, none, [&](const auto& match) { return match.str() == type; });
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void compile_part(const std::string& architecture, size_t part, size_t parts,
                  const std::string& output) {
  std::string before = content_of(output), version = compiler_version();
  Images known = unpack_images(before, version), images;
  size_t compiled = 0;
  for (const FixedInstance& fixed : fixed_instances()) {
    if (!is_for(architecture, fixed) || !is_usual(fixed)) continue;
    if (hash_text(fixed.file + fixed.instance, 3) % parts != part) continue;
    std::string key = image_key(fixed.file, fixed.instance, architecture);
    if (auto found = known.find(key); found != known.end()) {
      images.insert(*found);
      continue;
    }
    images[key] =
        compile_program(std::string(device_source(fixed.file)), fixed.instance, architecture);
    ++compiled;
  }
  std::string packed = pack_images(version, images);
  if (packed != before) {
    AtomicFile file(output);
    file.write(packed);
    file.commit();
  }
  if (compiled == 0) return;
  std::printf("%s, part %zu of %zu: %zu kernels compiled, %zu kept, %zu KiB\n",
              architecture.c_str(), part + 1, parts, compiled, images.size() - compiled,
              packed.size() >> 10);
}

}  // namespace
}  // namespace lazuli::cuda

int main(int count, char** arguments) {
  if (count != 6) {
    std::fprintf(stderr, "usage: compile_kernels FOLDER ARCHITECTURE PART PARTS OUTPUT\n");
    return 2;
  }
  try {
    lazuli::flags().cuda_path = arguments[1];
    lazuli::is_available(lazuli::Device::gpu);  // brings the backend with its tables
    lazuli::cuda::compile_part(arguments[2], std::strtoull(arguments[3], nullptr, 10),
                               std::strtoull(arguments[4], nullptr, 10), arguments[5]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "compile_kernels: %s\n", error.what());
    return 1;
  }
  return 0;
}
