// Memory whose end is the end of what may be read.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <stdexcept>

namespace lazuli::testing {

// A copy of some bytes, behind which lies a page that cannot be read.
class Guarded {
 public:
  Guarded(const void* from, size_t bytes) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t used = (bytes + page - 1) / page * page;
    size_ = used + page;
    void* mapped = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::runtime_error("no memory for a guarded copy");
    base_ = static_cast<std::byte*>(mapped);
    mprotect(base_ + used, page, PROT_NONE);
    data_ = base_ + used - bytes;
    std::memcpy(data_, from, bytes);
  }
  ~Guarded() { munmap(base_, size_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  void* data() const { return data_; }

 private:
  std::byte *base_, *data_;
  size_t size_;
};

}  // namespace lazuli::testing
