// Writing a whole file so that nobody sees half of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lazuli {

// Writes under a temporary name in the target's folder; `commit` renames it to the target. Without
// commit the temporary file goes away and the target is untouched. So an array that still reads
// from a mapping of the old file stays good while the new one is written over it.
//
// A target that exists and is no regular file (a pipe, /dev/null) is written directly. A symbolic
// link is followed. An existing file keeps its permissions.
//
// All functions: IoError, naming the file and the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  void write_zeros(uint64_t count);
  void commit();

 private:
  [[noreturn]] void fail(const char* what, int error_number) const;

  std::string path_;
  std::string target_;
  std::string temporary_;  // empty when the target is written directly
  int descriptor_ = -1;
};

}  // namespace lazuli
