// The bytes of a whole file, read-only, alive as long as someone holds the handle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace lazuli::io {

// How the bytes of a file that is named by path come into memory.
enum class FileAccess {
  map,   // mapped where it can be: a page is read when it is first touched
  read,  // read at once, so that what others do to the file later is not seen
};

class MappedFile {
 public:
  // The file's bytes. With FileAccess::map a regular file on a local filesystem is mapped: nothing
  // is read until it is touched, and the pages are shared with every other reader. Anything else (a
  // pipe, a device, a file on a network filesystem) is read into memory.
  //
  // A mapped file must not be truncated by anyone while the handle lives: the kernel answers a
  // touch of the missing pages with SIGBUS, which ends the process. Files that others may change
  // are opened with FileAccess::read.
  //
  // IoError, naming the file and the system's reason, if it cannot be opened or read.
  static std::shared_ptr<const MappedFile> open(const std::string& path,
                                                FileAccess access = FileAccess::map);

  // Always read into memory of our own. IoError if the file is larger than `bytes_max`
  // (0: the machine's physical memory); MemoryError if the memory is not to be had.
  static std::shared_ptr<const MappedFile> read(const std::string& path, uint64_t bytes_max = 0);

  // A copy of bytes that came from elsewhere; `name` stands for the path in messages.
  static std::shared_ptr<const MappedFile> copy(const std::string& name,
                                                std::span<const std::byte> bytes);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Starts at a page boundary, so an offset's alignment in the file is its alignment in memory.
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  const std::string& path() const noexcept { return path_; }
  bool is_mapped() const noexcept { return mapped_; }

 private:
  MappedFile(std::string path, bool mapped) : path_(std::move(path)), mapped_(mapped) {}
  void map(int descriptor, uint64_t size);
  void read_all(int descriptor, uint64_t size_expected, uint64_t bytes_max);
  void reserve(uint64_t capacity);

  std::string path_;
  bool mapped_;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;  // bytes of address space held at data_
};

}  // namespace lazuli::io
