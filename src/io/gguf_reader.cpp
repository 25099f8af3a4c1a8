// Reads a GGUF file: header, metadata, tensor table, then a check that every tensor lies inside.
//
// The file is hostile until checked: before anything is allocated for a count, the count is held
// against the bytes that are left, so memory and time stay within a small factor of the file.
#include <bit>
#include <cstring>
#include <limits>

#include "base/message.h"
#include "lazuli/error.h"
#include "lazuli/io/gguf.h"

namespace lazuli::gguf {

static_assert(std::endian::native == std::endian::little, "values are copied as they lie");

namespace {

// What is being read, for error messages: "value of metadata key 'general.name'".
struct Field {
  const char* part;
  const char* owner = nullptr;
  std::string_view name = {};
};

constexpr uint64_t int64_max = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
constexpr uint64_t key_length_max = 65535;  // the specification's limit
constexpr uint32_t dimensions_max = 8;      // the specification has 4, other writers up to 8

// The least a record of this kind takes in the file.
constexpr uint64_t entry_bytes_min = 8 + 4 + 1;           // key length, type, value
constexpr uint64_t tensor_bytes_min = 8 + 4 + 0 + 4 + 8;  // name length, rank, type, offset
constexpr uint64_t string_bytes_min = 8;                  // length

}  // namespace

class Reader {
 public:
  explicit Reader(std::shared_ptr<const io::MappedFile> storage) {
    bytes_ = storage->bytes();
    file_.storage_ = std::move(storage);
  }

  File read() {
    read_header();
    read_metadata();
    read_tensor_infos();
    locate_tensors();
    return std::move(file_);
  }

 private:
  [[noreturn]] void fail(const Field& field, uint64_t offset, const std::string& problem) const {
    std::string message = "gguf file " + printable(file_.path(), 1000) + ": " + field.part;
    if (field.owner != nullptr) {
      message += std::string(" of ") + field.owner + " " + printable(field.name);
    }
    throw IoError(message + " at byte " + std::to_string(offset) + ": " + problem);
  }

  uint64_t remaining() const { return bytes_.size() - position_; }

  std::span<const std::byte> take(const Field& field, uint64_t count) {
    if (count > remaining()) {
      fail(field, position_,
           std::to_string(count) + " bytes are needed and " + std::to_string(remaining()) +
               " are left in the file");
    }
    std::span<const std::byte> taken = bytes_.subspan(position_, count);
    position_ += count;
    return taken;
  }

  template <class T>
  T number(const Field& field) {
    T value;
    std::memcpy(&value, take(field, sizeof(T)).data(), sizeof(T));
    return value;
  }

  // A count of records of at least `record_bytes` each.
  uint64_t count(const Field& field, uint64_t record_bytes) {
    uint64_t offset = position_;
    uint64_t value = number<uint64_t>(field);
    if (value > remaining() / record_bytes) {
      fail(field, offset,
           std::to_string(value) + " of at least " + std::to_string(record_bytes) +
               " bytes each do not fit into the " + std::to_string(remaining()) +
               " bytes that are left in the file");
    }
    return value;
  }

  std::string_view string(const Field& field, uint64_t length_max = int64_max) {
    uint64_t offset = position_;
    uint64_t length = number<uint64_t>(field);
    if (length > length_max) {
      fail(field, offset,
           "a length of " + std::to_string(length) + " is more than the limit of " +
               std::to_string(length_max));
    }
    std::span<const std::byte> text = take(field, length);
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }

  void read_header() {
    std::span<const std::byte> magic = take({"magic"}, 4);
    if (std::memcmp(magic.data(), "GGUF", 4) != 0) {
      fail({"magic"}, 0, "the file does not begin with 'GGUF', so it is no GGUF file");
    }
    uint32_t version = number<uint32_t>({"version"});
    if ((version & 0xffffu) == 0 && version != 0) {
      fail({"version"}, 4, "the file is big endian; convert it to little endian");
    }
    if (version != 2 && version != 3) {
      fail({"version"}, 4,
           "version " + std::to_string(version) +
               " is not supported, only 2 and 3; convert the file anew");
    }
    file_.version_ = version;
    tensor_count_ = count({"tensor count"}, tensor_bytes_min);
    metadata_count_ = count({"metadata count"}, entry_bytes_min);
  }

