// Functions that look at the last axes of their arrays, on arrays of ranks that they do not take:
// an error that names the function, or a value that can be computed.
#include <gtest/gtest.h>

#include "lazuli/error.h"
#include "lazuli/fast.h"
#include "lazuli/lazuli.h"
#include "lazuli/packed.h"

namespace lazuli {
namespace {

const std::vector<Shape> shapes = {{},         {0},        {1},           {64},
                                   {0, 64},    {64, 0},    {1, 1},        {3, 64},
                                   {2, 3, 64}, {1, 0, 64}, {1, 2, 3, 64}, {1, 1, 1, 1, 64}};

// Computes what `make` records, if it is no error; an error must name the function.
template <class Make>
void expect_value_or_error(const std::string& op, Make make) {
  try {
    std::vector<array> values = make();
    eval(values);
    for (const array& value : values) {
      for (int64_t extent : value.shape()) EXPECT_GE(extent, 0) << op;
    }
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.message()).starts_with("[" + op + "]")) << error.message();
  }
}

std::vector<array> one(array a) { return {std::move(a)}; }

TEST(OddRanks, OfQuantizedWeights) {
  auto parts = quantize(ones({8, 64}), 32, 4);
  for (const Shape& shape : shapes) {
    array x = ones(shape), words = ones(shape, uint32);
    expect_value_or_error("quantize", [&] { return quantize(x, 32, 4); });
    for (int place = 0; place < 3; ++place) {
      std::vector<array> p = parts;
      p[static_cast<size_t>(place)] = place == 0 ? words : x;
      expect_value_or_error("dequantize", [&] { return one(dequantize(p[0], p[1], p[2], 32, 4)); });
      for (bool transpose : {false, true}) {
        expect_value_or_error("quantized_matmul", [&] {
          return one(quantized_matmul(ones({2, 64}), p[0], p[1], p[2], transpose, 32, 4));
        });
      }
    }
    for (bool transpose : {false, true}) {
      expect_value_or_error("quantized_matmul", [&] {
        return one(quantized_matmul(x, parts[0], parts[1], parts[2], transpose, 32, 4));
      });
    }
  }
}

TEST(OddRanks, OfPackedWeights) {
  PackedFormat format = PackedFormat::q8_0;  // 34 bytes for 32 weights
  array packed = zeros({4, 68}, uint8);
  for (const Shape& shape : shapes) {
    array x = ones(shape);
    Shape row = shape;
    if (!row.empty() && row.back() == 64) row.back() = 68;
    array w = zeros(row, uint8);
    expect_value_or_error("packed_matmul", [&] { return one(packed_matmul(x, packed, format)); });
    expect_value_or_error("packed_matmul",
                          [&] { return one(packed_matmul(ones({64}), w, format)); });
    expect_value_or_error("packed_take",
                          [&] { return one(packed_take(w, format, zeros({2}, int32))); });
    expect_value_or_error("packed_take",
                          [&] { return one(packed_take(packed, format, zeros(shape, int32))); });
    expect_value_or_error("packed_dequantize", [&] { return one(packed_dequantize(w, format)); });
  }
  for (int64_t row : {int64_t{4}, int64_t{-5}, int64_t{1} << 40}) {
    EXPECT_THROW(packed_take(packed, format, array(row, int64)).eval(), IndexError) << row;
  }
}

TEST(OddRanks, OfNormsAndRotations) {
  for (const Shape& shape : shapes) {
    array x = ones(shape);
    for (const Shape& other : shapes) {
      array v = ones(other);
      expect_value_or_error("rms_norm", [&] { return one(fast::rms_norm(x, v, 1e-5f)); });
      expect_value_or_error("layer_norm",
                            [&] { return one(fast::layer_norm(x, v, std::nullopt, 1e-5f)); });
      expect_value_or_error("layer_norm",
                            [&] { return one(fast::layer_norm(x, std::nullopt, v, 1e-5f)); });
      expect_value_or_error("rope", [&] {
        return one(fast::rope(x, 64, false, 10000.0f, 1.0f, zeros(other, int32), std::nullopt));
      });
      expect_value_or_error("rope",
                            [&] { return one(fast::rope(x, 64, true, std::nullopt, 1.0f, 0, v)); });
    }
    for (int dims : {-2, 0, 1, 3, 64, 66, 1 << 30}) {
      expect_value_or_error("rope",
                            [&] { return one(fast::rope(x, dims, false, 10000.0f, 1.0f, 3)); });
    }
  }
}

TEST(OddRanks, OfAttention) {
  array heads = ones({1, 2, 3, 64});
  for (const Shape& shape : shapes) {
    array x = ones(shape);
    for (int place = 0; place < 3; ++place) {
      std::vector<array> p(3, heads);
      p[static_cast<size_t>(place)] = x;
      expect_value_or_error("scaled_dot_product_attention", [&] {
        return one(fast::scaled_dot_product_attention(p[0], p[1], p[2], 1.0f));
      });
    }
    expect_value_or_error("scaled_dot_product_attention", [&] {
      return one(fast::scaled_dot_product_attention(heads, heads, heads, 1.0f, "array", x));
    });
    expect_value_or_error("scaled_dot_product_attention", [&] {
      return one(fast::scaled_dot_product_attention(heads, heads, heads, 1.0f, "", {}, x));
    });
  }
}

TEST(OddRanks, OfProductsAndRows) {
  for (const Shape& shape : shapes) {
    array x = ones(shape);
    for (const Shape& other : shapes) {
      array y = ones(other);
      expect_value_or_error("matmul", [&] { return one(matmul(x, y)); });
      for (int axis : {-2, -1, 0, 1}) {
        expect_value_or_error("take", [&] { return one(take(x, zeros(other, int32), axis)); });
      }
    }
    expect_value_or_error("tril", [&] { return one(tril(x)); });
    expect_value_or_error("triu", [&] { return one(triu(x)); });
  }
}

}  // namespace
}  // namespace lazuli
