// Typed parameters: their words, which are part of the keys of plans, and the way back.
#include "ops/table/params.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "lazuli/packed_format.h"

namespace lazuli {
namespace {

std::vector<int64_t> words_of(const Params& params) {
  return {params.words.begin(), params.words.end()};
}

Words span_of(const Params& params) { return {params.words.data(), params.words.size()}; }

TEST(Params, StructuralFieldsStandInFrontInTheirOrder) {
  Params made = encode(CumulativeParams{2, ScatterMode::maximum, true, false});
  EXPECT_EQ(words_of(made), (std::vector<int64_t>{2, 3, 1, 0}));
  EXPECT_EQ(made.structural, 4);
  auto read = params<CumulativeParams>(span_of(made));
  EXPECT_EQ(read.axis, 2);
  EXPECT_EQ(read.mode, ScatterMode::maximum);
  EXPECT_TRUE(read.reverse);
  EXPECT_FALSE(read.inclusive);
}

TEST(Params, BoundFieldsAreNotStructural) {
  EXPECT_EQ(encode(OrderParams{7}).structural, 0);
  Params made = encode(GateParams{IdentityKind::gate, 11, 1, 3, 29});
  EXPECT_EQ(words_of(made), (std::vector<int64_t>{2, 11, 1, 3, 29}));
  EXPECT_EQ(made.structural, 1);
  EXPECT_EQ(params<IdentityParams>(span_of(made)).kind, IdentityKind::gate);
  auto read = params<GateParams>(span_of(made));
  EXPECT_EQ(read.rules, 11);
  EXPECT_EQ(read.output, 1u);
  EXPECT_EQ(read.count, 3u);
  EXPECT_EQ(read.call, 29);
}

TEST(Params, DoublesKeepTheirBits) {
  for (double value : {0.1, -0.0, std::numeric_limits<double>::denorm_min(), HUGE_VAL}) {
    Params made = encode(RopeParams{64, true, value, 1e4});
    EXPECT_EQ(words_of(made), (std::vector<int64_t>{64, 1, std::bit_cast<int64_t>(value),
                                                    std::bit_cast<int64_t>(1e4)}));
    EXPECT_EQ(made.structural, 2);
    auto read = params<RopeParams>(span_of(made));
    EXPECT_EQ(std::bit_cast<int64_t>(read.scale), std::bit_cast<int64_t>(value));
    EXPECT_EQ(read.base, 1e4);
  }
  EXPECT_EQ(params<ArangeParams<double>>(span_of(encode(ArangeParams<double>{0.5, -0.25}))).step,
            -0.25);
  EXPECT_EQ(words_of(encode(ArangeParams<int64_t>{5, -2})), (std::vector<int64_t>{5, -2}));
}

TEST(Params, AListTakesWhatOtherFieldsLeave) {
  std::vector<int64_t> formats = {9, 4, 7};
  Params made = encode(PackedMatmulParams{formats, Precision::reduced});
  EXPECT_EQ(words_of(made), (std::vector<int64_t>{9, 4, 7, 1}));
  EXPECT_EQ(made.structural, 4);
  auto read = params<PackedMatmulParams>(span_of(made));
  EXPECT_EQ(read.formats.size(), 3u);
  EXPECT_EQ(read.format(2), PackedFormat::q4_k);
  EXPECT_EQ(read.precision, Precision::reduced);
  EXPECT_EQ(params<ScatterParams>(span_of(encode(ScatterParams{ScatterMode::add, {}}))).axes.size(),
            0u);
}

TEST(Params, ListsShareAlikeAndAreReadInPlace) {
  std::vector<int64_t> starts = {1, 2, 3}, strides = {-1, 1, 4};
  Params made = encode(SliceParams{starts, strides});
  EXPECT_EQ(words_of(made), (std::vector<int64_t>{1, 2, 3, -1, 1, 4}));
  EXPECT_EQ(made.structural, 0);
  auto read = params<SliceParams>(span_of(made));
  EXPECT_EQ(read.starts.data(), made.words.data());
  EXPECT_EQ(read.strides.data(), made.words.data() + 3);
  EXPECT_EQ(read.strides.size(), 3u);
}

}  // namespace
}  // namespace lazuli
