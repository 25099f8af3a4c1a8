// Working memory of a kernel call: one aligned block per thread and use, which only grows, so that
// calls in a steady state take nothing from the system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace lazuli::cpu::packed {

class Scratch {
 public:
  // Forgets what was taken and makes room for `bytes`.
  void start(size_t bytes) {
    if (bytes > size_) {
      block_.reset();
      block_.reset(static_cast<std::byte*>(::operator new(bytes, alignment)));
      size_ = bytes;
    }
    used_ = 0;
  }

  // `count` elements on a 64-byte boundary, within the bytes that `start` made room for.
  template <class T>
  T* take(int64_t count) {
    T* place = reinterpret_cast<T*>(block_.get() + used_);
    used_ += bytes<T>(count);
    return place;
  }

  // What `take` uses up.
  template <class T>
  static size_t bytes(int64_t count) {
    return (static_cast<size_t>(count) * sizeof(T) + 63) & ~size_t{63};
  }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, alignment); }
  };
  std::unique_ptr<std::byte, Free> block_;
  size_t size_ = 0;
  size_t used_ = 0;
};

}  // namespace lazuli::cpu::packed
