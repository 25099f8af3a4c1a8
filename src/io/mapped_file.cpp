#include "lazuli/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "base/message.h"
#include "lazuli/error.h"

namespace lazuli::io {

namespace {

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw IoError("file " + printable(path, 1000) + ": " + what);
}

struct Descriptor {
  int value;
  ~Descriptor() { ::close(value); }
};

int open_for_reading(const std::string& path) {
  int descriptor;
  do {
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) fail(path, "cannot be opened: " + system_reason(errno));
  return descriptor;
}

struct stat status_of(int descriptor, const std::string& path) {
  struct stat status;
  if (::fstat(descriptor, &status) != 0) {
    fail(path, "cannot be examined: " + system_reason(errno));
  }
  if (S_ISDIR(status.st_mode)) fail(path, "is a directory; name a file in it");
  return status;
}

// A file on another machine can shrink or vanish under a mapping without anyone here doing it.
bool is_on_local_filesystem(int descriptor) {
  // The magic numbers of statfs(2).
  constexpr uint32_t remote[] = {
      0x6969,      // NFS
      0x517b,      // SMB
      0xff534d42,  // CIFS
      0xfe534d42,  // SMB2
      0x65735546,  // FUSE: sshfs, object stores
      0x5346414f,  // AFS
      0x73757245,  // Coda
      0x00c36400,  // Ceph
      0x01021997,  // 9P
      0x0bd00bd0,  // Lustre
      0x47504653,  // GPFS
  };
  struct statfs status;
  if (::fstatfs(descriptor, &status) != 0) return false;
  return std::find(std::begin(remote), std::end(remote), static_cast<uint32_t>(status.f_type)) ==
         std::end(remote);
}

uint64_t physical_memory() {
  uint64_t pages = static_cast<uint64_t>(std::max(0L, ::sysconf(_SC_PHYS_PAGES)));
  return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path, FileAccess access) {
  if (access == FileAccess::read) return read(path);
  Descriptor descriptor{open_for_reading(path)};
  struct stat status = status_of(descriptor.value, path);
  bool mapped = S_ISREG(status.st_mode) && is_on_local_filesystem(descriptor.value);
  // Files of /proc and /sys call themselves regular and empty; reading tells.
  if (status.st_size == 0) mapped = false;
  std::shared_ptr<MappedFile> file(new MappedFile(path, mapped));
  if (mapped) {
    file->map(descriptor.value, static_cast<uint64_t>(status.st_size));
  } else {
    uint64_t size = S_ISREG(status.st_mode) ? static_cast<uint64_t>(status.st_size) : 0;
    file->read_all(descriptor.value, size, physical_memory());
  }
  return file;
}

std::shared_ptr<const MappedFile> MappedFile::read(const std::string& path, uint64_t bytes_max) {
  Descriptor descriptor{open_for_reading(path)};
  struct stat status = status_of(descriptor.value, path);
  uint64_t size = S_ISREG(status.st_mode) ? static_cast<uint64_t>(status.st_size) : 0;
  std::shared_ptr<MappedFile> file(new MappedFile(path, false));
  file->read_all(descriptor.value, size, bytes_max == 0 ? physical_memory() : bytes_max);
  return file;
}

std::shared_ptr<const MappedFile> MappedFile::copy(const std::string& name,
                                                   std::span<const std::byte> bytes) {
  std::shared_ptr<MappedFile> file(new MappedFile(name, false));
  if (bytes.empty()) return file;
  file->reserve(bytes.size());
  std::memcpy(file->data_, bytes.data(), bytes.size());
  file->size_ = bytes.size();
  return file;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, capacity_);
}

void MappedFile::map(int descriptor, uint64_t size) {
  if (size > std::numeric_limits<size_t>::max()) {
    fail(path_, std::to_string(size) + " bytes do not fit into the address space");
  }
  // Private and writable, so that a program that writes through an array's data pointer changes its
  // own copy of the page instead of dying.
  void* address =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0);
  if (address == MAP_FAILED) {
    fail(path_, "mapping its " + std::to_string(size) + " bytes failed: " + system_reason(errno));
  }
  data_ = static_cast<std::byte*>(address);
  size_ = capacity_ = size;
}

// Anonymous pages instead of a vector: growing moves page table entries, not bytes, and the start
// is as aligned as a mapped file's.
void MappedFile::reserve(uint64_t capacity) {
  void* address = data_ == nullptr ? ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE,
                                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                                   : ::mremap(data_, capacity_, capacity, MREMAP_MAYMOVE);
  if (address == MAP_FAILED) {
    throw MemoryError("file " + printable(path_, 1000) + ": no memory for " +
                      std::to_string(capacity) + " bytes of it: " + system_reason(errno));
  }
  data_ = static_cast<std::byte*>(address);
  capacity_ = capacity;
}

void MappedFile::read_all(int descriptor, uint64_t size_expected, uint64_t bytes_max) {
  constexpr uint64_t chunk = uint64_t{1} << 20;
  // One byte more than the limit may be asked for, to see whether the file goes on.
  uint64_t limit = std::min(bytes_max, uint64_t{std::numeric_limits<int64_t>::max() - 1}) + 1;
  if (size_expected >= limit) {
    fail(path_, "its " + std::to_string(size_expected) + " bytes are more than the limit of " +
                    std::to_string(bytes_max));
  }
  reserve(std::min(limit, std::max(size_expected + 1, chunk)));
  while (true) {
    if (size_ == capacity_) reserve(std::min(limit, uint64_t{capacity_} * 2));
    size_t wanted = std::min<uint64_t>(capacity_ - size_, uint64_t{1} << 30);
    ssize_t count = ::read(descriptor, data_ + size_, wanted);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path_, "reading it failed: " + system_reason(errno));
    if (count == 0) break;
    size_ += static_cast<size_t>(count);
    if (size_ == limit) {
      fail(path_, "is larger than the limit of " + std::to_string(bytes_max) + " bytes");
    }
  }
}

}  // namespace lazuli::io
