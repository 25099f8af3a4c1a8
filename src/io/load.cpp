#include "lazuli/io/load.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/message.h"
#include "lazuli/error.h"

namespace lazuli::io {

namespace {

constexpr size_t chunk_bytes_max = size_t{1} << 30;  // the kernel moves less than 2^31 at once

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw IoError("file " + printable(path, 1000) + ": " + what);
}

// The position that `offset` means. IoError if it lies before the start.
size_t target_of(const std::string& path, int descriptor, size_t position, int64_t offset,
                 std::ios_base::seekdir way) {
  int64_t from = 0;
  if (way == std::ios_base::cur) from = static_cast<int64_t>(position);
  if (way == std::ios_base::end) {
    struct stat status;
    if (::fstat(descriptor, &status) != 0) {
      fail(path, "cannot be examined: " + system_reason(errno));
    }
    from = status.st_size;
  }
  int64_t target;
  if (__builtin_add_overflow(from, offset, &target) || target < 0) {
    fail(path,
         "there is no position " + std::to_string(offset) + " from byte " + std::to_string(from));
  }
  return static_cast<size_t>(target);
}

}  // namespace

ParallelFileReader::ParallelFileReader(std::string file_path)
    : path_(std::move(file_path)), descriptor_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {}

ParallelFileReader::~ParallelFileReader() {
  if (is_open()) ::close(descriptor_);
}

bool ParallelFileReader::is_open() const { return descriptor_ >= 0; }

void ParallelFileReader::seek(int64_t offset, std::ios_base::seekdir way) {
  if (!is_open()) fail(path_, "is not open");
  position_ = target_of(path_, descriptor_, position_, offset, way);
}

void ParallelFileReader::read(char* data, size_t n) {
  read(data, n, position_);
  position_ += n;
}

void ParallelFileReader::read(char* data, size_t n, size_t offset) {
  if (!is_open()) fail(path_, "is not open");
  for (size_t done = 0; done < n;) {
    ssize_t count = ::pread(descriptor_, data + done, std::min(n - done, chunk_bytes_max),
                            static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path_, "reading it failed: " + system_reason(errno));
    if (count == 0) {
      fail(path_, std::to_string(n) + " bytes at byte " + std::to_string(offset) +
                      " are needed and the file ends after " + std::to_string(done));
    }
    done += static_cast<size_t>(count);
  }
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      position_(std::exchange(other.position_, 0)) {}

FileWriter::~FileWriter() {
  if (is_open()) ::close(descriptor_);
}

void FileWriter::open() {
  if (is_open()) return;
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (!is_open()) fail(path_, "cannot be opened for writing: " + system_reason(errno));
}

void FileWriter::seek(int64_t offset, std::ios_base::seekdir way) {
  if (!is_open()) fail(path_, "is not open");
  position_ = target_of(path_, descriptor_, position_, offset, way);
  // A pipe has no positions, so only a file is told.
  if (::lseek(descriptor_, static_cast<off_t>(position_), SEEK_SET) < 0) {
    fail(path_, "cannot be positioned: " + system_reason(errno));
  }
}

void FileWriter::write(const char* data, size_t n) {
  if (!is_open()) fail(path_, "is not open");
  while (n > 0) {
    ssize_t count = ::write(descriptor_, data, std::min(n, chunk_bytes_max));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path_, "writing it failed: " + system_reason(errno));
    data += count;
    n -= static_cast<size_t>(count);
    position_ += static_cast<size_t>(count);
  }
}

}  // namespace lazuli::io
