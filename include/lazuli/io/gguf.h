// GGUF files: metadata and tensors as they lie in the file, nothing converted.
//
// Source: the GGUF specification (ggml project, docs/gguf.md). Versions 2 and 3, little endian.
// Strings and tensor bytes are views into the file; they live as long as the File, or as long as
// someone holds `File::storage()`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "lazuli/dtype.h"
#include "lazuli/io/mapped_file.h"
#include "lazuli/packed_format.h"

namespace lazuli::gguf {

// What a metadata value is; the enumerators are the file's ids.
enum class ValueType : uint32_t {
  uint8,
  int8,
  uint16,
  int16,
  uint32,
  int32,
  float32,
  bool_,
  string,
  array,
  uint64,
  int64,
  float64,
};

// "uint32", "string", ...
const char* value_type_name(ValueType type);
// Bytes of one number or bool of that type; 0 for strings and arrays.
size_t value_bytes(ValueType type);

// A metadata array: `size()` values of one type, numbers or strings. Arrays of arrays are refused
// by the reader.
class Array {
 public:
  Array(ValueType element_type, size_t size, std::span<const std::byte> bytes);
  explicit Array(std::vector<std::string_view> strings);

  ValueType element_type() const noexcept { return element_type_; }
  size_t size() const noexcept { return size_; }
  // The numbers as they lie in the file, little endian, unaligned. Empty for strings.
  std::span<const std::byte> bytes() const noexcept { return bytes_; }

  // The strings. TypeError if these are numbers.
  std::span<const std::string_view> strings() const;
  // The numbers, converted. TypeError if these are strings, ArgumentError if one is out of range.
  std::vector<float> floats() const;
  std::vector<int64_t> integers() const;

 private:
  ValueType element_type_;
  size_t size_;
  std::span<const std::byte> bytes_;
  std::vector<std::string_view> strings_;
};

// One metadata value; `index()` is its ValueType.
using Value = std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool,
                           std::string_view, Array, uint64_t, int64_t, double>;

struct Entry {
  std::string_view key;
  Value value;

  ValueType type() const noexcept { return static_cast<ValueType>(value.index()); }
};

// One tensor type a GGUF file can name: a plain dtype, a packed format this library computes with,
// or one it only knows the size of.
struct TensorType {
  uint32_t id;
  const char* name;  // "F32", "Q4_K", ...
  int32_t block_elements;
  int32_t block_bytes;
  std::optional<Dtype> dtype;
  std::optional<PackedFormat> packed;
};

// The type with this id; nothing if the id is unknown.
std::optional<TensorType> tensor_type(uint32_t id);
// The type that stores a dtype; nothing if GGUF has none.
std::optional<TensorType> tensor_type(Dtype dtype);

struct Tensor {
  std::string_view name;
  TensorType type;
  std::vector<int64_t> shape;  // row-major order: the last dimension lies together in memory
  int64_t elements;            // product of the shape
  uint64_t offset;             // of the first byte, from the start of the file
  std::span<const std::byte> bytes;
};

// An open file. Cheap to move; copies share the storage.
class File {
 public:
  const std::string& path() const noexcept { return storage_->path(); }
  uint32_t version() const noexcept { return version_; }
  uint64_t alignment() const noexcept { return alignment_; }
  // Where the tensor data begins, in bytes from the start of the file.
  uint64_t data_offset() const noexcept { return data_offset_; }
  const std::shared_ptr<const io::MappedFile>& storage() const noexcept { return storage_; }

  // All metadata and all tensors, in the order of the file.
  const std::vector<Entry>& metadata() const noexcept { return metadata_; }
  const std::vector<Tensor>& tensors() const noexcept { return tensors_; }

  // The value or tensor of that name, or null.
  const Value* find(std::string_view key) const;
  const Tensor* find_tensor(std::string_view name) const;
  // The same; NotFoundError, naming the file, if there is none.
  const Tensor& tensor(std::string_view name) const;

