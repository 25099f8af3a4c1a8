#include "lazuli/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/atomic_file.h"
#include "base/message.h"
#include "io/safetensors_header.h"
#include "lazuli/error.h"

namespace lazuli::safetensors {

static_assert(std::endian::native == std::endian::little, "values are used as they lie");

namespace {

using lazuli::printable;

constexpr uint64_t header_bytes_max = 100'000'000;
constexpr const char* metadata_name = "__metadata__";

struct DtypeName {
  Dtype dtype;
  const char* name;
};
constexpr DtypeName dtype_names[] = {
    {bool_, "BOOL"},  {uint8, "U8"},    {uint16, "U16"},    {uint32, "U32"},    {uint64, "U64"},
    {int8, "I8"},     {int16, "I16"},   {int32, "I32"},     {int64, "I64"},     {float16, "F16"},
    {float32, "F32"}, {float64, "F64"}, {bfloat16, "BF16"}, {complex64, "C64"},
};

std::optional<Dtype> dtype_of(std::string_view name) {
  for (const DtypeName& row : dtype_names) {
    if (name == row.name) return row.dtype;
  }
  if (name.starts_with("F8_")) return uint8;  // its bytes, which from_fp8 takes
  return std::nullopt;
}

// Bytes of a tensor; nothing if they are more than 2^63.
std::optional<int64_t> byte_count(Dtype dtype, std::span<const int64_t> shape) {
  int64_t bytes = dtype.size();
  for (int64_t extent : shape) {
    if (__builtin_mul_overflow(bytes, extent, &bytes)) return std::nullopt;
  }
  return bytes;
}

}  // namespace

const char* format_name(Dtype dtype) {
  for (const DtypeName& row : dtype_names) {
    if (dtype == row.dtype) return row.name;
  }
  throw TypeError("safetensors: the dtype has no name in this format");
}

const Tensor* File::find(std::string_view name) const {
  auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

const Tensor& File::tensor(std::string_view name) const {
  const Tensor* found = find(name);
  if (found == nullptr) {
    throw NotFoundError("safetensors file " + printable(path(), 1000) + ": no tensor " +
                        printable(name));
  }
  return *found;
}

class Reader {
 public:
  explicit Reader(std::shared_ptr<const io::MappedFile> storage) {
    bytes_ = storage->bytes();
    file_.storage_ = std::move(storage);
  }

  File read() {
    std::string_view text = read_header_text();
    Header header;
    try {
      header = parse_header(text);
    } catch (const HeaderError& error) {
      fail(error.field, sizeof(uint64_t) + error.position, error.problem);
    }
    for (HeaderTensor& tensor : header.tensors) add(tensor);
    file_.metadata_ = std::move(header.metadata);
    check_places();
    for (size_t i = 0; i < file_.tensors_.size(); ++i) file_.index_[file_.tensors_[i].name] = i;
    return std::move(file_);
  }

 private:
  [[noreturn]] void fail(const std::string& field, uint64_t offset,
                         const std::string& problem) const {
    throw IoError("safetensors file " + printable(file_.path(), 1000) + ": " + field + " at byte " +
                  std::to_string(offset) + ": " + problem);
  }

  std::string_view read_header_text() {
    uint64_t length;
    if (bytes_.size() < sizeof(length)) {
      fail("header length", 0,
           "8 bytes are needed and " + std::to_string(bytes_.size()) + " are in the file");
    }
    std::memcpy(&length, bytes_.data(), sizeof(length));
    if (length > header_bytes_max) {
      fail("header length", 0,
           std::to_string(length) + " is more than the limit of " +
               std::to_string(header_bytes_max) + "; the file is damaged or no safetensors file");
    }
    uint64_t left = bytes_.size() - sizeof(length);
    if (length > left) {
      fail("header length", 0,
           std::to_string(length) + " bytes are needed and " + std::to_string(left) +
               " are left in the file");
    }
    data_offset_ = sizeof(length) + length;
    std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + sizeof(length), length);
    if (!text.starts_with('{')) fail("header", sizeof(length), "does not begin with '{'");
    return text;
  }

  void add(HeaderTensor& parsed) {
    uint64_t offset = sizeof(uint64_t) + parsed.position;
    std::string of_tensor = " of tensor " + printable(parsed.name);
    std::optional<Dtype> dtype = dtype_of(parsed.dtype);
    std::vector<int64_t> shape;
    for (uint64_t extent : parsed.shape) {
      if (!std::in_range<int64_t>(extent)) {
        fail("field 'shape'" + of_tensor, offset,
             std::to_string(extent) + " does not fit into 63 bits");
      }
      shape.push_back(static_cast<int64_t>(extent));
    }
    uint64_t begin = parsed.offsets[0];
    uint64_t end = parsed.offsets[1];
    uint64_t data_size = bytes_.size() - data_offset_;
    if (begin > end || end > data_size) {
      fail("field 'data_offsets'" + of_tensor, offset,
           std::to_string(begin) + " to " + std::to_string(end) + " is no range in the " +
               std::to_string(data_size) + " bytes of data");
    }
    if (dtype) check_size(*dtype, shape, end - begin, of_tensor, offset);
    file_.tensors_.push_back({std::move(parsed.name), dtype, std::move(parsed.dtype),
                              std::move(shape), data_offset_ + begin,
                              bytes_.subspan(data_offset_ + begin, end - begin)});
  }

  void check_size(Dtype dtype, std::span<const int64_t> shape, uint64_t given,
                  const std::string& of_tensor, uint64_t offset) const {
    std::optional<int64_t> bytes = byte_count(dtype, shape);
    if (!bytes.has_value()) fail("field 'shape'" + of_tensor, offset, "more than 2^63 bytes");
    if (given != static_cast<uint64_t>(*bytes)) {
      fail("field 'data_offsets'" + of_tensor, offset,
           std::to_string(given) + " bytes where dtype and shape need " + std::to_string(*bytes));
    }
  }

  // The tensors fill the data: no two share bytes, none are left over.
  void check_places() {
    std::sort(file_.tensors_.begin(), file_.tensors_.end(), [](const Tensor& a, const Tensor& b) {
      return std::tuple(a.offset, a.bytes.size(), std::string_view(a.name)) <
             std::tuple(b.offset, b.bytes.size(), std::string_view(b.name));
    });
    uint64_t expected = data_offset_;
    for (const Tensor& tensor : file_.tensors_) {
      if (tensor.offset != expected) {
        fail("data of tensor " + printable(tensor.name), tensor.offset,
             tensor.offset < expected ? "overlaps the tensor before it"
                                      : "leaves a hole behind the tensor before it");
      }
      expected += tensor.bytes.size();
    }
    if (expected != bytes_.size()) {
      fail("data", expected,
           std::to_string(bytes_.size() - expected) + " bytes at the end belong to no tensor");
    }
  }

  File file_;
  std::span<const std::byte> bytes_;
  uint64_t data_offset_ = 0;
};

File open(const std::string& path, io::FileAccess access) {
  return open(io::MappedFile::open(path, access));
}

File open(std::shared_ptr<const io::MappedFile> storage) {
  return Reader(std::move(storage)).read();
}

namespace {

void check_source(const Source& tensor) {
  std::string named = "safetensors::save: tensor " + printable(tensor.name);
  if (tensor.name == metadata_name) throw ArgumentError(named + " has the metadata's name");
  for (int64_t extent : tensor.shape) {
    if (extent < 0) throw ArgumentError(named + " has a negative dimension");
  }
  std::optional<int64_t> bytes = byte_count(tensor.dtype, tensor.shape);
  if (!bytes.has_value() || static_cast<uint64_t>(*bytes) != tensor.bytes.size()) {
    throw ArgumentError(named + " has " + std::to_string(tensor.bytes.size()) +
                        " bytes where its dtype and shape need " +
                        (bytes.has_value() ? std::to_string(*bytes) : "more than 2^63"));
  }
}

std::string json_text(const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    throw ArgumentError("safetensors::save: " + printable(text) + " is no UTF-8 text");
  }
}

std::string header_of(const std::vector<Source>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::string header = "{";
  std::string separator;
  if (!metadata.empty()) {
    header += json_text(metadata_name) + ":{";
    for (const auto& [key, value] : metadata) {
      header += separator + json_text(key) + ":" + json_text(value);
      separator = ",";
    }
    header += "}";
  }
  std::set<std::string_view> names;
  uint64_t offset = 0;
  for (const Source& tensor : tensors) {
    if (!names.insert(tensor.name).second) {
      throw ArgumentError("safetensors::save: tensor " + printable(tensor.name) +
                          " is there twice");
    }
    header += separator + json_text(tensor.name) + ":{\"dtype\":\"" + format_name(tensor.dtype) +
              "\",\"shape\":" + nlohmann::json(tensor.shape).dump() + ",\"data_offsets\":[" +
              std::to_string(offset) + "," + std::to_string(offset + tensor.bytes.size()) + "]}";
    separator = ",";
    offset += tensor.bytes.size();
  }
  return header + "}";
}

}  // namespace

