#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "lazuli/io.h"
#include "lazuli/lazuli.h"
#include "support/temporary_folder.h"

namespace lazuli {
namespace {

using testing::message_of;
using testing::TemporaryFolder;

bool same(const array& a, const array& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.size() == 0 || all(equal(a, b)).item<bool>());
}

std::vector<std::byte> from_hex(const std::string& text) {
  std::vector<std::byte> bytes;
  for (size_t i = 0; i < text.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// A file with one tensor of the format.
std::string packed_file(const TemporaryFolder& folder, PackedFormat format, const std::string& name,
                        std::vector<int64_t> shape, std::span<const std::byte> bytes) {
  gguf::Writer writer;
  writer.add_tensor(name, *gguf::tensor_type(packed_format_info(format).gguf_type), shape, bytes);
  writer.save(folder.file("x.gguf"));
  return folder.file("x.gguf");
}

uint16_t half_bits(const array& a) {
  array value = a;
  value.eval();
  return value.data<uint16_t>()[0];
}

struct AffineExample {
  PackedFormat format;
  const char* block;
  std::vector<uint32_t> weight;
  uint16_t scale;
  uint16_t bias;
};

// Blocks quantised by PyPI gguf and what MLX 0.32.4 loads them as.
const AffineExample affine_examples[] = {
    {PackedFormat::q4_0,
     "d7b3193677d78b59d5626d52d3b5a7d912a0",
     {0x259b7769, 0x297532d, 0x6d58d731, 0xa1dabd56},
     0xb3d7,
     0x3fd7},
    {PackedFormat::q4_1,
     "ee3227bde5c8870863950a8d809d0c3a4714ed4f",
     {0xda538785, 0xfd47acd0, 0x809608ce, 0x4e143098},
     0x32ee,
     0xbd27},
    {PackedFormat::q8_0,
     "e723f6230e17d6f83361ae62573311ec5e7f755517b2002bad1a1c2db3d5e4b471e0",
     {0x978ea376, 0xe1b37856, 0xb3d7e22e, 0xffde6c91, 0x3297d5f5, 0x9a2dab80, 0x5533ad9c,
      0x60f13464},
     0x23e7,
     0xbfe7},
};

TEST(GgufArrays, AffineTriplesAreThoseOfMlx) {
  TemporaryFolder folder;
  for (const AffineExample& example : affine_examples) {
    std::vector<std::byte> block = from_hex(example.block);
    auto arrays = load_gguf(packed_file(folder, example.format, "a.weight", {1, 32}, block)).first;
    EXPECT_EQ(arrays.size(), 3u);
    int64_t words = static_cast<int64_t>(example.weight.size());
    array weight = array::from_memory(example.weight.data(), {1, words}, uint32, uint32);
    EXPECT_TRUE(same(arrays.at("a.weight"), weight));
    EXPECT_EQ(arrays.at("a.scales").dtype(), float16);
    EXPECT_EQ(arrays.at("a.scales").shape(), (Shape{1, 1}));
    EXPECT_EQ(half_bits(arrays.at("a.scales")), example.scale);
    EXPECT_EQ(half_bits(arrays.at("a.biases")), example.bias);
  }
}

std::vector<std::byte> random_blocks(PackedFormat format, int64_t elements) {
  const PackedFormatInfo& info = packed_format_info(format);
  std::mt19937 random(static_cast<unsigned>(info.gguf_type));
  std::vector<std::byte> bytes(static_cast<size_t>(packed_row_bytes(format, elements)));
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  // Half floats of moderate size wherever a block may have one: the K types keep them at the front
  // or the back.
  for (size_t at = 0; at < bytes.size(); at += info.block_bytes) {
    for (size_t place : {size_t{1}, size_t{3}, static_cast<size_t>(info.block_bytes) - 1,
                         static_cast<size_t>(info.block_bytes) - 3}) {
      bytes[at + place] = static_cast<std::byte>(0x28 | (random() & 0x83));
    }
  }
  return bytes;
}

float largest_difference(const array& a, const array& b) {
  return max(abs(subtract(astype(a, float32), astype(b, float32)))).item<float>();
}

// scale * q + bias in groups of 32, of the triple of that name.
std::vector<float> affine_values(std::unordered_map<std::string, array> arrays, int bits) {
  array weight = arrays.at("block");
  array scales = astype(arrays.at("block.scales"), float32);
  array biases = astype(arrays.at("block.biases"), float32);
  eval(weight, scales, biases);
  std::vector<float> values(weight.size() * static_cast<size_t>(32 / bits));
  for (size_t i = 0; i < values.size(); ++i) {
    size_t bit = i * static_cast<size_t>(bits);
    uint32_t q = (weight.data<uint32_t>()[bit / 32] >> (bit % 32)) & ((1u << bits) - 1);
    values[i] = scales.data<float>()[i / 32] * static_cast<float>(q) + biases.data<float>()[i / 32];
  }
  return values;
}

TEST(GgufArrays, AffineTriplesDequantiseToTheSameValues) {
  TemporaryFolder folder;
  for (PackedFormat format : {PackedFormat::q4_0, PackedFormat::q4_1, PackedFormat::q8_0}) {
    std::vector<std::byte> bytes = random_blocks(format, 3 * 128);
    std::string path = packed_file(folder, format, "block", {3, 128}, bytes);
    auto arrays = load_gguf(path).first;
    std::vector<float> floats = affine_values(arrays, format == PackedFormat::q8_0 ? 8 : 4);
    array values(floats.begin(), {3, 128});
    gguf::File file = gguf::open(path);
    array packed = gguf::tensor_array(file, file.tensor("block"));
    EXPECT_EQ(packed.dtype(), uint8);
    EXPECT_EQ(packed.shape(), (Shape{3, packed_row_bytes(format, 128)}));
    EXPECT_LE(largest_difference(values, packed_dequantize(packed, format)), 1e-3f * 128 * 0.2f);
  }
}

TEST(GgufArrays, OtherPackedTypesBecomeHalfFloats) {
  TemporaryFolder folder;
  for (PackedFormat format :
       {PackedFormat::q5_0, PackedFormat::q5_1, PackedFormat::q2_k, PackedFormat::q3_k,
        PackedFormat::q4_k, PackedFormat::q5_k, PackedFormat::q6_k}) {
    std::vector<std::byte> bytes = random_blocks(format, 2 * 512);
    std::string path = packed_file(folder, format, "a.weight", {2, 512}, bytes);
    auto arrays = load_gguf(path).first;
    ASSERT_EQ(arrays.size(), 1u);
    gguf::File file = gguf::open(path);
    array packed = gguf::tensor_array(file, file.tensor("a.weight"));
    EXPECT_TRUE(same(arrays.at("a.weight"), packed_dequantize(packed, format, float16)));
    EXPECT_EQ(arrays.at("a.weight").shape(), (Shape{2, 512}));
  }
}

TEST(GgufArrays, RoundTripOfArrays) {
  TemporaryFolder folder;
  std::unordered_map<std::string, array> arrays;
  for (Dtype dtype : {float32, float16, float64, int8, int16, int32, int64}) {
    arrays.emplace(dtype_name(dtype), astype(reshape(arange(6), {2, 3}), dtype));
  }
  arrays.emplace("view", transpose(reshape(astype(arange(6), float32), {2, 3})));
  arrays.emplace("scalar", array(1.5f));
  arrays.emplace("empty", zeros({0, 2}));
  save_gguf(folder.file("a"), arrays);
  GGUFLoad loaded = load_gguf(folder.file("a.gguf"));
  ASSERT_EQ(loaded.first.size(), arrays.size());
  for (const auto& [name, value] : arrays) EXPECT_TRUE(same(loaded.first.at(name), value)) << name;
  EXPECT_TRUE(loaded.second.empty());
  array large = array({1e30f, 1.5f}, bfloat16);  // beyond float16
  save_gguf(folder.file("b"), {{"half", large}});
  EXPECT_TRUE(same(load_gguf(folder.file("b.gguf")).first.at("half"), large));
}

TEST(GgufArrays, RoundTripOfMetadata) {
  TemporaryFolder folder;
  std::unordered_map<std::string, GGUFMetaData> metadata;
  for (Dtype dtype :
       {bool_, uint8, uint16, uint32, uint64, int8, int16, int32, int64, float32, float64}) {
    metadata.emplace(std::string("one ") + dtype_name(dtype), array(1, dtype));
    metadata.emplace(std::string("many ") + dtype_name(dtype), array({1, 0, 1}, dtype));
  }
  metadata.emplace("text", std::string("a text"));
  metadata.emplace("texts", std::vector<std::string>{"a", "", "b"});
  metadata.emplace("nothing", std::monostate());
  metadata.emplace("general.alignment", array(64, uint32));
  save_gguf(folder.file("a"), {{"x", array(1.0f)}}, metadata);
  EXPECT_EQ(gguf::open(folder.file("a.gguf")).alignment(), 64u);
  auto loaded = load_gguf(folder.file("a.gguf")).second;
  EXPECT_EQ(loaded.size(), metadata.size() - 1);
  for (const auto& [key, value] : metadata) {
    if (key == "nothing") continue;
    ASSERT_EQ(loaded.at(key).index(), value.index()) << key;
    if (const array* number = std::get_if<array>(&value)) {
      EXPECT_TRUE(same(std::get<array>(loaded.at(key)), *number)) << key;
    }
  }
  EXPECT_EQ(std::get<std::string>(loaded.at("text")), "a text");
  EXPECT_EQ(std::get<std::vector<std::string>>(loaded.at("texts")),
            (std::vector<std::string>{"a", "", "b"}));
}

TEST(GgufArrays, MayBeSavedOverTheirOwnFile) {
  TemporaryFolder folder;
  std::string path = folder.file("a.gguf");
  save_gguf(path, {{"a", arange(1000)}});
  GGUFLoad loaded = load_gguf(path);
  save_gguf(path, {{"a", add(loaded.first.at("a"), array(1))}}, loaded.second);
  EXPECT_TRUE(same(loaded.first.at("a"), arange(1000)));
  EXPECT_TRUE(same(load_gguf(path).first.at("a"), arange(1, 1001)));
}

TEST(GgufArrays, OfAFileThatIsReadOutliveItsBytes) {
  TemporaryFolder folder;
  std::string path = folder.file("a.gguf");
  save_gguf(path, {{"a", arange(100'000)}});
  gguf::File file = gguf::open(path, io::FileAccess::read);
  GGUFLoad loaded = load_gguf(path, {}, io::FileAccess::read);
  std::filesystem::resize_file(path, 0);
  EXPECT_FALSE(file.storage()->is_mapped());
  EXPECT_TRUE(same(gguf::tensor_array(file, file.tensor("a")), arange(100'000)));
  EXPECT_TRUE(same(loaded.first.at("a"), arange(100'000)));
}

template <class Expected>
std::string save_error(std::unordered_map<std::string, array> arrays,
                       std::unordered_map<std::string, GGUFMetaData> metadata = {}) {
  return message_of<Expected>([&] { save_gguf("/never/written", arrays, metadata); });
}

TEST(GgufArrays, Errors) {
  EXPECT_EQ(save_error<TypeError>({{"a", ones({1}, uint32)}}),
            "[save_gguf] Array 'a' is of dtype uint32, which GGUF cannot hold; convert it with "
            "astype.");
  EXPECT_EQ(save_error<TypeError>({}, {{"m", array(1, float16)}}),
            "[save_gguf] Metadata 'm' is of dtype float16, which GGUF metadata cannot hold.");
  EXPECT_EQ(save_error<ArgumentError>({}, {{"m", ones({1, 1})}}),
            "[save_gguf] Metadata 'm' is an array of 2 dimensions; GGUF has 0 or 1.");
  EXPECT_EQ(save_error<ArgumentError>({}, {{"general.alignment", std::string("32")}}),
            "[save_gguf] Metadata 'general.alignment' is no number.");
  EXPECT_EQ(save_error<ArgumentError>({}, {{"general.alignment", array(-1)}}),
            "[save_gguf] Metadata 'general.alignment' is -1, which does not fit into 32 bits.");
  TemporaryFolder folder;
  gguf::Writer writer;
  std::vector<std::byte> block(18);
  writer.add_tensor("t", *gguf::tensor_type(20), std::vector<int64_t>{32}, block);
  writer.save(folder.file("x.gguf"));
  EXPECT_EQ(message_of<IoError>([&] { load_gguf(folder.file("x.gguf")); }),
            "gguf file '" + folder.file("x.gguf") +
                "': tensor 't' is of type IQ4_NL, which is not "
                "supported; convert the file to another type");
}

}  // namespace
}  // namespace lazuli