  // The value of `key` as the named kind. `integer` takes any integer type, `number` any integer or
  // float. NotFoundError if the key is missing; TypeError if it holds another kind.
  std::string_view text(std::string_view key) const;
  int64_t integer(std::string_view key) const;
  double number(std::string_view key) const;
  bool flag(std::string_view key) const;
  const Array& array(std::string_view key) const;
  // The same, with an answer for a missing key.
  std::string_view text(std::string_view key, std::string_view fallback) const;
  int64_t integer(std::string_view key, int64_t fallback) const;
  double number(std::string_view key, double fallback) const;
  bool flag(std::string_view key, bool fallback) const;

 private:
  friend class Reader;
  File() = default;

  std::shared_ptr<const io::MappedFile> storage_;
  uint32_t version_ = 0;
  uint64_t alignment_ = 32;
  uint64_t data_offset_ = 0;
  std::vector<Entry> metadata_;
  std::vector<Tensor> tensors_;
  std::map<std::string_view, size_t> metadata_index_;
  std::map<std::string_view, size_t> tensor_index_;
};

// Opens and checks the file: every count, size and offset lies inside it, every name is unique.
// IoError, naming the file, the field and its offset, if not.
File open(const std::string& path, io::FileAccess access = io::FileAccess::map);
File open(std::shared_ptr<const io::MappedFile> storage);

// Collects metadata and tensors and writes a version 3 file.
class Writer {
 public:
  // ArgumentError unless the alignment is a multiple of 8 (and not 0).
  explicit Writer(uint32_t alignment = 32);

  // Adds a value. ArgumentError if the key is empty, longer than 65,535 bytes or already there.
  // "general.alignment" is the writer's own.
  template <class T>
    requires std::is_arithmetic_v<T>
  void add(std::string_view key, T value) {
    add_number(key, number_type<T>(), std::as_bytes(std::span(&value, 1)));
  }
  void add(std::string_view key, std::string_view text);
  void add(std::string_view key, const char* text) { add(key, std::string_view(text)); }
  void add(std::string_view key, std::span<const std::string_view> strings);
  template <class T>
    requires(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>)
  void add(std::string_view key, std::span<const T> values) {
    add_numbers(key, number_type<T>(), values.size(), std::as_bytes(values));
  }

  // One number or bool, or an array of `count`, given as its bytes. ArgumentError if there are more
  // or fewer bytes than the type needs.
  void add_number(std::string_view key, ValueType type, std::span<const std::byte> bytes);
  void add_numbers(std::string_view key, ValueType type, size_t count,
                   std::span<const std::byte> bytes);

  // Adds a tensor; `bytes` must live until `save`. ArgumentError if the name is empty or already
  // there, there are more than 8 dimensions, or the bytes are not those of the type and shape.
  void add_tensor(std::string_view name, const TensorType& type, std::span<const int64_t> shape,
                  std::span<const std::byte> bytes);

  // Writes the file under a temporary name beside `path` and renames it, so a reader sees the old
  // file or the new one. IoError, naming the file and the system's reason.
  void save(const std::string& path) const;

 private:
  struct PendingTensor {
    uint64_t offset;
    std::span<const std::byte> bytes;
  };

  template <class T>
  static constexpr ValueType number_type() {
    if constexpr (std::is_same_v<T, bool>) return ValueType::bool_;
    if constexpr (std::is_same_v<T, float>) return ValueType::float32;
    if constexpr (std::is_same_v<T, double>) return ValueType::float64;
    constexpr bool is_signed = std::is_signed_v<T>;
    if constexpr (sizeof(T) == 1) return is_signed ? ValueType::int8 : ValueType::uint8;
    if constexpr (sizeof(T) == 2) return is_signed ? ValueType::int16 : ValueType::uint16;
    if constexpr (sizeof(T) == 4) return is_signed ? ValueType::int32 : ValueType::uint32;
    return is_signed ? ValueType::int64 : ValueType::uint64;
  }
  void begin_value(std::string_view key, ValueType type);

  uint32_t alignment_;
  uint64_t metadata_count_ = 0;
  uint64_t data_size_ = 0;
  std::string metadata_;
  std::string tensor_infos_;
  std::vector<PendingTensor> tensors_;
  std::set<std::string> names_;  // "key " + key, "tensor " + name
};

}  // namespace lazuli::gguf