  bool read_bool(const Field& field) {
    uint64_t offset = position_;
    uint8_t value = number<uint8_t>(field);
    if (value > 1) fail(field, offset, "a bool must be 0 or 1, not " + std::to_string(value));
    return value == 1;
  }

  ValueType value_type(const Field& field) {
    uint64_t offset = position_;
    uint32_t type = number<uint32_t>(field);
    if (type > static_cast<uint32_t>(ValueType::float64)) {
      fail(field, offset, "there is no value type " + std::to_string(type));
    }
    return static_cast<ValueType>(type);
  }

  Array read_array(std::string_view key) {
    const char* owner = "metadata key";
    uint64_t offset = position_;
    ValueType type = value_type({"element type", owner, key});
    if (type == ValueType::array) {
      fail({"element type", owner, key}, offset, "arrays of arrays are not supported");
    }
    if (type == ValueType::string) {
      std::vector<std::string_view> strings(count({"length", owner, key}, string_bytes_min));
      for (std::string_view& text : strings) text = string({"string", owner, key});
      return Array(std::move(strings));
    }
    uint64_t length = count({"length", owner, key}, value_bytes(type));
    offset = position_;
    std::span<const std::byte> bytes = take({"values", owner, key}, length * value_bytes(type));
    for (size_t i = 0; type == ValueType::bool_ && i < length; ++i) {
      if (static_cast<uint8_t>(bytes[i]) > 1) {
        fail({"values", owner, key}, offset + i, "a bool must be 0 or 1");
      }
    }
    return Array(type, length, bytes);
  }

  Value read_value(std::string_view key) {
    Field field{"value", "metadata key", key};
    switch (value_type({"type", "metadata key", key})) {
      case ValueType::uint8: return number<uint8_t>(field);
      case ValueType::int8: return number<int8_t>(field);
      case ValueType::uint16: return number<uint16_t>(field);
      case ValueType::int16: return number<int16_t>(field);
      case ValueType::uint32: return number<uint32_t>(field);
      case ValueType::int32: return number<int32_t>(field);
      case ValueType::float32: return number<float>(field);
      case ValueType::bool_: return read_bool(field);
      case ValueType::string: return string(field);
      case ValueType::array: return read_array(key);
      case ValueType::uint64: return number<uint64_t>(field);
      case ValueType::int64: return number<int64_t>(field);
      case ValueType::float64: return number<double>(field);
    }
    fail(field, position_, "unreachable value type");
  }

  void read_metadata() {
    file_.metadata_.reserve(metadata_count_);
    for (uint64_t i = 0; i < metadata_count_; ++i) {
      uint64_t offset = position_;
      std::string_view key = string({"metadata key"}, key_length_max);
      if (!file_.metadata_index_.emplace(key, i).second) {
        fail({"name", "metadata key", key}, offset, "the key is there twice");
      }
      file_.metadata_.push_back({key, read_value(key)});
      if (key == "general.alignment") read_alignment(offset);
    }
  }

  void read_alignment(uint64_t offset) {
    Field field{"value", "metadata key", "general.alignment"};
    const uint32_t* alignment = std::get_if<uint32_t>(&file_.metadata_.back().value);
    if (alignment == nullptr) fail(field, offset, "the alignment must be of type uint32");
    if (*alignment == 0 || *alignment % 8 != 0) {
      fail(field, offset, std::to_string(*alignment) + " is not a multiple of 8");
    }
    file_.alignment_ = *alignment;
  }

  std::vector<int64_t> read_shape(std::string_view name) {
    const char* owner = "tensor";
    uint64_t offset = position_;
    uint32_t rank = number<uint32_t>({"number of dimensions", owner, name});
    if (rank > dimensions_max) {
      fail({"number of dimensions", owner, name}, offset,
           std::to_string(rank) + " is more than the limit of " + std::to_string(dimensions_max));
    }
    std::vector<int64_t> shape(rank);
    for (uint32_t i = 0; i < rank; ++i) {
      offset = position_;
      uint64_t extent = number<uint64_t>({"dimension", owner, name});
      if (extent > int64_max) {
        fail({"dimension", owner, name}, offset,
             std::to_string(extent) + " does not fit into 63 bits");
      }
      // The file names the dimension that lies together in memory first, a shape names it last.
      shape[rank - 1 - i] = static_cast<int64_t>(extent);
    }
    return shape;
  }

