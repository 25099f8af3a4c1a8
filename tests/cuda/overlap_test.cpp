// Kernels are started before those ahead of them have ended, so each has to wait by itself.
#include <gtest/gtest.h>

#include "backends/cuda/programs/device_sources.h"

namespace lazuli::cuda {
namespace {

// The text of a function from its opening brace to the closing one.
std::string_view body_after(std::string_view text, size_t at) {
  int round = 0;
  while (text[at] != '{' || round != 0) {
    round += text[at] == '(' ? 1 : text[at] == ')' ? -1 : 0;
    ++at;
  }
  size_t start = at;
  int depth = 0;
  do {
    depth += text[at] == '{' ? 1 : text[at] == '}' ? -1 : 0;
    ++at;
  } while (depth != 0);
  return text.substr(start, at - start);
}

TEST(Overlap, EveryKernelWaitsForEarlierOnes) {
  int kernels = 0;
  for (const DeviceSource& source : device_sources()) {
    for (size_t at = 0; (at = source.text.find("__global__", at)) != source.text.npos; ++at) {
      std::string_view body = body_after(source.text, at);
      bool both = body.find("start_after_earlier();") != body.npos;
      bool apart = body.find("let_later_start();") != body.npos &&
                   body.find(" wait_for_earlier();") != body.npos;
      EXPECT_TRUE(both || apart) << source.name << ": " << source.text.substr(at, 120);
      ++kernels;
    }
  }
  EXPECT_GT(kernels, 40);
}

// Lines that such loads bring into the first cache stay there when a kernel waits for earlier ones.
TEST(Overlap, NoKernelReadsAroundCoherence) {
  for (const DeviceSource& source : device_sources()) {
    for (const char* way : {".nc.", "__ldg", "__restrict__"}) {
      EXPECT_EQ(source.text.find(way), source.text.npos) << source.name << ": " << way;
    }
  }
}

}  // namespace
}  // namespace lazuli::cuda
