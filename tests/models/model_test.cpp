// The registry of language models.
#include "llm/model.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "support/temporary_folder.h"

namespace lazuli::models {
namespace {

using testing::message_of;
using testing::TemporaryFolder;

// A file that says nothing but its architecture.
std::string file_of(const TemporaryFolder& folder, const char* architecture) {
  gguf::Writer writer;
  if (architecture != nullptr) writer.add("general.architecture", architecture);
  writer.save(folder.file("m.gguf"));
  return folder.file("m.gguf");
}

TEST(Families, AreFoundByTheirArchitecture) {
  TemporaryFolder folder;
  std::set<std::string_view> seen;
  for (const Family& family : families()) {
    EXPECT_TRUE(seen.insert(family.architecture).second) << family.architecture;
    std::string architecture(family.architecture);
    const Family* found = find_family(gguf::open(file_of(folder, architecture.c_str())));
    ASSERT_NE(found, nullptr) << architecture;
    EXPECT_EQ(found->architecture, family.architecture);
  }
  EXPECT_EQ(find_family(gguf::open(file_of(folder, "bert"))), nullptr);
}

TEST(Families, AreNamedWhereAFileIsOfNone) {
  TemporaryFolder folder;
  std::string message =
      message_of<IoError>([&] { open_model(gguf::open(file_of(folder, "bert"))); });
  EXPECT_EQ(message.find("gguf file '" + folder.file("m.gguf") +
                         "': metadata key 'general.architecture' is 'bert'; the architectures "
                         "that can be run are "),
            0u)
      << message;
  for (const Family& family : families()) {
    EXPECT_NE(message.find(family.architecture), std::string::npos) << message;
  }
}

TEST(Families, NeedAnArchitecture) {
  TemporaryFolder folder;
  std::string message =
      message_of<NotFoundError>([&] { open_model(gguf::open(file_of(folder, nullptr))); });
  EXPECT_NE(message.find("general.architecture"), std::string::npos) << message;
  EXPECT_NE(message.find(folder.file("m.gguf")), std::string::npos) << message;
}

}  // namespace
}  // namespace lazuli::models
