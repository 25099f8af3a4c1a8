// Writes GGUF version 3, little endian.
#include <bit>
#include <limits>

#include "base/atomic_file.h"
#include "base/message.h"
#include "lazuli/error.h"
#include "lazuli/io/gguf.h"

namespace lazuli::gguf {

static_assert(std::endian::native == std::endian::little, "values are written as they lie");

namespace {

constexpr uint32_t default_alignment = 32;

template <class T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

void append_string(std::string& out, std::string_view text) {
  append<uint64_t>(out, text.size());
  out.append(text);
}

uint64_t padding(uint64_t position, uint64_t alignment) {
  return (alignment - position % alignment) % alignment;
}

[[noreturn]] void fail(const std::string& what) { throw ArgumentError("gguf::Writer: " + what); }

uint64_t tensor_bytes(std::string_view name, const TensorType& type,
                      std::span<const int64_t> shape) {
  int64_t elements = 1;
  for (int64_t extent : shape) {
    if (extent < 0) fail("tensor " + printable(name) + " has a negative dimension");
    if (__builtin_mul_overflow(elements, extent, &elements)) {
      fail("tensor " + printable(name) + " has more than 2^63 elements");
    }
  }
  int64_t row = shape.empty() ? 1 : shape.back();
  if (row % type.block_elements != 0) {
    fail("tensor " + printable(name) + " has rows of " + std::to_string(row) +
         " elements, no whole number of " + type.name + " blocks of " +
         std::to_string(type.block_elements));
  }
  uint64_t bytes;
  if (__builtin_mul_overflow(static_cast<uint64_t>(elements / type.block_elements),
                             static_cast<uint64_t>(type.block_bytes), &bytes)) {
    fail("tensor " + printable(name) + " has more than 2^64 bytes");
  }
  return bytes;
}

}  // namespace

Writer::Writer(uint32_t alignment) : alignment_(alignment) {
  if (alignment == 0 || alignment % 8 != 0) {
    fail("an alignment of " + std::to_string(alignment) + " is not a multiple of 8");
  }
  // A file without the key has the alignment of 32.
  if (alignment != default_alignment) add("general.alignment", alignment);
  names_.insert("key general.alignment");
}

void Writer::begin_value(std::string_view key, ValueType type) {
  if (key.empty() || key.size() > 65535) {
    fail("a metadata key must have 1 to 65535 bytes, not " + std::to_string(key.size()));
  }
  if (!names_.insert("key " + std::string(key)).second) {
    fail("metadata key " + printable(key) + " is there already");
  }
  append_string(metadata_, key);
  append(metadata_, static_cast<uint32_t>(type));
  ++metadata_count_;
}

void Writer::add_number(std::string_view key, ValueType type, std::span<const std::byte> bytes) {
  if (value_bytes(type) == 0 || bytes.size() != value_bytes(type)) {
    fail("metadata key " + printable(key) + " has " + std::to_string(bytes.size()) +
         " bytes, which are no " + value_type_name(type));
  }
  begin_value(key, type);
  metadata_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void Writer::add(std::string_view key, std::string_view text) {
  begin_value(key, ValueType::string);
  append_string(metadata_, text);
}

void Writer::add(std::string_view key, std::span<const std::string_view> strings) {
  begin_value(key, ValueType::array);
  append(metadata_, static_cast<uint32_t>(ValueType::string));
  append<uint64_t>(metadata_, strings.size());
  for (std::string_view text : strings) append_string(metadata_, text);
}

void Writer::add_numbers(std::string_view key, ValueType type, size_t count,
                         std::span<const std::byte> bytes) {
  if (value_bytes(type) == 0 || bytes.size() / value_bytes(type) != count ||
      bytes.size() % value_bytes(type) != 0) {
    fail("metadata key " + printable(key) + " has " + std::to_string(bytes.size()) +
         " bytes, which are no " + std::to_string(count) + " values of " + value_type_name(type));
  }
  begin_value(key, ValueType::array);
  append(metadata_, static_cast<uint32_t>(type));
  append<uint64_t>(metadata_, count);
  metadata_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void Writer::add_tensor(std::string_view name, const TensorType& type,
                        std::span<const int64_t> shape, std::span<const std::byte> bytes) {
  if (name.empty() || name.size() > 65535) {
    fail("a tensor name must have 1 to 65535 bytes, not " + std::to_string(name.size()));
  }
  if (shape.size() > 8) {
    fail("tensor " + printable(name) + " has " + std::to_string(shape.size()) +
         " dimensions, more than the limit of 8");
  }
  uint64_t wanted = tensor_bytes(name, type, shape);
  if (bytes.size() != wanted) {
    fail("tensor " + printable(name) + " has " + std::to_string(bytes.size()) +
         " bytes where its type and shape need " + std::to_string(wanted));
  }
  if (!names_.insert("tensor " + std::string(name)).second) {
    fail("tensor " + printable(name) + " is there already");
  }
  append_string(tensor_infos_, name);
  append(tensor_infos_, static_cast<uint32_t>(shape.size()));
  for (size_t i = shape.size(); i-- > 0;) append(tensor_infos_, static_cast<uint64_t>(shape[i]));
  append(tensor_infos_, type.id);
  append(tensor_infos_, data_size_);
  tensors_.push_back({data_size_, bytes});
  data_size_ += bytes.size() + padding(bytes.size(), alignment_);
}

void Writer::save(const std::string& path) const {
  std::string header = "GGUF";
  append<uint32_t>(header, 3);
  append<uint64_t>(header, tensors_.size());
  append<uint64_t>(header, metadata_count_);
  AtomicFile file(path);
  file.write(header);
  file.write(metadata_);
  file.write(tensor_infos_);
  uint64_t position = header.size() + metadata_.size() + tensor_infos_.size();
  file.write_zeros(padding(position, alignment_));
  for (const PendingTensor& tensor : tensors_) {
    file.write(tensor.bytes);
    file.write_zeros(padding(tensor.bytes.size(), alignment_));
  }
  file.commit();
}

}  // namespace lazuli::gguf
