// A vector of trivially copyable values that keeps up to `Inline` of them in place.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

namespace lazuli {

template <class T, uint32_t Inline = 4>
class SmallVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  using value_type = T;
  using iterator = T*;
  using const_iterator = const T*;

  SmallVector() = default;
  explicit SmallVector(size_t count, T value = T{}) { resize(count, value); }
  template <class It, class = typename std::iterator_traits<It>::iterator_category>
  SmallVector(It first, It last) {
    assign(first, last);
  }
  SmallVector(std::initializer_list<T> values) { assign(values.begin(), values.end()); }
  template <class U, class = std::enable_if_t<std::is_convertible_v<U, T>>>
  SmallVector(const std::vector<U>& values) {  // NOLINT: shapes are written as vectors
    assign(values.begin(), values.end());
  }
  SmallVector(const SmallVector& other) { assign(other.begin(), other.end()); }
  SmallVector(SmallVector&& other) noexcept { steal(other); }
  SmallVector& operator=(const SmallVector& other) {
    if (this != &other) assign(other.begin(), other.end());
    return *this;
  }
  SmallVector& operator=(SmallVector&& other) noexcept {
    if (this != &other) {
      release();
      steal(other);
    }
    return *this;
  }
  ~SmallVector() { release(); }

  template <class It>
  void assign(It first, It last) {
    size_t count = static_cast<size_t>(std::distance(first, last));
    reserve(count);
    std::copy(first, last, begin());
    size_ = static_cast<uint32_t>(count);
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return capacity_ == Inline ? in_place_ : heap_; }
  const T* data() const { return capacity_ == Inline ? in_place_ : heap_; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  auto rbegin() const { return std::reverse_iterator(end()); }
  auto rend() const { return std::reverse_iterator(begin()); }
  T& operator[](size_t i) { return data()[i]; }
  const T& operator[](size_t i) const { return data()[i]; }
  T& back() { return data()[size_ - 1]; }
  const T& back() const { return data()[size_ - 1]; }
  T& front() { return data()[0]; }
  const T& front() const { return data()[0]; }

  void push_back(T value) {
    if (size_ == capacity_) reserve(capacity_ * 2);
    data()[size_++] = value;
  }
  void pop_back() { --size_; }
  void clear() { size_ = 0; }
  void reserve(size_t count) {
    if (count <= capacity_) return;
    T* grown = new T[count];
    std::memcpy(static_cast<void*>(grown), data(), size_ * sizeof(T));
    release();
    heap_ = grown;
    capacity_ = static_cast<uint32_t>(count);
  }
  void resize(size_t count, T value = T{}) {
    reserve(count);
    for (size_t i = size_; i < count; ++i) data()[i] = value;
    size_ = static_cast<uint32_t>(count);
  }
  T* insert(const T* position, T value) {
    size_t at = static_cast<size_t>(position - begin());
    push_back(value);
    std::rotate(begin() + at, end() - 1, end());
    return begin() + at;
  }
  T* erase(const T* position) { return erase(position, position + 1); }
  T* erase(const T* first, const T* last) {
    T* to = begin() + (first - begin());
    std::copy(last, static_cast<const T*>(end()), to);
    size_ -= static_cast<uint32_t>(last - first);
    return to;
  }

  friend bool operator==(const SmallVector& a, const SmallVector& b) {
    if (a.size_ != b.size_) return false;
    // Shapes are short: a loop is over before memcmp has been called.
    const T *x = a.data(), *y = b.data();
    for (uint32_t i = 0; i < a.size_; ++i) {
      if (!(x[i] == y[i])) return false;
    }
    return true;
  }

 private:
  void release() {
    if (capacity_ != Inline) delete[] heap_;
    capacity_ = Inline;
  }
  void steal(SmallVector& other) {
    size_ = other.size_;
    capacity_ = other.capacity_;
    if (other.capacity_ == Inline) {
      std::memcpy(static_cast<void*>(in_place_), other.in_place_, sizeof(in_place_));
    } else {
      heap_ = other.heap_;
    }
    other.capacity_ = Inline;
    other.size_ = 0;
  }

  uint32_t size_ = 0;
  uint32_t capacity_ = Inline;  // equal to Inline exactly while the values are in place
  union {
    T in_place_[Inline];
    T* heap_;
  };
};

// Extents and strides are 64-bit everywhere.
using ShapeElem = int64_t;
using Shape = SmallVector<ShapeElem, 4>;
using Strides = SmallVector<int64_t, 4>;

}  // namespace lazuli
