// Derivatives of complex functions: tangents against differences, and vjp as the adjoint of jvp,
// Re(conj(g) J t) = Re(conj(vjp(g)) t), which is MLX's convention.
#include <gtest/gtest.h>

#include "ops/elementwise.h"
#include "ops/rows.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::filled;
using testing::Row;
using Arrays = std::vector<array>;

array complex_filled(const Shape& shape, double low, double high, uint64_t seed) {
  array imaginary = array(complex64_t(0, 1)) * filled(shape, float32, -0.7, 0.7, seed + 500);
  return filled(shape, float32, low, high, seed) + imaginary;
}
array of_dtype(const Shape& shape, Dtype dtype, double low, double high, uint64_t seed) {
  return dtype == complex64 ? complex_filled(shape, low, high, seed)
                            : filled(shape, dtype, low, high, seed);
}

// Re(conj(a) b), summed.
double product(const array& a, const array& b) {
  return sum(real(conjugate(astype(a, complex64)) * b)).item<float>();
}

void check(const Function& f, const Arrays& x, const std::string& what) {
  Arrays t, up, down;
  for (size_t i = 0; i < x.size(); ++i) {
    t.push_back(of_dtype(x[i].shape(), x[i].dtype(), -1, 1, 900 + i));
    array step = array(0.005f) * t[i];
    up.push_back(x[i] + step);
    down.push_back(x[i] - step);
  }
  array tangent = jvp(f, x, t).second[0], y = f(x)[0];
  ASSERT_EQ(tangent.dtype(), y.dtype()) << what;
  array wanted = (f(up)[0] - f(down)[0]) / array(0.01f);
  array scale = max(abs(wanted)) + array(0.1f);
  EXPECT_LT(max(abs(tangent - wanted) / scale).item<float>(), 5e-3) << what << " jvp";
  array g = of_dtype(y.shape(), y.dtype(), -1, 1, 950);
  Arrays products = vjp(f, x, {g}).second;
  double by_vjp = 0, by_jvp = product(g, tangent);
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(products[i].dtype(), x[i].dtype()) << what;
    by_vjp += product(products[i], t[i]);
  }
  EXPECT_NEAR(by_vjp, by_jvp, 2e-4 * (1 + std::fabs(by_jvp))) << what << " vjp";
}

bool takes_complex(const Row& row) {
  bool complex = row.accepts == Accepts::Number || row.accepts == Accepts::Inexact ||
                 row.accepts == Accepts::Complex;
  return complex && row.result != Result::Boolean;
}

TEST(ComplexDerivatives, OfEveryUnaryRow) {
  int count = 0;
  for (const Row& row : testing::unary_rows()) {
    if (!takes_complex(row) || row.name == "rint") continue;  // a step
    Function f = [&](const Arrays& x) { return Arrays{unary(row.op, x[0], {})}; };
    check(f, {complex_filled({11}, row.low, row.high, 10)}, row.name);
    ++count;
  }
  EXPECT_GT(count, 20);
}

TEST(ComplexDerivatives, OfArccoshAreThoseOfItsBranch) {
  array left = array({complex64_t(-1, 0.5f), complex64_t(-2, -1), complex64_t(-0.5f, 2)});
  check([](const Arrays& x) { return Arrays{arccosh(x[0])}; }, {left}, "arccosh");
}

TEST(ComplexDerivatives, OfEveryBinaryRowAndOfRealTimesComplex) {
  for (const Row& row : testing::binary_rows()) {
    bool jumps = row.name == "maximum" || row.name == "minimum";
    if (!takes_complex(row) || jumps) continue;
    Function f = [&](const Arrays& x) { return Arrays{binary(row.op, x[0], x[1], {})}; };
    array a = complex_filled({3, 4}, row.low, row.high, 20),
          b = complex_filled({4}, row.y_low, row.y_high, 21);
    check(f, {a, b}, row.name);
    check(f, {real(a), b}, row.name + " of real and complex");
    check(f, {a, real(b)}, row.name + " of complex and real");
  }
}

TEST(ComplexDerivatives, OfProductsSumsAndScans) {
  array a = complex_filled({3, 4}, -1, 1, 30), b = complex_filled({4, 2}, -1, 1, 31);
  check([](const Arrays& x) { return Arrays{matmul(x[0], x[1])}; }, {a, b}, "matmul");
  check([](const Arrays& x) { return Arrays{matmul(x[0], x[1])}; }, {real(a), b}, "real matmul");
  check([](const Arrays& x) { return Arrays{prod(x[0], 0)}; }, {a}, "prod");
  check([](const Arrays& x) { return Arrays{cumprod(x[0], 1)}; }, {a}, "cumprod");
  check([](const Arrays& x) { return Arrays{cumsum(x[0], 1, true, false)}; }, {a}, "cumsum");
  check([](const Arrays& x) { return Arrays{softmax(x[0], -1)}; }, {a}, "softmax");
  check([](const Arrays& x) { return Arrays{logsumexp(x[0], 0)}; }, {a}, "logsumexp");
  check([](const Arrays& x) { return Arrays{var(x[0], 1)}; }, {a}, "var");
  check([](const Arrays& x) { return Arrays{where(real(x[0]) > array(0.0f), x[0], x[0] * x[0])}; },
        {a}, "where");
  check([](const Arrays& x) { return Arrays{astype(x[0], complex64) * x[1]}; }, {real(a), a},
        "astype");
}

TEST(ComplexDerivatives, AreTheValuesOfMLX) {
  array x = array({complex64_t(1, 2)}), y = array({complex64_t(2, -1)});
  Arrays products = vjp([](const Arrays& p) { return Arrays{multiply(p[0], p[1])}; }, {x, y},
                        {array({complex64_t(1, 1)})})
                        .second;
  EXPECT_EQ(products[0].item<complex64_t>(), complex64_t(1, 3));
  EXPECT_EQ(products[1].item<complex64_t>(), complex64_t(3, -1));
  array z = array({complex64_t(3, 4)});
  ScalarFunction size = [](const array& p) { return abs(p); };
  EXPECT_FLOAT_EQ(jvp(size, z, array({complex64_t(0, 1)})).second.item<float>(), 0.8f);
  ScalarFunction imaginary = [](const array& p) { return imag(p); };
  EXPECT_EQ(vjp(imaginary, z, array({1.0f})).second.item<complex64_t>(), complex64_t(0, 1));
}

}  // namespace
}  // namespace lazuli
