#include "lazuli/io/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

#include "lazuli/error.h"
#include "support/temporary_folder.h"

namespace lazuli::safetensors {
namespace {

using testing::content_of;
using testing::message_of;
using testing::TemporaryFolder;

std::string file_text(const std::string& header, size_t data_bytes, uint64_t length) {
  std::string text(reinterpret_cast<const char*>(&length), 8);
  return text + header + std::string(data_bytes, '\x01');
}

std::string file_text(const std::string& header, size_t data_bytes = 0) {
  return file_text(header, data_bytes, header.size());
}

std::string error_of(const std::string& content) {
  TemporaryFolder folder;
  std::string path = folder.write("x.safetensors", content);
  std::string message = message_of<IoError>([&] { open(path); });
  std::string prefix = "safetensors file '" + path + "': ";
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}

std::string record(const std::string& name, const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

TEST(SafetensorsReader, ReadsTensorsAndMetadata) {
  TemporaryFolder folder;
  std::string header = "{ \"__metadata__\": {\"format\": \"pt\", \"a\": \"\\u00e9\"}," +
                       record("b", "I16", "[]", "[24, 26]") + ",\n" +
                       record("a", "F32", "[2,3]", "[0,24]") + "," +
                       record("empty", "U8", "[5,0]", "[24,24]") + "}   ";
  std::string path = folder.write("x.safetensors", file_text(header, 26));
  File file = open(path);
  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.metadata(),
            (std::map<std::string, std::string>{{"format", "pt"}, {"a", "\xc3\xa9"}}));
  EXPECT_EQ(file.tensor("a").dtype, float32);
  EXPECT_EQ(file.tensor("a").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(file.tensor("a").offset, 8 + header.size());
  EXPECT_EQ(file.tensor("a").bytes.size(), 24u);
  EXPECT_EQ(file.tensor("b").shape, std::vector<int64_t>{});
  EXPECT_EQ(file.tensor("b").bytes.data() - file.tensor("a").bytes.data(), 24);
  EXPECT_EQ(file.tensor("empty").bytes.size(), 0u);
  EXPECT_EQ(file.find("c"), nullptr);
  EXPECT_EQ(message_of<NotFoundError>([&] { file.tensor("c"); }),
            "safetensors file '" + path + "': no tensor 'c'");
}

TEST(SafetensorsReader, FieldsThatAreNotTheFormatsAreIgnored) {
  TemporaryFolder folder;
  for (const char* value : {"1", "-1", "1.5", "true", "null", "\"x\"", "[]", "{}",
                            "[1,[2,{\"dtype\":[3]}],null]", "{\"shape\":{\"a\":[{}]},\"b\":-1}"}) {
    std::string more = std::string("\"more\":") + value;
    std::string header = "{\"a\":{" + more + ",\"dtype\":\"U8\"," + more +
                         ",\"shape\":[2],\"data_offsets\":[0,2]," + more + "}}";
    File file = open(folder.write("x", file_text(header, 2)));
    EXPECT_EQ(file.tensor("a").shape, std::vector<int64_t>{2}) << value;
  }
  EXPECT_EQ(error_of(file_text("{\"a\":{\"type\":[1,{}]}}")),
            "field 'dtype' of tensor 'a' at byte 28: is missing");
  std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  EXPECT_EQ(open(folder.write("deep", file_text("{\"a\":{\"b\":" + deep +
                                                    ",\"dtype\":\"U8\",\"shape\":[],"
                                                    "\"data_offsets\":[0,1]}}",
                                                1)))
                .tensors()
                .size(),
            1u);
}

TEST(SafetensorsReader, ATensorOfAnotherDtypeHidesNoOther) {
  TemporaryFolder folder;
  std::string header =
      "{" + record("a", "F4", "[4]", "[0,2]") + "," + record("b", "F32", "[1]", "[2,6]") + "}";
  File file = open(folder.write("x", file_text(header, 6)));
  EXPECT_EQ(file.tensor("b").dtype, float32);
  EXPECT_EQ(file.tensor("a").dtype, std::nullopt);
  EXPECT_EQ(file.tensor("a").dtype_name, "F4");
  EXPECT_EQ(file.tensor("a").bytes.size(), 2u);
  EXPECT_EQ(error_of(file_text("{" + record("a", "F4", "[4]", "[0,2]") + "}", 3)),
            "data at byte 63: 1 bytes at the end belong to no tensor");
}

TEST(SafetensorsReader, AnEmptyHeaderIsAFile) {
  TemporaryFolder folder;
  EXPECT_TRUE(open(folder.write("x", file_text("{}"))).tensors().empty());
  EXPECT_TRUE(open(folder.write("y", file_text("{\"__metadata__\":null}"))).metadata().empty());
}

TEST(SafetensorsReader, HeaderErrors) {
  EXPECT_EQ(error_of("1234"), "header length at byte 0: 8 bytes are needed and 4 are in the file");
  EXPECT_EQ(error_of(file_text("{}", 0, 100'000'001)),
            "header length at byte 0: 100000001 is more than the limit of 100000000; the file is "
            "damaged or no safetensors file");
  EXPECT_EQ(error_of(file_text("{}", 0, 3)),
            "header length at byte 0: 3 bytes are needed and 2 are left in the file");
  EXPECT_EQ(error_of(file_text("")), "header at byte 8: does not begin with '{'");
  EXPECT_EQ(error_of(file_text(" {}")), "header at byte 8: does not begin with '{'");
  EXPECT_TRUE(error_of(file_text("{\"a\"")).starts_with("header at byte 12: no valid JSON: "));
  EXPECT_TRUE(error_of(file_text("{}x")).starts_with("header at byte 11: no valid JSON: "));
  EXPECT_TRUE(
      error_of(file_text("{\"\xff\":1}")).starts_with("header at byte 11: no valid JSON: "));
}

TEST(SafetensorsReader, StructureErrors) {
  EXPECT_EQ(error_of(file_text("{\"a\":1}")),
            "tensor 'a' at byte 15: is a number, which does not belong there");
  EXPECT_EQ(error_of(file_text("{\"a\":null}")),
            "tensor 'a' at byte 17: is null, which does not belong there");
  EXPECT_EQ(error_of(file_text("{\"a\":true}")),
            "tensor 'a' at byte 17: is a boolean, which does not belong there");
  EXPECT_EQ(error_of(file_text("{\"a\":[]}")),
            "tensor 'a' at byte 14: is an array, which does not belong there");
  EXPECT_EQ(error_of(file_text("{\"a\":\"x\"}")),
            "tensor 'a' at byte 16: is a string, which does not belong there");
  EXPECT_EQ(error_of(file_text("{\"a\":{\"shape\":[[]]}}")),
            "field 'shape' of tensor 'a' at byte 24: is an array, which does not belong there");
  EXPECT_EQ(error_of(file_text("{\"a\":{\"shape\":{}}}")),
            "field 'shape' of tensor 'a' at byte 23: is an object, which does not belong there");
  EXPECT_EQ(error_of(file_text("{\"a\":{\"shape\":[-1]}}")),
            "field 'shape' of tensor 'a' at byte 26: is a negative number, which does not belong "
            "there");
  EXPECT_EQ(error_of(file_text("{\"a\":{\"shape\":[1.0]}}")),
            "field 'shape' of tensor 'a' at byte 27: is a number that is no integer, which does "
            "not belong there");
  EXPECT_EQ(error_of(file_text("{\"__metadata__\":{\"a\":1}}")),
            "metadata key 'a' at byte 31: is a number, which does not belong there");
  std::string many = "[1";
  for (int i = 0; i < 64; ++i) many += ",1";
  EXPECT_TRUE(error_of(file_text("{" + record("a", "U8", many + "]", "[0,1]") + "}", 1))
                  .ends_with("has more than 64 numbers"));
}

TEST(SafetensorsReader, FieldErrors) {
  EXPECT_EQ(error_of(file_text("{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}")),
            "field 'data_offsets' of tensor 'a' at byte 39: is missing");
  EXPECT_EQ(error_of(file_text("{" + record("a", "U8", "[]", "[0]") + "}")),
            "field 'data_offsets' of tensor 'a' at byte 57: must have two numbers");
  std::string twice = record("a", "U8", "[0]", "[0,0]");
  EXPECT_EQ(error_of(file_text("{" + twice + "," + twice + "}")),
            "tensor 'a' at byte 64: is there twice");
  EXPECT_EQ(error_of(file_text("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}")),
            "metadata key 'a' at byte 35: is there twice");
  EXPECT_EQ(
      error_of(file_text("{" + record("a", "U8", "[9223372036854775808]", "[0,0]") + "}")),
      "field 'shape' of tensor 'a' at byte 78: 9223372036854775808 does not fit into 63 bits");
  EXPECT_EQ(error_of(file_text("{" + record("a", "F32", "[4294967296,1073741824]", "[0,0]") + "}")),
            "field 'shape' of tensor 'a' at byte 81: more than 2^63 bytes");
  EXPECT_EQ(error_of(file_text("{" + record("a", "U8", "[1]", "[0,1]") + "}")),
            "field 'data_offsets' of tensor 'a' at byte 60: 0 to 1 is no range in the 0 bytes of "
            "data");
  EXPECT_EQ(error_of(file_text("{" + record("a", "U8", "[1]", "[1,0]") + "}", 1)),
            "field 'data_offsets' of tensor 'a' at byte 60: 1 to 0 is no range in the 1 bytes of "
            "data");
  EXPECT_EQ(error_of(file_text("{" + record("a", "F32", "[2]", "[0,4]") + "}", 4)),
            "field 'data_offsets' of tensor 'a' at byte 61: 4 bytes where dtype and shape need 8");
}

TEST(SafetensorsReader, TheDataIsFilled) {
  auto two = [](const std::string& first, const std::string& second, size_t bytes) {
    std::string header = "{";
    header += record("a", "U8", "[4]", first) + "," + record("b", "U8", "[4]", second) + "}";
    std::string message = error_of(file_text(header, bytes));
    return message.substr(0, message.find(" at byte")) + message.substr(message.find(": "));
  };
  EXPECT_EQ(two("[0,4]", "[3,7]", 7), "data of tensor 'b': overlaps the tensor before it");
  EXPECT_EQ(two("[0,4]", "[0,4]", 4), "data of tensor 'b': overlaps the tensor before it");
  EXPECT_EQ(two("[5,9]", "[0,4]", 9),
            "data of tensor 'a': leaves a hole behind the tensor before it");
  EXPECT_EQ(two("[0,4]", "[4,8]", 10), "data: 2 bytes at the end belong to no tensor");
}

TEST(SafetensorsReader, DeepNestingIsRefused) {
  EXPECT_EQ(error_of(file_text("{\"a\":" + std::string(1'000'000, '['))),
            "tensor 'a' at byte 14: is an array, which does not belong there");
}

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

TEST(SafetensorsWriter, RoundTripOfEveryDtype) {
  TemporaryFolder folder;
  std::vector<uint8_t> values(48);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(i % 2);
  std::vector<Source> sources;
  for (Dtype dtype : {bool_, uint8, uint16, uint32, uint64, int8, int16, int32, int64, float16,
                      float32, float64, bfloat16, complex64}) {
    sources.push_back({std::string("t ") + format_name(dtype),
                       dtype,
                       {2, 3},
                       bytes_of(values).first(6 * dtype.size())});
  }
  sources.push_back({"scalar", uint8, {}, bytes_of(values).first(1)});
  sources.push_back({"empty", float32, {0}, {}});
  sources.push_back({"quote \" \xc3\xa9\n", uint8, {1}, bytes_of(values).first(1)});
  std::string path = folder.file("x.safetensors");
  save(path, sources, {{"key", "value \"x\""}, {"other", ""}});
  File file = open(path);
  EXPECT_EQ(file.metadata(),
            (std::map<std::string, std::string>{{"key", "value \"x\""}, {"other", ""}}));
  ASSERT_EQ(file.tensors().size(), sources.size());
  for (const Source& source : sources) {
    const Tensor& tensor = file.tensor(source.name);
    EXPECT_EQ(tensor.dtype, source.dtype);
    EXPECT_EQ(tensor.shape, source.shape);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.bytes.data()) % tensor.dtype->size(), 0u);
    ASSERT_EQ(tensor.bytes.size(), source.bytes.size());
    EXPECT_TRUE(std::equal(tensor.bytes.begin(), tensor.bytes.end(), source.bytes.begin()));
  }
}

TEST(SafetensorsWriter, Errors) {
  TemporaryFolder folder;
  std::vector<uint8_t> values(8);
  std::string path = folder.file("x");
  auto error = [&](std::vector<Source> sources, std::map<std::string, std::string> metadata = {}) {
    return message_of<ArgumentError>([&] { save(path, sources, metadata); });
  };
  EXPECT_EQ(error({{"__metadata__", uint8, {8}, bytes_of(values)}}),
            "safetensors::save: tensor '__metadata__' has the metadata's name");
  EXPECT_EQ(error({{"a", uint8, {-8}, bytes_of(values)}}),
            "safetensors::save: tensor 'a' has a negative dimension");
  EXPECT_EQ(error({{"a", uint16, {8}, bytes_of(values)}}),
            "safetensors::save: tensor 'a' has 8 bytes where its dtype and shape need 16");
  EXPECT_EQ(error({{"a", uint16, {1ll << 40, 1ll << 40}, bytes_of(values)}}),
            "safetensors::save: tensor 'a' has 8 bytes where its dtype and shape need more than "
            "2^63");
  EXPECT_EQ(error({{"a", uint8, {8}, bytes_of(values)}, {"a", uint8, {8}, bytes_of(values)}}),
            "safetensors::save: tensor 'a' is there twice");
  EXPECT_EQ(error({{"\xff", uint8, {8}, bytes_of(values)}}),
            "safetensors::save: '\\xff' is no UTF-8 text");
  EXPECT_EQ(error({}, {{"a", "\xc3"}}), "safetensors::save: '\\xc3' is no UTF-8 text");
  EXPECT_EQ(error({}, {{"a", std::string(100'000'000, 'x')}}),
            "safetensors::save: a header of 100000032 bytes is more than the format's limit of "
            "100000000; write several files");
  EXPECT_EQ(folder.file_count(), 0u);
}

TEST(SafetensorsReader, DamagedFiles) {
  TemporaryFolder folder;
  std::vector<uint8_t> values(8);
  std::string path = folder.file("x");
  save(path,
       {{"a", uint8, {2, 3}, bytes_of(values).first(6)},
        {"b", uint16, {1}, bytes_of(values).first(2)}},
       {{"k", "v"}});
  std::string good = content_of(path);
  int refused = 0;
  auto attempt = [&](const std::string& content) {
    try {
      open(folder.write("damaged", content));
    } catch (const IoError&) {
      ++refused;
    }
  };
  for (size_t length = 0; length < good.size(); ++length) attempt(good.substr(0, length));
  EXPECT_EQ(refused, static_cast<int>(good.size()));
  for (size_t i = 0; i < good.size(); ++i) {
    for (int change : {1, 2, 4, 8, 16, 32, 64, 128}) {
      std::string damaged = good;
      damaged[i] = static_cast<char>(damaged[i] ^ change);
      attempt(damaged);
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace lazuli::safetensors
