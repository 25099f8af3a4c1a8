// Arrays and metadata from and into GGUF files.
#include <algorithm>
#include <cstring>
#include <limits>

#include "base/message.h"
#include "io/array_bytes.h"
#include "lazuli/error.h"
#include "lazuli/io.h"
#include "lazuli/ops.h"
#include "lazuli/packed.h"

namespace lazuli {

namespace {

using gguf::ValueType;
using Arrays = std::unordered_map<std::string, array>;

// The number types that metadata and dtypes share; GGUF has no half floats there.
struct NumberType {
  ValueType type;
  Dtype dtype;
};
constexpr NumberType number_types[] = {
    {ValueType::uint8, uint8},     {ValueType::int8, int8},       {ValueType::uint16, uint16},
    {ValueType::int16, int16},     {ValueType::uint32, uint32},   {ValueType::int32, int32},
    {ValueType::float32, float32}, {ValueType::bool_, bool_},     {ValueType::uint64, uint64},
    {ValueType::int64, int64},     {ValueType::float64, float64},
};

Dtype dtype_of(ValueType type) {
  for (const NumberType& row : number_types) {
    if (row.type == type) return row.dtype;
  }
  throw TypeError(std::string("[load_gguf] There is no dtype for ") + gguf::value_type_name(type));
}

GGUFMetaData metadata_of(const gguf::Array& values) {
  if (values.element_type() == ValueType::string) {
    return std::vector<std::string>(values.strings().begin(), values.strings().end());
  }
  Dtype dtype = dtype_of(values.element_type());
  return io::copy_of(values.bytes(), {static_cast<int64_t>(values.size())}, dtype);
}

GGUFMetaData metadata_of(const gguf::Value& value) {
  return std::visit(
      [](const auto& held) -> GGUFMetaData {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          return std::string(held);
        } else if constexpr (std::is_same_v<T, gguf::Array>) {
          return metadata_of(held);
        } else {
          Dtype dtype = TypeToDtype<T>::value;
          return io::copy_of(std::as_bytes(std::span(&held, 1)), {}, dtype);
        }
      },
      value);
}

// Q4_0, Q4_1 and Q8_0 in the form of affine quantisation: value = scale * q + bias, q unsigned, in
// groups of 32. Blocks hold a float16 scale, in Q4_1 a float16 minimum, then the numbers: in the
// 4-bit types byte j has elements j (low half) and j + 16, in Q8_0 they are signed.
struct AffineRow {
  PackedFormat format;
  int64_t blocks;
  uint32_t* weight;
  uint16_t* scales;
  uint16_t* biases;

  int words() const { return format == PackedFormat::q8_0 ? 8 : 4; }  // of a block

  void convert(const std::byte* in) {
    size_t block_bytes = static_cast<size_t>(packed_format_info(format).block_bytes);
    for (int64_t b = 0; b < blocks; ++b, in += block_bytes) {
      float16_t scale;
      std::memcpy(&scale.bits, in, 2);
      scales[b] = scale.bits;
      const std::byte* numbers = in + 2;
      if (format == PackedFormat::q4_1) {
        std::memcpy(&biases[b], in + 2, 2);
        numbers += 2;
      } else {
        float middle = format == PackedFormat::q4_0 ? 8.0f : 128.0f;
        biases[b] = float16_t(-middle * static_cast<float>(scale)).bits;
      }
      if (format == PackedFormat::q8_0) {
        convert_bytes(numbers, weight + b * 8);
      } else {
        convert_nibbles(numbers, weight + b * 4);
      }
    }
  }

  static void convert_bytes(const std::byte* numbers, uint32_t* out) {
    std::memcpy(out, numbers, 32);
    for (int i = 0; i < 8; ++i) out[i] ^= 0x80808080u;  // adds 128 to each
  }

