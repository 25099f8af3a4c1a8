// The GGUF value and tensor types, and the questions one can ask an open file.
#include <cstring>
#include <limits>

#include "base/message.h"
#include "lazuli/error.h"
#include "lazuli/io/gguf.h"

namespace lazuli::gguf {

namespace {

using lazuli::printable;

constexpr const char* value_type_names[] = {
    "uint8", "int8",   "uint16", "int16",  "uint32", "int32",   "float32",
    "bool",  "string", "array",  "uint64", "int64",  "float64",
};

// The types that are no packed format; those stand in the table of packed_format.h. The ones with
// neither dtype nor packed format are known so that a file holding them can be opened and listed.
const TensorType plain_types[] = {
    {0, "F32", 1, 4, float32, {}},    {1, "F16", 1, 2, float16, {}},
    {9, "Q8_1", 32, 40, {}, {}},      {15, "Q8_K", 256, 292, {}, {}},
    {16, "IQ2_XXS", 256, 66, {}, {}}, {17, "IQ2_XS", 256, 74, {}, {}},
    {18, "IQ3_XXS", 256, 98, {}, {}}, {19, "IQ1_S", 256, 50, {}, {}},
    {20, "IQ4_NL", 32, 18, {}, {}},   {21, "IQ3_S", 256, 110, {}, {}},
    {22, "IQ2_S", 256, 82, {}, {}},   {23, "IQ4_XS", 256, 136, {}, {}},
    {24, "I8", 1, 1, int8, {}},       {25, "I16", 1, 2, int16, {}},
    {26, "I32", 1, 4, int32, {}},     {27, "I64", 1, 8, int64, {}},
    {28, "F64", 1, 8, float64, {}},   {29, "IQ1_M", 256, 56, {}, {}},
    {30, "BF16", 1, 2, bfloat16, {}}, {34, "TQ1_0", 256, 54, {}, {}},
    {35, "TQ2_0", 256, 66, {}, {}},   {39, "MXFP4", 32, 17, {}, {}},
};

// Calls `take(number)` for each number of the array, as the C++ type it has in the file.
template <class Take>
void for_each_number(const Array& array, Take take) {
  auto walk = [&]<class T>(T) {
    for (size_t i = 0; i < array.size(); ++i) {
      T number;
      std::memcpy(&number, array.bytes().data() + i * sizeof(T), sizeof(T));
      take(number);
    }
  };
  switch (array.element_type()) {
    case ValueType::uint8: return walk(uint8_t{});
    case ValueType::int8: return walk(int8_t{});
    case ValueType::uint16: return walk(uint16_t{});
    case ValueType::int16: return walk(int16_t{});
    case ValueType::uint32: return walk(uint32_t{});
    case ValueType::int32: return walk(int32_t{});
    case ValueType::float32: return walk(float{});
    case ValueType::bool_: return walk(uint8_t{});
    case ValueType::uint64: return walk(uint64_t{});
    case ValueType::int64: return walk(int64_t{});
    case ValueType::float64: return walk(double{});
    case ValueType::string:
    case ValueType::array:
      throw TypeError(std::string("gguf array: its elements are of type ") +
                      value_type_name(array.element_type()) + ", not numbers");
  }
}

std::string place(const File& file, std::string_view what, std::string_view key) {
  return "gguf file " + printable(file.path(), 1000) + ": " + std::string(what) + " " +
         printable(key);
}

const Value& require(const File& file, std::string_view key) {
  const Value* value = file.find(key);
  if (value == nullptr) throw NotFoundError(place(file, "no metadata key", key));
  return *value;
}

[[noreturn]] void fail_type(const File& file, std::string_view key, const Value& value,
                            const char* wanted) {
  throw TypeError(place(file, "metadata key", key) + " is of type " +
                  value_type_name(static_cast<ValueType>(value.index())) + ", not " + wanted);
}

}  // namespace

const char* value_type_name(ValueType type) {
  uint32_t index = static_cast<uint32_t>(type);
  return index < std::size(value_type_names) ? value_type_names[index] : "unknown";
}

size_t value_bytes(ValueType type) {
  switch (type) {
    case ValueType::uint8:
    case ValueType::int8:
    case ValueType::bool_: return 1;
    case ValueType::uint16:
    case ValueType::int16: return 2;
    case ValueType::uint32:
    case ValueType::int32:
    case ValueType::float32: return 4;
    case ValueType::uint64:
    case ValueType::int64:
    case ValueType::float64: return 8;
    default: return 0;
  }
}

std::optional<TensorType> tensor_type(uint32_t id) {
  if (std::optional<PackedFormat> format = packed_format_from_gguf(id)) {
    const PackedFormatInfo& info = packed_format_info(*format);
    return TensorType{id, info.name, info.block_elements, info.block_bytes, {}, format};
  }
  for (const TensorType& type : plain_types) {
    if (type.id == id) return type;
  }
  return std::nullopt;
}

std::optional<TensorType> tensor_type(Dtype dtype) {
  for (const TensorType& type : plain_types) {
    if (type.dtype == dtype) return type;
  }
  return std::nullopt;
}

Array::Array(ValueType element_type, size_t size, std::span<const std::byte> bytes)
    : element_type_(element_type), size_(size), bytes_(bytes) {}

Array::Array(std::vector<std::string_view> strings)
    : element_type_(ValueType::string), size_(strings.size()), strings_(std::move(strings)) {}

std::span<const std::string_view> Array::strings() const {
  if (element_type_ != ValueType::string) {
    throw TypeError(std::string("gguf array: its elements are of type ") +
                    value_type_name(element_type_) + ", not strings");
  }
  return strings_;
}

std::vector<float> Array::floats() const {
  std::vector<float> result;
  result.reserve(bytes_.empty() ? 0 : size_);
  for_each_number(*this, [&](auto number) { result.push_back(static_cast<float>(number)); });
  return result;
}

std::vector<int64_t> Array::integers() const {
  if (element_type_ == ValueType::float32 || element_type_ == ValueType::float64) {
    throw TypeError(std::string("gguf array: its elements are of type ") +
                    value_type_name(element_type_) + ", not integers");
  }
  std::vector<int64_t> result;
  result.reserve(bytes_.empty() ? 0 : size_);
  for_each_number(*this, [&](auto number) {
    if constexpr (std::is_same_v<decltype(number), uint64_t>) {
      if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        throw ArgumentError("gguf array: " + std::to_string(number) + " does not fit into int64");
      }
    }
    result.push_back(static_cast<int64_t>(number));
  });
  return result;
}

