#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/message.h"
#include "lazuli/error.h"

namespace lazuli {

namespace {

std::string temporary_name(const std::string& target) {
  static std::atomic<uint64_t> counter{0};
  return target + ".partial-" + std::to_string(::getpid()) + "-" + std::to_string(++counter);
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(path) {
  std::error_code error;
  std::filesystem::path resolved = std::filesystem::weakly_canonical(path, error);
  if (!error && !path.empty()) target_ = resolved.string();
  struct stat status;
  bool exists = ::stat(target_.c_str(), &status) == 0;
  if (exists && !S_ISREG(status.st_mode)) {
    descriptor_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail("cannot be opened for writing", errno);
    return;
  }
  if (exists && ::access(target_.c_str(), W_OK) != 0) fail("cannot be opened for writing", errno);
  std::string temporary = temporary_name(target_);
  descriptor_ = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("cannot be created", errno);
  temporary_ = temporary;
  if (exists) ::fchmod(descriptor_, status.st_mode & 0777);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::fail(const char* what, int error_number) const {
  throw IoError("file " + printable(path_, 1000) + ": " + what + ": " +
                system_reason(error_number));
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    size_t wanted = std::min<size_t>(bytes.size(), size_t{1} << 30);
    ssize_t count = ::write(descriptor_, bytes.data(), wanted);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("writing it failed", errno);
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

void AtomicFile::write_zeros(uint64_t count) {
  static constexpr std::byte zeros[4096] = {};
  for (; count > 0; count -= std::min<uint64_t>(count, sizeof(zeros))) {
    write(std::span(zeros, std::min<uint64_t>(count, sizeof(zeros))));
  }
}

void AtomicFile::commit() {
  int descriptor = descriptor_;
  descriptor_ = -1;
  // Full disks and network filesystems may report a failed write only here.
  if (::close(descriptor) != 0) fail("writing it failed", errno);
  if (temporary_.empty()) return;
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot be replaced", errno);
  temporary_.clear();
}

}  // namespace lazuli