void write(const std::function<void(std::span<const std::byte>)>& sink, std::vector<Source> tensors,
           const std::map<std::string, std::string>& metadata) {
  for (const Source& tensor : tensors) check_source(tensor);
  std::sort(tensors.begin(), tensors.end(), [](const Source& a, const Source& b) {
    if (a.dtype.size() != b.dtype.size()) return a.dtype.size() > b.dtype.size();
    return a.name < b.name;
  });
  std::string header = header_of(tensors, metadata);
  header.append((8 - header.size() % 8) % 8, ' ');  // so that the data begins aligned
  uint64_t length = header.size();
  if (length > header_bytes_max) {
    throw ArgumentError("safetensors::save: a header of " + std::to_string(length) +
                        " bytes is more than the format's limit of " +
                        std::to_string(header_bytes_max) + "; write several files");
  }
  sink(std::as_bytes(std::span(&length, 1)));
  sink(std::as_bytes(std::span(header)));
  for (const Source& tensor : tensors) sink(tensor.bytes);
}

void save(const std::string& path, std::vector<Source> tensors,
          const std::map<std::string, std::string>& metadata) {
  AtomicFile file(path);
  write([&](std::span<const std::byte> bytes) { file.write(bytes); }, std::move(tensors), metadata);
  file.commit();
}

}  // namespace lazuli::safetensors