const Value* File::find(std::string_view key) const {
  auto found = metadata_index_.find(key);
  return found == metadata_index_.end() ? nullptr : &metadata_[found->second].value;
}

const Tensor* File::find_tensor(std::string_view name) const {
  auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

const Tensor& File::tensor(std::string_view name) const {
  const Tensor* found = find_tensor(name);
  if (found == nullptr) throw NotFoundError(place(*this, "no tensor", name));
  return *found;
}

std::string_view File::text(std::string_view key) const {
  const Value& value = require(*this, key);
  const std::string_view* text = std::get_if<std::string_view>(&value);
  if (text == nullptr) fail_type(*this, key, value, "a string");
  return *text;
}

int64_t File::integer(std::string_view key) const {
  const Value& value = require(*this, key);
  return std::visit(
      [&](const auto& held) -> int64_t {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
          if (std::in_range<int64_t>(held)) return static_cast<int64_t>(held);
        }
        fail_type(*this, key, value, "an integer that fits into int64");
      },
      value);
}

double File::number(std::string_view key) const {
  const Value& value = require(*this, key);
  return std::visit(
      [&](const auto& held) -> double {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
          return static_cast<double>(held);
        } else {
          fail_type(*this, key, value, "a number");
        }
      },
      value);
}

bool File::flag(std::string_view key) const {
  const Value& value = require(*this, key);
  const bool* flag = std::get_if<bool>(&value);
  if (flag == nullptr) fail_type(*this, key, value, "a bool");
  return *flag;
}

const Array& File::array(std::string_view key) const {
  const Value& value = require(*this, key);
  const Array* array = std::get_if<Array>(&value);
  if (array == nullptr) fail_type(*this, key, value, "an array");
  return *array;
}

std::string_view File::text(std::string_view key, std::string_view fallback) const {
  return find(key) == nullptr ? fallback : text(key);
}

int64_t File::integer(std::string_view key, int64_t fallback) const {
  return find(key) == nullptr ? fallback : integer(key);
}

double File::number(std::string_view key, double fallback) const {
  return find(key) == nullptr ? fallback : number(key);
}

bool File::flag(std::string_view key, bool fallback) const {
  return find(key) == nullptr ? fallback : flag(key);
}

}  // namespace lazuli::gguf