  static void convert_nibbles(const std::byte* numbers, uint32_t* out) {
    for (int i = 0; i < 4; ++i) out[i] = 0;
    for (int element = 0; element < 32; ++element) {
      uint32_t pair = static_cast<uint32_t>(numbers[element % 16]);
      uint32_t nibble = element < 16 ? pair & 15 : pair >> 4;
      out[element / 8] |= nibble << (4 * (element % 8));
    }
  }
};

void add_affine(const gguf::Tensor& tensor, PackedFormat format, Arrays& arrays) {
  AffineRow row{format, tensor.elements / 32, nullptr, nullptr, nullptr};
  std::vector<uint32_t> weight(static_cast<size_t>(row.blocks * row.words()));
  std::vector<uint16_t> scales(static_cast<size_t>(row.blocks)), biases(scales.size());
  row.weight = weight.data();
  row.scales = scales.data();
  row.biases = biases.data();
  row.convert(tensor.bytes.data());

  std::string name(tensor.name);
  std::string stem = name.ends_with(".weight") ? name.substr(0, name.size() - 7) : name;
  std::vector<int64_t> shape = tensor.shape;
  std::vector<int64_t> groups = shape;
  groups.back() /= 32;
  shape.back() = groups.back() * row.words();
  arrays.emplace(name, io::copy_of(std::as_bytes(std::span(weight)), shape, uint32));
  arrays.emplace(stem + ".scales", io::copy_of(std::as_bytes(std::span(scales)), groups, float16));
  arrays.emplace(stem + ".biases", io::copy_of(std::as_bytes(std::span(biases)), groups, float16));
}

void add_tensor(const gguf::File& file, const gguf::Tensor& tensor, StreamOrDevice s,
                Arrays& arrays) {
  std::optional<PackedFormat> format = tensor.type.packed;
  bool is_affine =
      format == PackedFormat::q4_0 || format == PackedFormat::q4_1 || format == PackedFormat::q8_0;
  if (is_affine) return add_affine(tensor, *format, arrays);
  array values = gguf::tensor_array(file, tensor);
  if (format) values = packed_dequantize(values, *format, float16, s);
  arrays.emplace(std::string(tensor.name), values);
}

void add_metadata(gguf::Writer& writer, const std::string& key, const array& value) {
  if (value.ndim() > 1) {
    throw ArgumentError("[save_gguf] Metadata " + printable(key) + " is an array of " +
                        std::to_string(value.ndim()) + " dimensions; GGUF has 0 or 1.");
  }
  for (const NumberType& row : number_types) {
    if (row.dtype != value.dtype()) continue;
    array values = io::laid_out(value);
    return value.ndim() == 0
               ? writer.add_number(key, row.type, io::bytes_of(values))
               : writer.add_numbers(key, row.type, values.size(), io::bytes_of(values));
  }
  throw TypeError("[save_gguf] Metadata " + printable(key) + " is of dtype " +
                  dtype_name(value.dtype()) + ", which GGUF metadata cannot hold.");
}

void add_metadata(gguf::Writer& writer, const std::string& key, const GGUFMetaData& value) {
  if (const auto* number = std::get_if<array>(&value)) add_metadata(writer, key, *number);
  if (const auto* text = std::get_if<std::string>(&value)) writer.add(key, *text);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    std::vector<std::string_view> views(texts->begin(), texts->end());
    writer.add(key, std::span<const std::string_view>(views));
  }
}

gguf::TensorType tensor_type_of(const std::string& name, Dtype dtype) {
  if (std::optional<gguf::TensorType> type = gguf::tensor_type(dtype)) return *type;
  throw TypeError("[save_gguf] Array " + printable(name) + " is of dtype " + dtype_name(dtype) +
                  ", which GGUF cannot hold; convert it with astype.");
}

uint32_t alignment_of(const std::unordered_map<std::string, GGUFMetaData>& metadata) {
  auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return 32;
  const array* value = std::get_if<array>(&found->second);
  if (value == nullptr || value->size() != 1) {
    throw ArgumentError("[save_gguf] Metadata 'general.alignment' is no number.");
  }
  int64_t alignment = value->item<int64_t>();
  if (alignment < 0 || alignment > std::numeric_limits<uint32_t>::max()) {
    throw ArgumentError("[save_gguf] Metadata 'general.alignment' is " + std::to_string(alignment) +
                        ", which does not fit into 32 bits.");
  }
  return static_cast<uint32_t>(alignment);
}

}  // namespace

array gguf::tensor_array(const File& file, const Tensor& tensor) {
  if (tensor.type.dtype) {
    return io::array_over(file.storage(), tensor.bytes, tensor.shape, *tensor.type.dtype);
  }
  if (!tensor.type.packed) {
    throw IoError("gguf file " + printable(file.path(), 1000) + ": tensor " +
                  printable(tensor.name) + " is of type " + tensor.type.name +
                  ", which is not supported; convert the file to another type");
  }
  std::vector<int64_t> shape = tensor.shape;
  shape.back() = packed_row_bytes(*tensor.type.packed, shape.back());
  return io::array_over(file.storage(), tensor.bytes, shape, uint8);
}

GGUFLoad load_gguf(const std::string& path, StreamOrDevice s, io::FileAccess access) {
  gguf::File file = gguf::open(path, access);
  GGUFLoad result;
  for (const gguf::Tensor& tensor : file.tensors()) add_tensor(file, tensor, s, result.first);
  for (const gguf::Entry& entry : file.metadata()) {
    result.second.emplace(std::string(entry.key), metadata_of(entry.value));
  }
  return result;
}

void save_gguf(std::string file, std::unordered_map<std::string, array> array_map,
               std::unordered_map<std::string, GGUFMetaData> meta_data) {
  gguf::Writer writer(alignment_of(meta_data));
  // By name, so that the same arrays always give the same file.
  std::map<std::string, GGUFMetaData> sorted_metadata(meta_data.begin(), meta_data.end());
  for (const auto& [key, value] : sorted_metadata) {
    if (key != "general.alignment") add_metadata(writer, key, value);
  }
  std::map<std::string, array> sorted(array_map.begin(), array_map.end());
  for (auto& [name, value] : sorted) {
    gguf::TensorType type = tensor_type_of(name, value.dtype());
    value = io::laid_out(value);
    writer.add_tensor(name, type, io::shape_of(value), io::bytes_of(value));
  }
  writer.save(io::with_ending(std::move(file), ".gguf"));
}

}  // namespace lazuli
