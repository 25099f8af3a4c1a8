// The array: a handle to a value that may not have been computed yet.
//
// Arrays are cheap to copy (one pointer, reference counted) and immutable in value. Any thread may
// use any array. Reading a value (`item`, `data`, printing) evaluates it first.
#pragma once

#include <complex>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <ostream>
#include <vector>

#include "lazuli/device.h"
#include "lazuli/dtype.h"
#include "lazuli/error.h"
#include "lazuli/small_vector.h"

namespace lazuli {

struct Node;  // internal

using Deleter = std::function<void(void*)>;

class array {
 public:
  // A 0-d array.
  template <class T,
            class = std::enable_if_t<std::is_arithmetic_v<T> || std::is_same_v<T, float16_t> ||
                                     std::is_same_v<T, bfloat16_t>>>
  explicit array(T value, Dtype dtype = scalar_dtype<T>()) : array(from_scalar(value, dtype)) {}
  explicit array(const complex64_t& value, Dtype dtype = complex64);

  // A copy of `[first, first + product(shape))`, converted to `dtype`.
  template <class It, class = typename std::iterator_traits<It>::iterator_category>
  array(It first, Shape shape,
        Dtype dtype = scalar_dtype<typename std::iterator_traits<It>::value_type>()) {
    using T = typename std::iterator_traits<It>::value_type;
    int64_t count = 1;
    for (auto extent : shape) count *= extent;
    std::vector<std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>> values(first,
                                                                                first + count);
    *this = from_memory(values.data(), std::move(shape), TypeToDtype<T>::value, dtype);
  }
  template <class T>
  explicit array(std::initializer_list<T> data, Dtype dtype = scalar_dtype<T>())
      : array(data.begin(), Shape{static_cast<int64_t>(data.size())}, dtype) {}
  template <class T>
  array(std::initializer_list<T> data, Shape shape, Dtype dtype = scalar_dtype<T>())
      : array(checked(data, shape), shape, dtype) {}
  explicit array(std::initializer_list<float> data);
  explicit array(std::initializer_list<int> data, Dtype dtype);

  // Memory the caller owns until `deleter(data)` is called; row-major, never copied.
  array(void* data, Shape shape, Dtype dtype, const Deleter& deleter);

  array(const array& other) noexcept;
  array(array&& other) noexcept : node_(other.node_) { other.node_ = nullptr; }
  array& operator=(const array& other) &;
  array& operator=(array&& other) & noexcept;
  array& operator=(const array& other) && = delete;
  array& operator=(array&& other) && = delete;
  ~array();

  size_t itemsize() const { return dtype().size(); }
  size_t size() const;
  size_t nbytes() const { return size() * itemsize(); }
  size_t ndim() const { return shape().size(); }
  const Shape& shape() const;
  ShapeElem shape(int axis) const;  // negative axes count from the end; IndexError outside
  const Strides& strides() const;   // in elements; evaluates
  int64_t strides(int axis) const;
  Dtype dtype() const;
  Stream stream() const;

  // The only value of an array of size 1, converted to T; ArgumentError for other sizes.
  template <class T>
  T item() const;

  // The first element in the host's memory, after evaluation. Elements lie as `strides()` says.
  // Where the value lies on a device, it is fetched; for writing, the host's copy becomes the only
  // one.
  template <class T>
  T* data() {
    return static_cast<T*>(host_data(true));
  }
  template <class T>
  const T* data() const {
    return static_cast<const T*>(host_data(false));
  }

  void eval() const;
  void wait() const;
  bool is_available() const;  // computed, and no work on it is pending
  bool is_tracer() const;
  void detach();

  // An id equal exactly for handles of the same recorded value.
  std::uintptr_t id() const { return reinterpret_cast<std::uintptr_t>(node_); }

  // Row-major with no gaps, after evaluation.
  bool is_row_contiguous() const;

  static array from_memory(const void* values, Shape shape, Dtype stored, Dtype dtype);

  explicit array(Node* node) noexcept : node_(node) {}  // takes the reference over
  Node* node() const { return node_; }

 private:
  array() = default;
  template <class T>
  static constexpr Dtype scalar_dtype() {
    if constexpr (std::is_same_v<T, double>) {
      return float32;
    } else {
      return TypeToDtype<std::conditional_t<std::is_same_v<T, long long>, int64_t, T>>::value;
    }
  }
  template <class T>
  static const T* checked(const std::initializer_list<T>& data, const Shape& shape) {
    check_count(data.size(), shape);
    return data.begin();
  }
  static void check_count(size_t count, const Shape& shape);
  template <class T>
  static array from_scalar(T value, Dtype dtype) {
    if constexpr (std::is_integral_v<T>) {
      return from_integer(static_cast<int64_t>(value), dtype);
    } else {
      return from_real(static_cast<double>(value), dtype);
    }
  }
  static array from_integer(int64_t value, Dtype dtype);
  static array from_real(double value, Dtype dtype);
  void* host_data(bool for_writing) const;
  void read_item(void* value, Dtype dtype) const;

  Node* node_ = nullptr;
};

template <class T>
T array::item() const {
  T value;
  read_item(&value, TypeToDtype<T>::value);
  return value;
}

std::ostream& operator<<(std::ostream& out, const array& a);
std::ostream& operator<<(std::ostream& out, const Shape& shape);
std::ostream& operator<<(std::ostream& out, const Dtype& dtype);

// Computes the arrays (and everything they need) and waits.
void eval(std::vector<array> outputs);
template <class... Arrays,
          class = std::enable_if_t<(std::is_same_v<std::decay_t<Arrays>, array> && ...)>>
void eval(Arrays&&... outputs) {
  eval(std::vector<array>{std::forward<Arrays>(outputs)...});
}

// Starts computing and returns at once.
void async_eval(std::vector<array> outputs);
template <class... Arrays,
          class = std::enable_if_t<(std::is_same_v<std::decay_t<Arrays>, array> && ...)>>
void async_eval(Arrays&&... outputs) {
  async_eval(std::vector<array>{std::forward<Arrays>(outputs)...});
}

// The host's memory of an array, shared with other code as long as this lives. Others may read and
// write it at any time: devices fetch what it holds then, and nothing else is put there. If the
// device's memory of the array is shared (lazuli/exchange.h), this is about a copy.
class HostExport {
 public:
  explicit HostExport(const array& shared);  // evaluates
  ~HostExport();
  HostExport(const HostExport&) = delete;
  HostExport& operator=(const HostExport&) = delete;

  void* data() const { return data_; }

 private:
  array array_;
  void* data_;
};

}  // namespace lazuli
