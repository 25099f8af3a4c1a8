// Runs a fuzz target without a fuzzer: on each file of the corpus, and on damaged copies of it made
// from a fixed seed. A finding ends the program as it would end the fuzzer's.
//
//     gguf_fuzz FOLDER_OR_FILE... [--mutations=COUNT]
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

Bytes read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// One to four changes: a bit, a byte, a telling 64-bit number, a cut, a repeated stretch.
Bytes damaged(Bytes bytes, std::mt19937_64& random) {
  constexpr uint64_t numbers[] = {0, 1, 0x7f, 0xff, 0x7fffffff, 0xffffffff, ~uint64_t{0} >> 1,
                                  ~uint64_t{0}, uint64_t{1} << 63, 31, 32, 33};
  for (uint64_t changes = 1 + random() % 4; changes > 0 && !bytes.empty(); --changes) {
    size_t at = random() % bytes.size();
    switch (random() % 5) {
      case 0: bytes[at] = static_cast<uint8_t>(bytes[at] ^ (1 << random() % 8)); break;
      case 1: bytes[at] = static_cast<uint8_t>(random()); break;
      case 2: {
        uint64_t number = numbers[random() % std::size(numbers)];
        for (size_t i = 0; i < 8 && at + i < bytes.size(); ++i) {
          bytes[at + i] = static_cast<uint8_t>(number >> (8 * i));
        }
        break;
      }
      case 3: bytes.resize(at); break;
      default: {
        Bytes stretch(bytes.begin() + at, bytes.begin() + std::min(bytes.size(), at + 16));
        bytes.insert(bytes.begin() + at, stretch.begin(), stretch.end());
      }
    }
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t mutations = 200;
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument.starts_with("--mutations=")) {
      mutations = std::stoull(argument.substr(12));
    } else {
      for (const auto& file : files_in(argument)) files.push_back(file);
    }
  }
  if (files.empty()) {
    std::fprintf(stderr, "replay: no corpus; name a folder of inputs\n");
    return 2;
  }
  uint64_t runs = 0;
  std::mt19937_64 random(1);
  for (const std::filesystem::path& file : files) {
    Bytes bytes = read(file);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    for (uint64_t i = 0; i < mutations; ++i) {
      Bytes changed = damaged(bytes, random);
      LLVMFuzzerTestOneInput(changed.data(), changed.size());
    }
    runs += 1 + mutations;
  }
  std::printf("%zu files, %llu runs, no finding\n", files.size(),
              static_cast<unsigned long long>(runs));
  return 0;
}
