#include "io/npy.h"

#include <gtest/gtest.h>

#include <cstring>

#include "lazuli/io.h"
#include "lazuli/lazuli.h"
#include "support/temporary_folder.h"

namespace lazuli {
namespace {

using testing::content_of;
using testing::message_of;
using testing::TemporaryFolder;

constexpr Dtype every_dtype[] = {bool_, uint8, uint16,  uint32,  uint64,  int8,     int16,
                                 int32, int64, float16, float32, float64, bfloat16, complex64};

std::string npy(const std::string& header, const std::string& data, char version = 1) {
  std::string text = std::string("\x93NUMPY") + version + '\0';
  uint32_t length = static_cast<uint32_t>(header.size());
  text.append(reinterpret_cast<const char*>(&length), version == 1 ? 2 : 4);
  return text + header + data;
}

std::string dict(const std::string& descr, const std::string& order, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}

array load_text(const std::string& text) {
  TemporaryFolder folder;
  return load(folder.write("x.npy", text));
}

template <class T>
std::vector<T> values_of(array a) {
  a = contiguous(a);
  a.eval();
  return std::vector<T>(a.data<T>(), a.data<T>() + a.size());
}

std::string error_of(const std::string& text) {
  TemporaryFolder folder;
  std::string path = folder.write("x.npy", text);
  std::string message = message_of<IoError>([&] { load(path); });
  std::string prefix = "npy file '" + path + "': ";
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}

TEST(Npy, RoundTripOfEveryDtype) {
  TemporaryFolder folder;
  for (Dtype dtype : every_dtype) {
    array a = astype(reshape(arange(0, 6), {2, 3}), dtype);
    save(folder.file("a"), a);
    array b = load(folder.file("a.npy"));
    EXPECT_EQ(b.dtype(), dtype);
    EXPECT_EQ(b.shape(), (Shape{2, 3}));
    EXPECT_TRUE(all(equal(a, b)).item<bool>()) << dtype_name(dtype);
  }
}

TEST(Npy, ShapesAndViews) {
  TemporaryFolder folder;
  std::string path = folder.file("a.npy");
  for (const array& a :
       {array(5), zeros({0, 3}), reshape(arange(7), {7}), transpose(reshape(arange(6), {2, 3})),
        slice(arange(10), {1}, {9}, {2}), reshape(arange(4), {1, 2, 1, 2, 1})}) {
    save(path, a);
    array b = load(path);
    EXPECT_EQ(b.shape(), a.shape());
    EXPECT_EQ(values_of<int32_t>(astype(b, int32)), values_of<int32_t>(astype(a, int32)));
  }
}

TEST(Npy, WritesWhatNumPyReads) {
  TemporaryFolder folder;
  save(folder.file("a.npy"), array({1, 2, 3}, {1, 3}));
  std::string text = content_of(folder.file("a.npy"));
  std::string header = "\x93NUMPY\x01" + std::string("\0v\0", 3) +
                       "{'descr': '<i4', 'fortran_order': False, 'shape': (1, 3), }";
  ASSERT_EQ(text.size(), 128u + 12u);
  EXPECT_EQ(text.substr(0, header.size()), header);
  EXPECT_EQ(text.substr(header.size(), 128 - header.size()),
            std::string(127 - header.size(), ' ') + "\n");
  save(folder.file("a.npy"), ones({1}, bool_));
  EXPECT_NE(content_of(folder.file("a.npy"))
                .find("'descr': '|b1', 'fortran_order': False, "
                      "'shape': (1,), }"),
            std::string::npos);
  save(folder.file("a.npy"), array(1));
  EXPECT_NE(content_of(folder.file("a.npy")).find("'shape': (), }"), std::string::npos);
}

TEST(Npy, MayBeSavedOverItsOwnFile) {
  TemporaryFolder folder;
  std::string path = folder.file("a.npy");
  save(path, arange(1000));
  array a = load(path);
  save(path, add(a, array(1)));
  save(path, load(path));
  EXPECT_EQ(values_of<int32_t>(a)[999], 999);
  EXPECT_EQ(values_of<int32_t>(load(path))[999], 1000);
}

TEST(Npy, OfAFileThatIsReadOutlivesItsBytes) {
  TemporaryFolder folder;
  std::string path = folder.file("a.npy");
  save(path, arange(100'000));
  array a = load(path, {}, io::FileAccess::read);
  std::filesystem::resize_file(path, 0);
  EXPECT_EQ(values_of<int32_t>(a)[99'999], 99'999);
}

TEST(Npy, ReadsOtherOrders) {
  std::string big("\0\0\0\1\0\0\0\2\0\0\0\3", 12);
  EXPECT_EQ(values_of<int32_t>(load_text(npy(dict(">i4", "False", "(3,)"), big))),
            (std::vector<int32_t>{1, 2, 3}));
  std::string complex("\x3f\x80\0\0\x40\0\0\0", 8);
  EXPECT_EQ(load_text(npy(dict(">c8", "False", "()"), complex)).item<complex64_t>(),
            complex64_t(1, 2));
  array columns = load_text(npy(dict("|u1", "True", "(2, 3)"), "\1\2\3\4\5\6"));
  EXPECT_EQ(columns.shape(), (Shape{2, 3}));
  EXPECT_EQ(values_of<uint8_t>(columns), (std::vector<uint8_t>{1, 3, 5, 2, 4, 6}));
  for (char version : {1, 2, 3}) {
    EXPECT_EQ(load_text(npy(dict("=u1", "False", "(1L,)"), "\7", version)).item<uint8_t>(), 7);
  }
  std::string shuffled = "{\"shape\":(1),\n'descr':'u1', 'fortran_order' :True}\n";
  EXPECT_EQ(load_text(npy(shuffled, "\7")).item<uint8_t>(), 7);
}

TEST(Npy, UnalignedDataAndOddBools) {
  std::string header = dict("<i4", "False", "(1,)");
  for (int pad = 0; pad < 4; ++pad) {
    header += ' ';
    EXPECT_EQ(load_text(npy(header, std::string("\5\0\0\0", 4))).item<int32_t>(), 5);
  }
  array truth = load_text(npy(dict("|b1", "False", "(3,)"), std::string("\0\2\1", 3)));
  EXPECT_EQ(values_of<uint8_t>(astype(truth, uint8)), (std::vector<uint8_t>{0, 1, 1}));
}

TEST(Npy, PrefixErrors) {
  EXPECT_EQ(error_of(""),
            "magic at byte 0: the file does not begin with '\\x93NUMPY', so it is no npy file");
  EXPECT_EQ(error_of("\x93NUMPY"), "version at byte 6: the file ends within its first 10 bytes");
  EXPECT_EQ(error_of(npy("{}", "", 4)),
            "version at byte 6: version 4 is not supported, only 1 to 3");
  EXPECT_EQ(error_of(npy("", "", 2).substr(0, 11)),
            "header length at byte 8: the file ends within it");
  EXPECT_EQ(error_of(npy("", "", 2).substr(0, 8) + "\xff\xff\xff\xff"),
            "header length at byte 8: 4294967295 is more than the limit of 1048576");
  EXPECT_EQ(error_of(npy("{}", "").substr(0, 11)),
            "header length at byte 8: 2 bytes are needed and 1 are left in the file");
}

TEST(Npy, HeaderErrors) {
  auto error = [](const std::string& header) { return error_of(npy(header, "")); };
  EXPECT_EQ(error(""), "header at byte 10: '{' is missing");
  EXPECT_EQ(error("{"), "header at byte 11: a string is missing");
  EXPECT_EQ(error("{'shape"), "header at byte 11: a string does not end");
  EXPECT_EQ(error("{}"), "header entry 'descr' at byte 10: is missing");
  EXPECT_EQ(error("{'descr':'<i4'}"), "header entry 'fortran_order' at byte 10: is missing");
  EXPECT_EQ(error("{'descr':'<i4','fortran_order':True}"),
            "header entry 'shape' at byte 10: is missing");
  EXPECT_EQ(error("{} x"), "header at byte 13: something follows the dict");
  EXPECT_EQ(error("{'a':1}"), "header entry 'a' at byte 15: the entry is unknown or there twice");
  EXPECT_EQ(error("{'shape':(),'shape':()}"),
            "header entry 'shape' at byte 30: the entry is unknown or there twice");
  EXPECT_EQ(error("{'descr' '<i4'}"), "header entry 'descr' at byte 19: ':' is missing");
  EXPECT_EQ(error("{'descr':'<i4' 'a'}"), "header entry 'descr' at byte 25: ',' or '}' is missing");
  EXPECT_EQ(error("{'descr':'<c16'}"),
            "header entry 'descr' at byte 25: dtype '<c16' is not supported; convert the array to "
            "another");
  EXPECT_EQ(error("{'descr':[('a','<i4')]}"),
            "header entry 'descr' at byte 19: arrays of records are not supported");
  EXPECT_EQ(error("{'fortran_order':1}"),
            "header entry 'fortran_order' at byte 27: True or False is missing");
  EXPECT_EQ(error("{'shape':1}"), "header entry 'shape' at byte 19: '(' is missing");
  EXPECT_EQ(error("{'shape':(-1,)}"), "header entry 'shape' at byte 20: a dimension is missing");
  EXPECT_EQ(error("{'shape':(1 2)}"), "header entry 'shape' at byte 22: ',' or ')' is missing");
  EXPECT_EQ(error("{'shape':(9223372036854775808,)}"),
            "header entry 'shape' at byte 38: a dimension does not fit into 63 bits");
  std::string many;
  for (int i = 0; i < 65; ++i) many += "1,";
  EXPECT_EQ(error("{'shape':(" + many + ")}"),
            "header entry 'shape' at byte 148: there are more than 64 dimensions");
  EXPECT_EQ(error(dict("<i4", "False", "(4294967296,4294967296)")),
            "header entry 'shape' at byte 10: the array has more than 2^63 bytes");
  EXPECT_EQ(error_of(npy(dict("<i4", "False", "(2,)"), "1234567")),
            "data at byte 67: 8 bytes are needed and 7 are left in the file");
}

TEST(Npy, Streams) {
  TemporaryFolder folder;
  auto writer = std::make_shared<io::FileWriter>(folder.file("two"));
  save(writer, arange(5));
  save(writer, astype(arange(3), float32));
  EXPECT_EQ(writer->label(), "file " + folder.file("two"));
  writer.reset();
  auto reader = std::make_shared<io::ParallelFileReader>(folder.file("two"));
  EXPECT_EQ(load(reader).shape(), Shape{5});
  array second = load(reader);
  EXPECT_EQ(values_of<float>(second), (std::vector<float>{0, 1, 2}));
  EXPECT_EQ(message_of<IoError>([&] { load(reader); }),
            "file '" + folder.file("two") +
                "': 10 bytes at byte 288 are needed and the file ends "
                "after 0");
  std::string path = folder.write("short", npy(dict("<i4", "False", "(2,)"), "1234567"));
  EXPECT_EQ(message_of<IoError>([&] { load(std::make_shared<io::ParallelFileReader>(path)); }),
            "npy file 'file " + path +
                "': data at byte 67: 8 bytes are needed and 7 are left in "
                "the file");
  std::string huge = folder.write("huge", npy(dict("<i4", "False", "(1099511627776,)"), "1234567"));
  EXPECT_EQ(message_of<IoError>([&] { load(std::make_shared<io::ParallelFileReader>(huge)); }),
            "npy file 'file " + huge +
                "': data at byte 79: 4398046511104 bytes are needed and 7 "
                "are left in the file");
  EXPECT_EQ(message_of<IoError>([&] { load(std::make_shared<io::ParallelFileReader>("/no")); }),
            "file /no: is not open");
}

TEST(FileStreams, PositionsAndErrors) {
  TemporaryFolder folder;
  std::string path = folder.write("a", "0123456789");
  io::ParallelFileReader reader(path);
  char text[4] = {};
  reader.seek(-3, std::ios_base::end);
  EXPECT_EQ(reader.tell(), 7u);
  reader.read(text, 2);
  EXPECT_STREQ(text, "78");
  reader.seek(-4, std::ios_base::cur);
  reader.read(text, 1);
  EXPECT_STREQ(text, "58");
  reader.read(text, 2, 0);
  EXPECT_STREQ(text, "01");
  EXPECT_EQ(reader.tell(), 6u);
  EXPECT_EQ(message_of<IoError>([&] { reader.seek(-1); }),
            "file '" + path + "': there is no position -1 from byte 0");
  io::FileWriter writer(path);
  EXPECT_EQ(message_of<IoError>([&] { writer.write("x", 1); }), "file '" + path + "': is not open");
  writer.open();
  writer.write("abc", 3);
  writer.seek(1);
  writer.write("X", 1);
  EXPECT_EQ(writer.tell(), 2u);
  io::FileWriter moved(std::move(writer));
  EXPECT_FALSE(writer.is_open());
  EXPECT_TRUE(moved.good());
  EXPECT_EQ(content_of(path), "aXc");
  io::FileWriter nowhere(folder.file("no/such"));
  EXPECT_EQ(message_of<IoError>([&] { nowhere.open(); }),
            "file '" + folder.file("no/such") +
                "': cannot be opened for writing: No such file or "
                "directory");
  io::FileWriter full("/dev/full");
  full.open();
  EXPECT_EQ(message_of<IoError>([&] { full.write("x", 1); }),
            "file '/dev/full': writing it failed: No space left on device");
}

}  // namespace
}  // namespace lazuli
