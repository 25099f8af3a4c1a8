// Derivatives and batches of quantised ops, against the same of the matrices they stand for.
#include <gtest/gtest.h>

#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::filled;
using Arrays = std::vector<array>;

void expect_close(const array& got, const array& wanted, double bound) {
  ASSERT_EQ(got.shape(), wanted.shape());
  EXPECT_TRUE(allclose(got, wanted, bound, bound * max(abs(wanted)).item<float>()).item<bool>());
}

// Of x, scales and biases; w are levels.
Function product(const array& w, bool transposed) {
  return [=](const Arrays& in) {
    return Arrays{quantized_matmul(in[0], w, in[1], in[2], transposed, 32, 4)};
  };
}
Function dequantised_product(const array& w, bool transposed) {
  return [=](const Arrays& in) {
    // level * scale + bias, from levels that dequantize gives for scales of 1 and biases of 0.
    array levels = dequantize(w, ones_like(in[1]), zeros_like(in[2]), 32, 4);
    array full = levels * repeat(in[1], 32, -1) + repeat(in[2], 32, -1);
    return Arrays{matmul(in[0], transposed ? swapaxes(full, -1, -2) : full)};
  };
}

TEST(QuantizedDerivatives, OfProductsForActivationsScalesAndBiases) {
  for (bool transposed : {true, false}) {
    Arrays q = quantize(filled({64, 96}, float32, -1, 1, 1), 32, 4);
    array x = filled({3, transposed ? 96 : 64}, float32, -1, 1, 2);
    Arrays in = {x, q[1], q[2]}, t;
    for (size_t i = 0; i < 3; ++i) t.push_back(filled(in[i].shape(), float32, -1, 1, 10 + i));
    Function f = product(q[0], transposed), wanted = dequantised_product(q[0], transposed);
    array g = filled(f(in)[0].shape(), float32, -1, 1, 3);
    Arrays got = vjp(f, in, {g}).second, products = vjp(wanted, in, {g}).second;
    for (size_t i = 0; i < 3; ++i) expect_close(got[i], products[i], 1e-3);
    expect_close(jvp(f, in, t).second[0], jvp(wanted, in, t).second[0], 1e-3);
    Function of_x = [&](const Arrays& p) { return f({p[0], q[1], q[2]}); };
    Function wanted_of_x = [&](const Arrays& p) { return wanted({p[0], q[1], q[2]}); };
    expect_close(jvp(of_x, {x}, {t[0]}).second[0], jvp(wanted_of_x, {x}, {t[0]}).second[0], 1e-3);
  }
}

TEST(QuantizedDerivatives, OfLevelsAreZero) {
  Arrays q = quantize(filled({64, 96}, float32, -1, 1, 1), 32, 4);
  array x = filled({3, 96}, float32, -1, 1, 2);
  Function whole = [](const Arrays& in) { return Arrays{dequantize(in[0], in[1], in[2], 32, 4)}; };
  Function product = [&](const Arrays& in) {
    return Arrays{quantized_matmul(x, in[0], in[1], in[2], true, 32, 4)};
  };
  for (const Function& f : {whole, product}) {
    array g = filled(f(q)[0].shape(), float32, -1, 1, 3);
    Arrays all = vjp(f, q, {g}).second;
    EXPECT_EQ(all[0].dtype(), uint32);
    EXPECT_FALSE(any(all[0]).item<bool>());
    Function of_floats = [&](const Arrays& in) { return f({q[0], in[0], in[1]}); };
    Arrays floats = vjp(of_floats, {q[1], q[2]}, {g}).second;
    EXPECT_TRUE(array_equal(all[1], floats[0]).item<bool>());
    EXPECT_TRUE(array_equal(all[2], floats[1]).item<bool>());
  }
}

TEST(QuantizedVmap, OfActivationsAndOfWeights) {
  array w = filled({3, 64, 96}, float32, -1, 1, 4), x = filled({3, 2, 96}, float32, -1, 1, 5);
  Function parts = [](const Arrays& in) { return quantize(in[0], 32, 4); };
  Arrays q = vmap(parts)({w}), at_once = quantize(w, 32, 4);
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(array_equal(q[i], at_once[i]).item<bool>());
  Function whole = [](const Arrays& in) { return Arrays{dequantize(in[0], in[1], in[2], 32, 4)}; };
  array full = vmap(whole)(q)[0];
  EXPECT_TRUE(array_equal(full, dequantize(q[0], q[1], q[2], 32, 4)).item<bool>());
  Function f = [](const Arrays& in) {
    return Arrays{quantized_matmul(in[0], in[1], in[2], in[3], true, 32, 4)};
  };
  expect_close(vmap(f)({x, q[0], q[1], q[2]})[0], matmul(x, swapaxes(full, -1, -2)), 1e-3);
  Arrays first = quantize(take(w, array(0), 0), 32, 4);
  array matrix = dequantize(first[0], first[1], first[2], 32, 4);
  expect_close(vmap(f, {0, -1, -1, -1})({x, first[0], first[1], first[2]})[0],
               matmul(x, transpose(matrix)), 1e-3);
}

}  // namespace
}  // namespace lazuli
