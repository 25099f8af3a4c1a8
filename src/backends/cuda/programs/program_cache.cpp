// The disk cache of compiled device code. One file a program, named by a hash of its key; it holds
// the key, so that a hash never stands for identity, and a checksum of what follows. Files are
// written beside and renamed, so that other processes see all of a file or none. The folder is the
// user's own: one that others may write to is not used.
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>

#include "backends/cuda/programs/device_sources.h"
#include "backends/cuda/programs/disk_cache.h"
#include "backends/cuda/programs/fields.h"
#include "backends/cuda/programs/nvrtc.h"
#include "base/atomic_file.h"
#include "base/flags.h"
#include "base/log.h"
#include "base/user_folders.h"
#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

namespace fs = std::filesystem;

constexpr char magic[] = "lazuli cuda program 1\n";

// Empty if there is no folder to be trusted.
std::string cache_folder() {
  fs::path folder = flags().cuda_cache;
  if (folder.empty()) {
    folder = user_cache_folder();
    if (folder.empty()) return "";
    folder = folder / "lazuli" / "cuda";
  }
  std::error_code error;
  // Whatever the user's mask lets others do elsewhere.
  if (fs::create_directories(folder, error)) fs::permissions(folder, fs::perms::owner_all, error);
  struct stat facts;
  if (::stat(folder.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode)) return "";
  bool own = facts.st_uid == ::geteuid() && !(facts.st_mode & (S_IWGRP | S_IWOTH));
  if (!own) {
    debug_line("the folder " + folder.string() +
               " may be written by others; compiled GPU code is not kept there");
    return "";
  }
  return folder.string();
}

// All that makes the program what it is.
std::string key_of(const std::string& source, const std::string& instance,
                   const std::string& architecture) {
  return compiler_version() + "\n" + digest_of_includes(source) + "\n" + architecture + "\n" +
         instance + "\n" + source;
}

// Whether `path` holds the program of this key.
bool read_program(const std::string& path, const std::string& key, CompiledProgram& program) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return false;
  std::string all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::string_view rest = all;
  if (!rest.starts_with(magic)) return false;
  rest.remove_prefix(sizeof magic - 1);
  uint64_t checksum = 0;
  if (rest.size() < sizeof checksum) return false;
  std::memcpy(&checksum, rest.data(), sizeof checksum);
  rest.remove_prefix(sizeof checksum);
  if (checksum != hash_text(rest, 5)) return false;
  std::string_view kept_key, function, image;
  if (!take_field(rest, kept_key) || kept_key != key || !take_field(rest, function) ||
      !take_field(rest, image) || !rest.empty()) {
    return false;
  }
  program = {std::string(image), std::string(function)};
  return true;
}

void write_program(const std::string& path, const std::string& key,
                   const CompiledProgram& program) {
  std::string body;
  append_field(body, key);
  append_field(body, program.function);
  append_field(body, program.image);
  uint64_t checksum = hash_text(body, 5);
  try {
    AtomicFile file(path);
    file.write(std::string_view(magic));
    file.write(std::string_view(reinterpret_cast<const char*>(&checksum), sizeof checksum));
    file.write(body);
    file.commit();
  } catch (const std::exception& error) {
    debug_line(std::string("compiled GPU code is not kept: ") + error.what());
  }
}

// Where what belongs to the key is or will be; empty where nothing is kept.
std::string path_of(const std::string& key) {
  static const std::string folder = cache_folder();
  return folder.empty() ? "" : folder + "/" + digest(key);
}

}  // namespace

bool read_kept(const std::string& key, std::string& value) {
  CompiledProgram kept;
  std::string path = path_of(key);
  if (path.empty() || !read_program(path, key, kept)) return false;
  value = std::move(kept.image);
  return true;
}

void keep(const std::string& key, const std::string& value) {
  std::string path = path_of(key);
  if (!path.empty()) write_program(path, key, {value, ""});
}

CompiledProgram cached_program(const std::string& source, const std::string& instance,
                               const std::string& architecture) {
  if (!missing_compiler().empty()) throw DeviceError("[cuda] " + missing_compiler());
  std::string key = key_of(source, instance, architecture), path = path_of(key);
  if (path.empty()) return compile_program(source, instance, architecture);
  CompiledProgram program;
  if (read_program(path, key, program)) return program;
  program = compile_program(source, instance, architecture);
  write_program(path, key, program);
  return program;
}

}  // namespace lazuli::cuda
