#include "lazuli/io/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "base/atomic_file.h"
#include "base/message.h"
#include "lazuli/error.h"
#include "support/temporary_folder.h"

namespace lazuli::io {
namespace {

using testing::content_of;
using testing::message_of;
using testing::TemporaryFolder;

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(MappedFile, MapsARegularFile) {
  TemporaryFolder folder;
  std::string path = folder.write("a", "hello");
  std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  EXPECT_TRUE(file->is_mapped());
  EXPECT_EQ(file->path(), path);
  EXPECT_EQ(text_of(*file), "hello");
  std::filesystem::remove(path);
  EXPECT_EQ(text_of(*file), "hello");
}

TEST(MappedFile, AnEmptyFileHasNoBytes) {
  TemporaryFolder folder;
  EXPECT_EQ(MappedFile::open(folder.write("empty", ""))->bytes().size(), 0u);
}

TEST(MappedFile, ReadsIntoMemory) {
  TemporaryFolder folder;
  std::string content(3'000'000, 'x');
  content[2'999'999] = 'y';
  std::shared_ptr<const MappedFile> file = MappedFile::read(folder.write("a", content));
  EXPECT_FALSE(file->is_mapped());
  EXPECT_EQ(text_of(*file), content);
}

TEST(MappedFile, ReadsARegularFileWhereAsked) {
  TemporaryFolder folder;
  std::string content(100'000, 'x');
  std::string path = folder.write("a", content);
  std::shared_ptr<const MappedFile> file = MappedFile::open(path, FileAccess::read);
  EXPECT_FALSE(file->is_mapped());
  std::filesystem::resize_file(path, 0);
  EXPECT_EQ(text_of(*file), content);
}

TEST(MappedFile, ReadsAPipe) {
  TemporaryFolder folder;
  std::string path = folder.file("pipe");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  std::string content(5'000'000, 'p');
  std::thread writer([&] { std::ofstream(path, std::ios::binary) << content; });
  std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  writer.join();
  EXPECT_FALSE(file->is_mapped());
  EXPECT_EQ(text_of(*file), content);
}

TEST(MappedFile, ReadsAFileThatClaimsToBeEmpty) {
  EXPECT_GT(MappedFile::open("/proc/self/status")->bytes().size(), 0u);
}

TEST(MappedFile, CopiesBytes) {
  std::string content = "from elsewhere";
  auto file = MappedFile::copy("a name", std::as_bytes(std::span(content)));
  content[0] = 'F';
  EXPECT_EQ(text_of(*file), "from elsewhere");
  EXPECT_EQ(file->path(), "a name");
  EXPECT_FALSE(file->is_mapped());
  EXPECT_EQ(MappedFile::copy("nothing", {})->bytes().size(), 0u);
}

TEST(MappedFile, Errors) {
  TemporaryFolder folder;
  std::string missing = folder.file("missing");
  EXPECT_EQ(message_of<IoError>([&] { MappedFile::open(missing); }),
            "file '" + missing + "': cannot be opened: No such file or directory");
  std::string directory = folder.file("");
  EXPECT_EQ(message_of<IoError>([&] { MappedFile::open(directory); }),
            "file '" + directory + "': is a directory; name a file in it");
  std::string path = folder.write("ten", "0123456789");
  EXPECT_EQ(message_of<IoError>([&] { MappedFile::read(path, 9); }),
            "file '" + path + "': its 10 bytes are more than the limit of 9");
  EXPECT_EQ(MappedFile::read(path, 10)->bytes().size(), 10u);
  EXPECT_EQ(message_of<IoError>([&] { MappedFile::read("/dev/zero", 2'000'000); }),
            "file '/dev/zero': is larger than the limit of 2000000 bytes");
}

TEST(AtomicFile, TheTargetChangesAtCommit) {
  TemporaryFolder folder;
  std::string path = folder.write("a", "old");
  ::chmod(path.c_str(), 0640);
  std::shared_ptr<const MappedFile> old = MappedFile::open(path);
  AtomicFile file(path);
  file.write("new content");
  file.write_zeros(5000);
  EXPECT_EQ(content_of(path), "old");
  file.commit();
  EXPECT_EQ(content_of(path), "new content" + std::string(5000, '\0'));
  EXPECT_EQ(text_of(*old), "old");
  EXPECT_EQ(folder.file_count(), 1u);
  struct stat status;
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0640u);
}

TEST(AtomicFile, WithoutCommitNothingStays) {
  TemporaryFolder folder;
  {
    AtomicFile(folder.file("a")).write("x");
  }
  EXPECT_EQ(folder.file_count(), 0u);
}

TEST(AtomicFile, FollowsALink) {
  TemporaryFolder folder;
  std::string target = folder.write("target", "old");
  std::filesystem::create_symlink("target", folder.file("link"));
  AtomicFile file(folder.file("link"));
  file.write("new");
  file.commit();
  EXPECT_TRUE(std::filesystem::is_symlink(folder.file("link")));
  EXPECT_EQ(content_of(target), "new");
}

TEST(AtomicFile, WritesADeviceDirectly) {
  AtomicFile file("/dev/null");
  file.write("x");
  file.commit();
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(AtomicFile, Errors) {
  TemporaryFolder folder;
  std::string path = folder.file("no/such");
  EXPECT_EQ(message_of<IoError>([&] { AtomicFile file(path); }),
            "file '" + path + "': cannot be created: No such file or directory");
  std::string directory = folder.file("folder");
  std::filesystem::create_directory(directory);
  EXPECT_EQ(message_of<IoError>([&] { AtomicFile file(directory); }),
            "file '" + directory + "': cannot be opened for writing: Is a directory");
  EXPECT_EQ(message_of<IoError>([&] { AtomicFile("/dev/full").write("x"); }),
            "file '/dev/full': writing it failed: No space left on device");
}

TEST(Printable, MakesHostileTextPrintable) {
  EXPECT_EQ(printable("plain text"), "'plain text'");
  EXPECT_EQ(printable("a\n\x1b'\\\xff"), "'a\\x0a\\x1b\\x27\\x5c\\xff'");
  EXPECT_EQ(printable("abcdef", 3), "'abc'...");
}

}  // namespace
}  // namespace lazuli::io