  int64_t element_count(const Tensor& tensor, uint64_t offset) const {
    int64_t elements = 1;
    for (int64_t extent : tensor.shape) {
      if (__builtin_mul_overflow(elements, extent, &elements)) {
        fail({"shape", "tensor", tensor.name}, offset, "it has more than 2^63 elements");
      }
    }
    return elements;
  }

  void read_tensor_infos() {
    file_.tensors_.reserve(tensor_count_);
    for (uint64_t i = 0; i < tensor_count_; ++i) {
      Tensor tensor;
      uint64_t start = position_;
      tensor.name = string({"tensor name"}, key_length_max);
      if (!file_.tensor_index_.emplace(tensor.name, i).second) {
        fail({"name", "tensor", tensor.name}, start, "the name is there twice");
      }
      uint64_t offset = position_;
      tensor.shape = read_shape(tensor.name);
      tensor.elements = element_count(tensor, offset);
      offset = position_;
      uint32_t id = number<uint32_t>({"type", "tensor", tensor.name});
      std::optional<TensorType> type = tensor_type(id);
      if (!type.has_value()) {
        fail({"type", "tensor", tensor.name}, offset,
             "there is no tensor type " + std::to_string(id));
      }
      tensor.type = *type;
      tensor.offset = number<uint64_t>({"offset", "tensor", tensor.name});
      file_.tensors_.push_back(std::move(tensor));
      info_offsets_.push_back(start);
    }
  }

  uint64_t byte_count(const Tensor& tensor, uint64_t info_offset) const {
    Field field{"shape", "tensor", tensor.name};
    int64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
    if (row % tensor.type.block_elements != 0) {
      fail(field, info_offset,
           "rows of " + std::to_string(row) + " elements are no whole number " + "of " +
               tensor.type.name + " blocks of " + std::to_string(tensor.type.block_elements));
    }
    uint64_t blocks = static_cast<uint64_t>(tensor.elements / tensor.type.block_elements);
    uint64_t bytes;
    if (__builtin_mul_overflow(blocks, static_cast<uint64_t>(tensor.type.block_bytes), &bytes)) {
      fail(field, info_offset, "it has more than 2^64 bytes");
    }
    return bytes;
  }

  // Turns each tensor's offset into a place in the file.
  void locate_tensors() {
    uint64_t alignment = file_.alignment_;
    uint64_t padding = (alignment - position_ % alignment) % alignment;
    file_.data_offset_ = position_ + padding;  // at most 2^32 beyond the file: no overflow
    uint64_t available = bytes_.size() - std::min<uint64_t>(bytes_.size(), file_.data_offset_);
    for (size_t i = 0; i < file_.tensors_.size(); ++i) {
      Tensor& tensor = file_.tensors_[i];
      Field field{"offset", "tensor", tensor.name};
      if (tensor.offset % alignment != 0) {
        fail(field, info_offsets_[i],
             std::to_string(tensor.offset) + " is not a multiple of the alignment of " +
                 std::to_string(alignment));
      }
      uint64_t bytes = byte_count(tensor, info_offsets_[i]);
      if (bytes == 0) {
        tensor.offset = file_.data_offset_;
        continue;
      }
      if (tensor.offset > available || bytes > available - tensor.offset) {
        fail(field, info_offsets_[i],
             std::to_string(bytes) + " bytes at " + std::to_string(tensor.offset) +
                 " reach beyond the file's tensor data of " + std::to_string(available) + " bytes");
      }
      tensor.offset += file_.data_offset_;
      tensor.bytes = bytes_.subspan(tensor.offset, bytes);
    }
  }

  File file_;
  std::span<const std::byte> bytes_;
  uint64_t position_ = 0;
  uint64_t tensor_count_ = 0;
  uint64_t metadata_count_ = 0;
  std::vector<uint64_t> info_offsets_;  // of each tensor's record, for messages
};

File open(const std::string& path, io::FileAccess access) {
  return open(io::MappedFile::open(path, access));
}

File open(std::shared_ptr<const io::MappedFile> storage) {
  return Reader(std::move(storage)).read();
}

}  // namespace lazuli::gguf
