#include "emulated_cuda/libnvrtc/compiler.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "emulated_cuda/image.h"
#include "emulated_cuda/libnvrtc/rewrite.h"

extern char** environ;

namespace emulated {
namespace {

namespace fs = std::filesystem;

constexpr const char* compiler_path = LAZULI_EMULATED_COMPILER;
constexpr const char* tests_folder = LAZULI_TESTS_FOLDER;
constexpr const char* library_name = "program.so";
constexpr const char* log_name = "log.txt";
constexpr const char* prologue = R"(
#include "emulated_cuda/device_runtime.h"
#line 1
)";

// Removed at the end, with what the compiler left there.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "lazuli-emulated-XXXXXX").string();
    if (::mkdtemp(name.data())) path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  bool exists() const { return !path_.empty(); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Runs a command in a folder; its messages go to log_name there. Its exit code.
int run(const std::vector<std::string>& command, const fs::path& folder) {
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  ::posix_spawn_file_actions_addopen(&actions, 1, log_name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t child = 0;
  int failed = ::posix_spawn(&child, words[0], &actions, nullptr, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed) return failed;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

// The program is one library in which nothing but the table is seen from outside: kernels of two
// programs may have the same name.
std::vector<std::string> command_of(const std::string& file, const std::string& standard,
                                    const std::vector<std::string>& defines) {
  std::vector<std::string> command{compiler_path,
                                   "-std=" + standard,
                                   "-O1",
                                   "-shared",
                                   "-fPIC",
                                   "-w",
                                   "-pipe",
                                   "-fvisibility=hidden",
                                   "-fno-gnu-unique",
                                   "-fno-exceptions",
                                   "-fno-rtti",
                                   "-fno-strict-aliasing",
                                   "-fno-math-errno",
                                   "-fwrapv",
                                   "-ffp-contract=off",
                                   "-fno-stack-protector",
                                   "-DLAZULI_EMULATED_GPU",
                                   "-I.",
                                   "-I" + std::string(tests_folder)};
  command.insert(command.end(), defines.begin(), defines.end());
  command.insert(command.end(), {"-x", "c++", file, "-o", library_name, "-nostdlib", "-lm", "-lc"});
  return command;
}

std::string image_of(const std::string& library) {
  ImageHead head;
  std::memcpy(head.magic, image_magic, sizeof head.magic);
  head.bytes = library.size();
  return std::string(reinterpret_cast<const char*>(&head), sizeof head) + library;
}

}  // namespace

Compiled compile(const Source& program, const std::vector<Source>& headers,
                 const std::vector<std::string>& expressions, const std::string& standard,
                 const std::vector<std::string>& defines) {
  Compiled compiled;
  Folder folder;
  if (!folder.exists()) {
    compiled.log = "the emulated compiler cannot make a folder for temporary files";
    return compiled;
  }
  for (const Source& header : headers) {
    fs::path path = folder.path() / header.name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << rewritten(header.text);
  }
  std::ofstream(folder.path() / program.name, std::ios::binary)
      << prologue << rewritten(program.text) << entry_table(expressions);
  int result = run(command_of(program.name, standard, defines), folder.path());
  compiled.log = content_of(folder.path() / log_name);
  if (result == 0) compiled.image = image_of(content_of(folder.path() / library_name));
  if (result != 0 && compiled.log.empty()) {
    compiled.log = std::string(compiler_path) + " ended with " + std::to_string(result);
  }
  compiled.done = result == 0;
  return compiled;
}

unsigned emulation_version() {
  static const unsigned version = [] {
    fs::path folder = fs::path(tests_folder) / "emulated_cuda";
    std::vector<fs::path> paths{folder / "device_runtime.h"};
    for (const auto& entry : fs::directory_iterator(folder / "device")) {
      paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    std::string all = compiler_path + std::string(__VERSION__);
    for (const fs::path& path : paths) all += content_of(path);
    unsigned hash = 2166136261u;  // FNV-1a
    for (unsigned char byte : all) hash = (hash ^ byte) * 16777619u;
    return 1000 + hash % 1000000;
  }();
  return version;
}

}  // namespace emulated
