#include "lazuli/io/gguf.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "lazuli/error.h"
#include "support/temporary_folder.h"

namespace lazuli::gguf {
namespace {

using testing::content_of;
using testing::message_of;
using testing::TemporaryFolder;

// Puts a GGUF file together field by field, so that any field can be wrong.
struct Bytes {
  std::string text;

  template <class T>
  Bytes& number(T value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof(T));
    return *this;
  }
  Bytes& string(std::string_view value) {
    number<uint64_t>(value.size());
    text += value;
    return *this;
  }
  Bytes& header(uint64_t tensors, uint64_t entries, uint32_t version = 3) {
    text += "GGUF";
    return number(version).number(tensors).number(entries);
  }
  Bytes& key(std::string_view name, uint32_t type) { return string(name).number(type); }
  Bytes& tensor(std::string_view name, std::vector<uint64_t> dimensions, uint32_t type,
                uint64_t offset) {
    string(name).number(static_cast<uint32_t>(dimensions.size()));
    for (uint64_t extent : dimensions) number(extent);
    return number(type).number(offset);
  }
  Bytes& data(size_t count) {
    text.resize((text.size() + 31) / 32 * 32 + count);
    return *this;
  }
};

File open_bytes(const Bytes& bytes) {
  TemporaryFolder folder;
  return open(folder.write("x.gguf", bytes.text));
}

// The error message without the path.
std::string error_of(const Bytes& bytes) {
  TemporaryFolder folder;
  std::string path = folder.write("x.gguf", bytes.text);
  std::string message = message_of<IoError>([&] { open(path); });
  std::string prefix = "gguf file '" + path + "': ";
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}

TEST(GgufReader, ReadsEveryValueType) {
  Bytes bytes;
  bytes.header(0, 14);
  bytes.key("u8", 0).number<uint8_t>(200);
  bytes.key("i8", 1).number<int8_t>(-100);
  bytes.key("u16", 2).number<uint16_t>(60000);
  bytes.key("i16", 3).number<int16_t>(-30000);
  bytes.key("u32", 4).number<uint32_t>(4'000'000'000u);
  bytes.key("i32", 5).number<int32_t>(-2'000'000'000);
  bytes.key("f32", 6).number<float>(1.5f);
  bytes.key("bool", 7).number<uint8_t>(1);
  bytes.key("string", 8).string("text");
  bytes.key("u64", 10).number<uint64_t>(std::numeric_limits<uint64_t>::max());
  bytes.key("i64", 11).number<int64_t>(-5'000'000'000);
  bytes.key("f64", 12).number<double>(0.1);
  bytes.key("strings", 9).number<uint32_t>(8).number<uint64_t>(2).string("a").string("");
  bytes.key("numbers", 9).number<uint32_t>(3).number<uint64_t>(2).number<int16_t>(-1).number(
      int16_t{7});
  File file = open_bytes(bytes);
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.metadata().size(), 14u);
  EXPECT_EQ(file.metadata()[4].key, "u32");
  EXPECT_EQ(file.metadata()[4].type(), ValueType::uint32);
  EXPECT_EQ(file.integer("u8"), 200);
  EXPECT_EQ(file.integer("i8"), -100);
  EXPECT_EQ(file.integer("u16"), 60000);
  EXPECT_EQ(file.integer("i16"), -30000);
  EXPECT_EQ(file.integer("u32"), 4'000'000'000);
  EXPECT_EQ(file.integer("i32"), -2'000'000'000);
  EXPECT_EQ(file.number("f32"), 1.5);
  EXPECT_EQ(file.number("i32"), -2e9);
  EXPECT_TRUE(file.flag("bool"));
  EXPECT_EQ(file.text("string"), "text");
  EXPECT_EQ(std::get<uint64_t>(*file.find("u64")), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(file.integer("i64"), -5'000'000'000);
  EXPECT_EQ(file.number("f64"), 0.1);
  ASSERT_EQ(file.array("strings").size(), 2u);
  EXPECT_EQ(file.array("strings").strings()[0], "a");
  EXPECT_EQ(file.array("strings").strings()[1], "");
  EXPECT_EQ(file.array("numbers").integers(), (std::vector<int64_t>{-1, 7}));
  EXPECT_EQ(file.array("numbers").floats(), (std::vector<float>{-1, 7}));
  EXPECT_EQ(file.find("missing"), nullptr);
  EXPECT_EQ(file.integer("missing", 3), 3);
  EXPECT_EQ(file.number("missing", 0.5), 0.5);
  EXPECT_EQ(file.text("missing", "none"), "none");
  EXPECT_TRUE(file.flag("missing", true));
}

TEST(GgufReader, QuestionsOfTheWrongKind) {
  Bytes bytes;
  bytes.header(0, 4);
  bytes.key("text", 8).string("x");
  bytes.key("big", 10).number<uint64_t>(std::numeric_limits<uint64_t>::max());
  bytes.key("strings", 9).number<uint32_t>(8).number<uint64_t>(1).string("a");
  bytes.key("bigs", 9).number<uint32_t>(10).number<uint64_t>(1).number<uint64_t>(~uint64_t{0});
  TemporaryFolder folder;
  std::string path = folder.write("x.gguf", bytes.text);
  File file = open(path);
  std::string prefix = "gguf file '" + path + "': ";
  EXPECT_EQ(message_of<TypeError>([&] { file.integer("text"); }),
            prefix + "metadata key 'text' is of type string, not an integer that fits into int64");
  EXPECT_EQ(message_of<TypeError>([&] { file.integer("big"); }),
            prefix + "metadata key 'big' is of type uint64, not an integer that fits into int64");
  EXPECT_EQ(message_of<TypeError>([&] { file.number("text"); }),
            prefix + "metadata key 'text' is of type string, not a number");
  EXPECT_EQ(message_of<TypeError>([&] { file.flag("big"); }),
            prefix + "metadata key 'big' is of type uint64, not a bool");
  EXPECT_EQ(message_of<TypeError>([&] { file.text("big", "fallback"); }),
            prefix + "metadata key 'big' is of type uint64, not a string");
  EXPECT_EQ(message_of<TypeError>([&] { file.array("text"); }),
            prefix + "metadata key 'text' is of type string, not an array");
  EXPECT_EQ(message_of<NotFoundError>([&] { file.flag("missing"); }),
            prefix + "no metadata key 'missing'");
  EXPECT_EQ(message_of<NotFoundError>([&] { file.tensor("missing"); }),
            prefix + "no tensor 'missing'");
  EXPECT_EQ(message_of<TypeError>([&] { file.array("strings").floats(); }),
            "gguf array: its elements are of type string, not numbers");
  EXPECT_EQ(message_of<TypeError>([&] { file.array("bigs").strings(); }),
            "gguf array: its elements are of type uint64, not strings");
  EXPECT_EQ(message_of<ArgumentError>([&] { file.array("bigs").integers(); }),
            "gguf array: 18446744073709551615 does not fit into int64");
  float one = 1;
  EXPECT_EQ(message_of<TypeError>([&] {
              Array(ValueType::float32, 1, std::as_bytes(std::span(&one, 1))).integers();
            }),
            "gguf array: its elements are of type float32, not integers");
}

TEST(GgufReader, ReadsTensors) {
  Bytes bytes;
  bytes.header(4, 0, 2);
  bytes.tensor("matrix", {3, 2}, 0, 0).tensor("packed", {256, 5}, 12, 32);
  bytes.tensor("scalar", {}, 28, 768).tensor("empty", {0, 7}, 1, 96).data(776);
  File file = open_bytes(bytes);
  EXPECT_EQ(file.version(), 2u);
  EXPECT_EQ(file.data_offset() % 32, 0u);
  const Tensor& matrix = file.tensor("matrix");
  EXPECT_EQ(matrix.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(matrix.elements, 6);
  EXPECT_EQ(matrix.type.dtype, float32);
  EXPECT_EQ(matrix.offset, file.data_offset());
  EXPECT_EQ(matrix.bytes.size(), 24u);
  const Tensor& packed = file.tensor("packed");
  EXPECT_EQ(packed.type.packed, PackedFormat::q4_k);
  EXPECT_FALSE(packed.type.dtype.has_value());
  EXPECT_EQ(packed.bytes.size(), 5 * 144u);
  EXPECT_EQ(packed.bytes.data() - file.storage()->bytes().data(),
            static_cast<int64_t>(file.data_offset() + 32));
  EXPECT_EQ(file.tensor("scalar").elements, 1);
  EXPECT_EQ(file.tensor("scalar").bytes.size(), 8u);
  EXPECT_EQ(file.tensor("empty").bytes.size(), 0u);
}

TEST(GgufReader, TensorTypesHaveNamesAndSizes) {
  EXPECT_STREQ(tensor_type(12)->name, "Q4_K");
  EXPECT_EQ(tensor_type(12)->packed, PackedFormat::q4_k);
  EXPECT_STREQ(tensor_type(30)->name, "BF16");
  EXPECT_EQ(tensor_type(30)->dtype, bfloat16);
  EXPECT_FALSE(tensor_type(4).has_value());
  EXPECT_FALSE(tensor_type(~0u).has_value());
  EXPECT_STREQ(value_type_name(ValueType::float64), "float64");
  EXPECT_STREQ(value_type_name(static_cast<ValueType>(13)), "unknown");
}

TEST(GgufReader, HeaderErrors) {
  EXPECT_EQ(error_of({}), "magic at byte 0: 4 bytes are needed and 0 are left in the file");
  EXPECT_EQ(error_of({"PK\x03\x04 and so on"}),
            "magic at byte 0: the file does not begin with 'GGUF', so it is no GGUF file");
  EXPECT_EQ(error_of({"GGUF\x03"}),
            "version at byte 4: 4 bytes are needed and 1 are left in the file");
  EXPECT_EQ(error_of(Bytes().header(0, 0, 0x03000000)),
            "version at byte 4: the file is big endian; convert it to little endian");
  EXPECT_EQ(error_of(Bytes().header(0, 0, 1)),
            "version at byte 4: version 1 is not supported, only 2 and 3; convert the file anew");
  EXPECT_EQ(error_of(Bytes().header(0, 0, 4)),
            "version at byte 4: version 4 is not supported, only 2 and 3; convert the file anew");
  EXPECT_EQ(error_of(Bytes().header(~uint64_t{0}, 0)),
            "tensor count at byte 8: 18446744073709551615 of at least 24 bytes each do not fit "
            "into the 8 bytes that are left in the file");
  EXPECT_EQ(error_of(Bytes().header(0, 2).number<uint64_t>(0).number<uint64_t>(0)),
            "metadata count at byte 16: 2 of at least 13 bytes each do not fit into the 16 bytes "
            "that are left in the file");
}

TEST(GgufReader, MetadataErrors) {
  EXPECT_EQ(error_of(Bytes().header(0, 1).number<uint64_t>(1 << 20).data(32)),
            "metadata key at byte 24: a length of 1048576 is more than the limit of 65535");
  EXPECT_EQ(error_of(Bytes().header(0, 1).number<uint64_t>(100).number<uint64_t>(0)),
            "metadata key at byte 32: 100 bytes are needed and 8 are left in the file");
  EXPECT_EQ(error_of(Bytes().header(0, 1).key("a", 13).number<uint64_t>(0)),
            "type of metadata key 'a' at byte 33: there is no value type 13");
  EXPECT_EQ(error_of(Bytes().header(0, 1).key("a", 7).number<uint8_t>(2)),
            "value of metadata key 'a' at byte 37: a bool must be 0 or 1, not 2");
  EXPECT_EQ(error_of(Bytes().header(0, 1).key("a", 10).number<uint32_t>(2)),
            "value of metadata key 'a' at byte 37: 8 bytes are needed and 4 are left in the file");
  EXPECT_EQ(error_of(Bytes().header(0, 2).key("a", 0).number<uint8_t>(2).key("a", 0).number(
                uint8_t{1})),
            "name of metadata key 'a' at byte 38: the key is there twice");
  EXPECT_EQ(error_of(Bytes().header(0, 1).key("\x1b[2J", 13)),
            "type of metadata key '\\x1b[2J' at byte 36: there is no value type 13");
}

TEST(GgufReader, ArrayErrors) {
  EXPECT_EQ(error_of(Bytes().header(0, 1).key("a", 9).number<uint32_t>(9).number<uint64_t>(1)),
            "element type of metadata key 'a' at byte 37: arrays of arrays are not supported");
  EXPECT_EQ(
      error_of(Bytes().header(0, 1).key("a", 9).number<uint32_t>(8).number<uint64_t>(1).number(
          uint32_t{0})),
      "length of metadata key 'a' at byte 41: 1 of at least 8 bytes each do not fit into the 4 "
      "bytes that are left in the file");
  EXPECT_EQ(error_of(Bytes()
                         .header(0, 1)
                         .key("a", 9)
                         .number<uint32_t>(10)
                         .number<uint64_t>(uint64_t{1} << 61)
                         .number<uint64_t>(0)),
            "length of metadata key 'a' at byte 41: 2305843009213693952 of at least 8 bytes each "
            "do not fit into the 8 bytes that are left in the file");
  EXPECT_EQ(
      error_of(Bytes().header(0, 1).key("a", 9).number<uint32_t>(7).number<uint64_t>(2).number(
          uint16_t{0x0301})),
      "values of metadata key 'a' at byte 50: a bool must be 0 or 1");
  EXPECT_EQ(error_of(Bytes().header(0, 1).key("a", 9).number<uint32_t>(8).number<uint64_t>(1).number(
                uint64_t{5})),
            "string of metadata key 'a' at byte 57: 5 bytes are needed and 0 are left in the file");
}

TEST(GgufReader, AlignmentErrors) {
  EXPECT_EQ(error_of(Bytes().header(0, 1).key("general.alignment", 10).number<uint64_t>(32)),
            "value of metadata key 'general.alignment' at byte 24: the alignment must be of type "
            "uint32");
  for (uint32_t alignment : {0u, 4u, 33u}) {
    EXPECT_EQ(error_of(Bytes().header(0, 1).key("general.alignment", 4).number(alignment)),
              "value of metadata key 'general.alignment' at byte 24: " +
                  std::to_string(alignment) + " is not a multiple of 8");
  }
}

TEST(GgufReader, TensorErrors) {
  EXPECT_EQ(error_of(Bytes().header(1, 0).tensor("t", std::vector<uint64_t>(9, 1), 0, 0)),
            "number of dimensions of tensor 't' at byte 33: 9 is more than the limit of 8");
  EXPECT_EQ(error_of(Bytes().header(1, 0).tensor("t", {uint64_t{1} << 63}, 0, 0)),
            "dimension of tensor 't' at byte 37: 9223372036854775808 does not fit into 63 bits");
  EXPECT_EQ(error_of(Bytes().header(1, 0).tensor("t", {1ull << 40, 1ull << 40}, 0, 0)),
            "shape of tensor 't' at byte 33: it has more than 2^63 elements");
  EXPECT_EQ(error_of(Bytes().header(1, 0).tensor("t", {1}, 4, 0)),
            "type of tensor 't' at byte 45: there is no tensor type 4");
  EXPECT_EQ(error_of(Bytes().header(1, 0).tensor("t", {1ull << 62}, 28, 0)),
            "shape of tensor 't' at byte 24: it has more than 2^64 bytes");
  EXPECT_EQ(error_of(Bytes().header(1, 0).tensor("t", {40}, 2, 0)),
            "shape of tensor 't' at byte 24: rows of 40 elements are no whole number of Q4_0 "
            "blocks of 32");
  EXPECT_EQ(error_of(Bytes().header(1, 0).tensor("t", {4}, 0, 8).data(64)),
            "offset of tensor 't' at byte 24: 8 is not a multiple of the alignment of 32");
  EXPECT_EQ(error_of(Bytes().header(1, 0).tensor("t", {4}, 0, 32).data(47)),
            "offset of tensor 't' at byte 24: 16 bytes at 32 reach beyond the file's tensor data "
            "of 47 bytes");
  EXPECT_EQ(error_of(Bytes().header(1, 0).tensor("t", {4}, 0, ~uint64_t{31}).data(64)),
            "offset of tensor 't' at byte 24: 16 bytes at 18446744073709551584 reach beyond the "
            "file's tensor data of 64 bytes");
  EXPECT_EQ(error_of(Bytes().header(2, 0).tensor("t", {0}, 0, 0).tensor("t", {0}, 0, 0)),
            "name of tensor 't' at byte 57: the name is there twice");
}

Writer example(const std::vector<float>& numbers) {
  Writer writer(64);
  writer.add("general.name", "example");
  writer.add("flag", true);
  writer.add("count", uint32_t{7});
  writer.add("long", int64_t{-7});
  writer.add("ratio", 0.25);
  std::vector<std::string_view> words = {"one", "two"};
  writer.add("words", std::span<const std::string_view>(words));
  writer.add("numbers", std::span<const float>(numbers));
  std::vector<int64_t> shape = {1, 3};
  writer.add_tensor("weight", *tensor_type(0), shape, std::as_bytes(std::span(numbers)));
  writer.add_tensor("again", *tensor_type(0), shape, std::as_bytes(std::span(numbers)));
  return writer;
}

TEST(GgufWriter, RoundTrip) {
  TemporaryFolder folder;
  std::string path = folder.file("x.gguf");
  std::vector<float> numbers = {1, 2, 3};
  example(numbers).save(path);
  File file = open(path);
  EXPECT_EQ(file.alignment(), 64u);
  EXPECT_EQ(file.data_offset() % 64, 0u);
  EXPECT_EQ(file.text("general.name"), "example");
  EXPECT_TRUE(file.flag("flag"));
  EXPECT_EQ(std::get<uint32_t>(*file.find("count")), 7u);
  EXPECT_EQ(std::get<int64_t>(*file.find("long")), -7);
  EXPECT_EQ(std::get<double>(*file.find("ratio")), 0.25);
  EXPECT_EQ(file.array("words").strings()[1], "two");
  EXPECT_EQ(file.array("numbers").floats(), numbers);
  for (const char* name : {"weight", "again"}) {
    const Tensor& tensor = file.tensor(name);
    EXPECT_EQ(tensor.shape, (std::vector<int64_t>{1, 3}));
    EXPECT_EQ(std::memcmp(tensor.bytes.data(), numbers.data(), 12), 0);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.bytes.data()) % 64, 0u);
  }
}

TEST(GgufWriter, Errors) {
  EXPECT_EQ(message_of<ArgumentError>([] { Writer writer(12); }),
            "gguf::Writer: an alignment of 12 is not a multiple of 8");
  Writer writer;
  EXPECT_EQ(message_of<ArgumentError>([&] { writer.add("general.alignment", 8); }),
            "gguf::Writer: metadata key 'general.alignment' is there already");
  EXPECT_EQ(message_of<ArgumentError>([&] { writer.add("", 8); }),
            "gguf::Writer: a metadata key must have 1 to 65535 bytes, not 0");
  std::vector<std::byte> bytes(8);
  EXPECT_EQ(message_of<ArgumentError>(
                [&] { writer.add_number("n", ValueType::uint32, bytes); }),
            "gguf::Writer: metadata key 'n' has 8 bytes, which are no uint32");
  EXPECT_EQ(message_of<ArgumentError>(
                [&] { writer.add_number("n", ValueType::string, {}); }),
            "gguf::Writer: metadata key 'n' has 0 bytes, which are no string");
  EXPECT_EQ(message_of<ArgumentError>(
                [&] { writer.add_numbers("n", ValueType::int16, 3, bytes); }),
            "gguf::Writer: metadata key 'n' has 8 bytes, which are no 3 values of int16");
  auto add = [&](std::string name, uint32_t type, std::vector<int64_t> shape) {
    return message_of<ArgumentError>(
        [&] { writer.add_tensor(name, *tensor_type(type), shape, bytes); });
  };
  EXPECT_EQ(add("", 0, {2}), "gguf::Writer: a tensor name must have 1 to 65535 bytes, not 0");
  EXPECT_EQ(add("t", 0, {3}),
            "gguf::Writer: tensor 't' has 8 bytes where its type and shape need 12");
  EXPECT_EQ(add("t", 0, {-1}), "gguf::Writer: tensor 't' has a negative dimension");
  EXPECT_EQ(add("t", 0, {1ll << 40, 1ll << 40}),
            "gguf::Writer: tensor 't' has more than 2^63 elements");
  EXPECT_EQ(add("t", 28, {1ll << 62}), "gguf::Writer: tensor 't' has more than 2^64 bytes");
  EXPECT_EQ(add("t", 2, {8}),
            "gguf::Writer: tensor 't' has rows of 8 elements, no whole number of Q4_0 blocks of "
            "32");
  EXPECT_EQ(add("t", 0, std::vector<int64_t>(9, 1)),
            "gguf::Writer: tensor 't' has 9 dimensions, more than the limit of 8");
  EXPECT_EQ(add("t", 0, {2}), "no error");
  EXPECT_EQ(add("t", 0, {2}), "gguf::Writer: tensor 't' is there already");
}

// Every prefix of a good file, and the file with any one byte changed, either opens or is an
// IoError; the sanitizers see that nothing outside is touched.
TEST(GgufReader, DamagedFiles) {
  TemporaryFolder folder;
  std::string path = folder.file("x.gguf");
  std::vector<float> numbers = {1, 2, 3};
  example(numbers).save(path);
  std::string good = content_of(path);
  int opened = 0;
  int refused = 0;
  auto attempt = [&](const std::string& content) {
    try {
      File file = open(folder.write("damaged.gguf", content));
      for (const Tensor& tensor : file.tensors()) {
        std::string copy(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
      }
      ++opened;
    } catch (const IoError&) {
      ++refused;
    }
  };
  for (size_t length = 0; length < good.size(); ++length) attempt(good.substr(0, length));
  EXPECT_EQ(opened, 52);  // the padding after the last tensor may be missing
  for (size_t i = 0; i < good.size(); ++i) {
    for (char change : {'\x01', '\x80', '\xff'}) {
      std::string damaged = good;
      damaged[i] = static_cast<char>(damaged[i] ^ change);
      attempt(damaged);
    }
  }
  EXPECT_GT(opened, 500);
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace lazuli::gguf
