// Derivatives of every differentiable row against central differences in float64; jvp against vjp;
// vmap against a loop; compile against plain calls.
#include <gtest/gtest.h>

#include <cmath>

#include "ops/elementwise.h"
#include "ops/rows.h"
#include "support/against_reference.h"

namespace lazuli {
namespace {

using testing::filled;
using testing::Row;
using testing::values_of;

// The directional derivative of sum(f) by central differences.
double difference(const Function& f, const std::vector<array>& x, const std::vector<array>& t) {
  double h = 1e-6, result = 0;
  for (double side : {1.0, -1.0}) {
    std::vector<array> moved;
    for (size_t i = 0; i < x.size(); ++i) moved.push_back(x[i] + array(side * h, float64) * t[i]);
    for (const array& y : f(moved)) result += side * sum(astype(y, float64)).item<double>();
  }
  return result / (2 * h);
}

// Checks vjp and jvp of f at x along a random direction.
void check_derivatives(const Function& f, const std::vector<array>& x, const std::string& what) {
  std::vector<array> t, ones;
  for (size_t i = 0; i < x.size(); ++i) t.push_back(filled(x[i].shape(), float64, -1, 1, 100 + i));
  for (const array& y : f(x)) ones.push_back(ones_like(y));
  double wanted = difference(f, x, t);
  double bound = 1e-6 * (1 + std::fabs(wanted)) * std::sqrt(static_cast<double>(x[0].size()));
  double by_vjp = 0, by_jvp = 0;
  auto products = vjp(f, x, ones).second;
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(products[i].shape(), x[i].shape()) << what;
    by_vjp += sum(products[i] * t[i]).item<double>();
  }
  for (const array& d : jvp(f, x, t).second) by_jvp += sum(astype(d, float64)).item<double>();
  EXPECT_NEAR(by_vjp, wanted, bound) << what << " vjp";
  EXPECT_NEAR(by_jvp, wanted, bound) << what << " jvp";
}

// f applied to each slice along axis 0 and stacked.
std::vector<array> looped(const Function& f, const std::vector<array>& x) {
  std::vector<std::vector<array>> rows;
  for (int64_t b = 0; b < x[0].shape(0); ++b) {
    std::vector<array> in;
    for (const array& a : x) in.push_back(take(a, array(b, int64), 0));
    rows.push_back(f(in));
  }
  std::vector<array> result;
  for (size_t k = 0; k < rows[0].size(); ++k) {
    std::vector<array> column;
    for (const auto& row : rows) column.push_back(row[k]);
    result.push_back(stack(column));
  }
  return result;
}

void check_vmap(const Function& f, const std::vector<array>& x, const std::string& what) {
  std::vector<array> at_once = vmap(f)(x), by_loop = looped(f, x);
  ASSERT_EQ(at_once.size(), by_loop.size());
  for (size_t k = 0; k < at_once.size(); ++k) {
    ASSERT_EQ(at_once[k].shape(), by_loop[k].shape()) << what;
    EXPECT_TRUE(allclose(at_once[k], by_loop[k], 1e-9, 1e-9, true).item<bool>()) << what;
  }
}

bool differentiable(const Row& row) {
  return row.result != Result::Boolean && !is_integral(row.accepts) &&
         row.accepts != Accepts::Complex;
}

TEST(Derivatives, OfEveryUnaryRow) {
  for (const Row& row : testing::unary_rows()) {
    Function f = [&](const std::vector<array>& x) {
      return std::vector<array>{unary(row.op, x[0], {})};
    };
    array x = filled({3, 7}, float64, row.low, row.high, 30);
    if (differentiable(row)) check_derivatives(f, {x}, row.name);
    if (!is_integral(row.accepts)) check_vmap(f, {x}, row.name);
  }
}

TEST(Derivatives, OfEveryBinaryRow) {
  for (const Row& row : testing::binary_rows()) {
    if (is_integral(row.accepts)) continue;
    Function f = [&](const std::vector<array>& x) {
      return std::vector<array>{binary(row.op, x[0], x[1], {})};
    };
    array x = filled({3, 7}, float64, row.low, row.high, 31),
          y = filled({7}, float64, row.y_low, row.y_high, 32);
    if (differentiable(row)) check_derivatives(f, {x, y}, row.name);
    check_vmap(f, {x, filled({3, 1}, float64, row.y_low, row.y_high, 33)}, row.name);
  }
}

struct Case {
  const char* name;
  Function f;
  std::vector<Shape> shapes;
};

std::vector<Case> shape_cases() {
  using Arrays = std::vector<array>;
  return {
      {"views",
       [](const Arrays& x) {
         return Arrays{square(reshape(transpose(x[0]), {2, -1})),
                       exp(broadcast_to(expand_dims(x[0], 0), {2, 4, 6})), flip(x[0], 1) * x[0],
                       squeeze(expand_dims(x[0], 1), 1)};
       },
       {{4, 6}}},
      {"slice",
       [](const Arrays& x) { return Arrays{square(slice(x[0], {3, 0}, {0, 6}, {-2, 2}))}; },
       {{4, 6}}},
      {"slice_update",
       [](const Arrays& x) {
         return Arrays{square(slice_update(x[0], sum(x[0], 0, true), {1, 0}, {2, 6}))};
       },
       {{4, 6}}},
      {"as_strided",
       [](const Arrays& x) { return Arrays{square(as_strided(x[0], {3, 4}, {2, 3}, 1))}; },
       {{4, 6}}},
      {"concatenate",
       [](const Arrays& x) { return Arrays{square(concatenate({x[0], x[1]}, 1)) * 2}; },
       {{4, 2}, {4, 3}}},
      {"sum",
       [](const Arrays& x) { return Arrays{square(sum(x[0], 0)), exp(mean(x[0], 1))}; },
       {{4, 6}}},
      {"prod", [](const Arrays& x) { return Arrays{prod(x[0], 0), prod(x[0])}; }, {{3, 2}}},
  };
}

std::vector<Case> index_cases() {
  using Arrays = std::vector<array>;
  auto index = [] { return array({2, 0, 1, 2}); };
  return {
      {"max",
       [](const Arrays& x) { return Arrays{square(max(x[0], 1)), square(min(x[0], 0))}; },
       {{4, 6}}},
      {"softmax",
       [](const Arrays& x) { return Arrays{square(softmax(x[0], -1)), logsumexp(x[0], 0)}; },
       {{4, 6}}},
      {"var", [](const Arrays& x) { return Arrays{var(x[0], 1), std(x[0], 0)}; }, {{4, 6}}},
      {"matmul",
       [](const Arrays& x) { return Arrays{square(matmul(x[0], x[1]))}; },
       {{4, 3}, {3, 5}}},
      {"matvec", [](const Arrays& x) { return Arrays{square(matmul(x[0], x[1]))}; }, {{4, 3}, {3}}},
      {"where",
       [](const Arrays& x) { return Arrays{where(x[0] > 0.0, square(x[0]), sin(x[1]))}; },
       {{4, 6}, {4, 6}}},
      {"take",
       [=](const Arrays& x) {
         return Arrays{square(take(x[0], index(), 0)), square(take(x[0], index(), 1))};
       },
       {{4, 6}}},
      {"take_along",
       [](const Arrays& x) {
         return Arrays{square(take_along_axis(x[0], argsort(stop_gradient(x[0]), 1), 1))};
       },
       {{4, 6}}},
      {"scatter",
       [=](const Arrays& x) {
         return Arrays{square(scatter_add(x[0], {index()}, reshape(x[1], {4, 1, 6}), {0}))};
       },
       {{4, 6}, {4, 6}}},
      {"sort",
       [](const Arrays& x) {
         return Arrays{sort(x[0], 1) * array({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, float64)};
       },
       {{4, 6}}},
      {"cumsum",
       [](const Arrays& x) { return Arrays{square(cumsum(x[0], 1)), cumprod(x[0], 0)}; },
       {{4, 6}}},
      {"layer_norm",
       [](const Arrays& x) { return Arrays{square(fast::layer_norm(x[0], x[1], x[1], 1e-5f))}; },
       {{4, 6}, {6}}},
      {"rope",
       [](const Arrays& x) {
         return Arrays{square(fast::rope(x[0], 4, false, 100.0f, 1.0f, 3)) * x[0]};
       },
       {{2, 3, 4}}},
  };
}

std::vector<Case> scan_and_scatter_cases() {
  using Arrays = std::vector<array>;
  auto rows = [] { return array({2, 0, 1, 2}); };
  auto columns = [] { return array({5, 0, 3, 5}); };
  return {
      {"scans back and without the last",
       [](const Arrays& x) {
         return Arrays{square(cumsum(x[0], 1, true)), square(cumsum(x[0], 0, false, false)),
                       cumprod(x[0], 1, true),        square(cumprod(x[0], 0, true, false)),
                       square(cummax(x[0], 1)),       square(cummin(x[0], 0, true))};
       },
       {{4, 6}}},
      {"put_along_axis",
       [](const Arrays& x) {
         array order = argsort(stop_gradient(x[1]), 1);
         return Arrays{square(put_along_axis(x[0], order, x[1], 1)),
                       square(scatter_add_axis(x[0], order, x[1], 1))};
       },
       {{4, 6}, {4, 3}}},
      {"gather of two indices",
       [=](const Arrays& x) {
         return Arrays{square(gather(x[0], {rows(), columns()}, {0, 1}, {1, 1})),
                       square(gather(x[0], {columns(), rows()}, {1, 0}, {2, 1}))};
       },
       {{4, 6}}},
      {"scatter of two indices",
       [=](const Arrays& x) {
         array distinct = array({3, 0, 1, 2});
         array updates = reshape(x[1], {4, 1, 1});
         return Arrays{square(scatter(x[0], {distinct, columns()}, updates, {0, 1})),
                       square(scatter_add(x[0], {rows(), columns()}, updates, {0, 1})),
                       square(scatter_max(x[0], {distinct, columns()}, updates, {0, 1})),
                       square(scatter_min(x[0], {distinct, columns()}, updates, {0, 1}))};
       },
       {{4, 6}, {4}}},
  };
}

std::vector<Case> cases() {
  std::vector<Case> all = shape_cases();
  for (Case& c : index_cases()) all.push_back(std::move(c));
  for (Case& c : scan_and_scatter_cases()) all.push_back(std::move(c));
  return all;
}

TEST(Derivatives, OfShapeAndIndexOps) {
  for (const Case& c : cases()) {
    std::vector<array> x;
    for (size_t i = 0; i < c.shapes.size(); ++i)
      x.push_back(filled(c.shapes[i], float64, -1, 1, 40 + i));
    check_derivatives(c.f, x, c.name);
  }
}

TEST(Vmap, OfShapeAndIndexOps) {
  for (const Case& c : cases()) {
    if (std::string(c.name) == "rope") continue;  // its offset is a scalar already
    std::vector<array> x;
    for (size_t i = 0; i < c.shapes.size(); ++i) {
      Shape shape = c.shapes[i];
      shape.insert(shape.begin(), 3);
      x.push_back(filled(shape, float64, -1, 1, 50 + i));
    }
    check_vmap(c.f, x, c.name);
  }
}

TEST(Vmap, MapsOtherAxesAndSharesArguments) {
  Function f = [](const std::vector<array>& x) { return std::vector<array>{matmul(x[0], x[1])}; };
  array a = filled({4, 3, 5}, float64, -1, 1, 60), b = filled({3}, float64, -1, 1, 61);
  array got = vmap(f, {2, -1}, {1})({a, b})[0];
  EXPECT_TRUE(allclose(got, matmul(swapaxes(a, 1, 2), b), 1e-9, 1e-9).item<bool>());
}

TEST(Compile, GivesWhatThePlainFunctionGives) {
  int calls = 0;
  Function f = [&](const std::vector<array>& x) {
    ++calls;
    return std::vector<array>{softmax(x[0] * 2, -1), sum(x[0]) + x[1]};
  };
  Function compiled = compile(f);
  for (int64_t rows : {2, 3, 2, 2}) {
    array a = filled({rows, 5}, float32, -1, 1, 70 + static_cast<uint64_t>(rows)),
          b = filled({5}, float32, -1, 1, 71);
    auto plain = f({a, b}), repeated = compiled({a, b});
    for (size_t k = 0; k < plain.size(); ++k)
      EXPECT_TRUE(array_equal(plain[k], repeated[k]).item<bool>());
  }
  EXPECT_EQ(calls, 4 + 2);
}

TEST(Grad, TakesWhatIsStoppedForConstant) {
  ScalarFunction f = [](const array& x) { return x * stop_gradient(exp(x * 0.5)); };
  array x = filled({5}, float64, -1, 1, 79), one = ones_like(x);
  EXPECT_TRUE(allclose(vjp(f, x, one).second, exp(x * 0.5), 1e-12, 1e-12).item<bool>());
  EXPECT_TRUE(allclose(jvp(f, x, one).second, exp(x * 0.5), 1e-12, 1e-12).item<bool>());
  ScalarFunction all = [](const array& y) { return sum(stop_gradient(y)); };
  EXPECT_TRUE(array_equal(grad(all)(x), zeros_like(x)).item<bool>());
}

TEST(Grad, OfGradAndThroughCustomRules) {
  ScalarFunction f = [](const array& x) { return sum(sin(x) * exp(x)); };
  ScalarFunction second = grad(ScalarFunction([&](const array& x) { return sum(grad(f)(x)); }));
  array x = filled({5}, float64, -1, 1, 80);
  EXPECT_TRUE(allclose(second(x), 2 * cos(x) * exp(x), 1e-9, 1e-9).item<bool>());
  Function tripled = custom_vjp(
      [](const std::vector<array>& p) { return std::vector<array>{sin(p[0]), p[0] * 2}; },
      [](const std::vector<array>& p, const std::vector<array>& g, const std::vector<array>&) {
        return std::vector<array>{3 * g[0] + g[1] * p[0]};
      });
  auto products = vjp(tripled, {x}, {ones_like(x), ones_like(x)}).second;
  EXPECT_TRUE(allclose(products[0], 3 + x, 1e-9, 1e-9).item<bool>());
  Function kept =
      checkpoint([](const std::vector<array>& p) { return std::vector<array>{sin(p[0]) * p[0]}; });
  auto again = vjp(kept, {x}, {ones_like(x)}).second;
  EXPECT_TRUE(allclose(again[0], cos(x) * x + sin(x), 1e-9, 1e-9).item<bool>());
}

TEST(Grad, RefusesWhatIsNotAScalar) {
  ScalarFunction f = [](const array& x) { return x * 2; };
  EXPECT_THROW(grad(f)(array({1.0f, 2.0f})), ArgumentError);
  EXPECT_THROW(vjp(f, array({1.0f}), array({1.0f, 2.0f})), ArgumentError);
}

TEST(Training, OfASmallNetworkLowersItsLoss) {
  array w1 = filled({2, 32}, float32, -0.5, 0.5, 90), w2 = filled({32, 1}, float32, -0.2, 0.2, 91);
  array x = filled({64, 2}, float32, -1, 1, 92), y = prod(x, 1, true);
  auto step = value_and_grad(
      [&](const std::vector<array>& p) {
        array out = matmul(tanh(matmul(x, p[0])), p[1]);
        return std::vector<array>{mean(square(out - y))};
      },
      std::vector<int>{0, 1});
  float first = 0, last = 0;
  for (int i = 0; i < 200; ++i) {
    auto [loss, g] = step({w1, w2});
    w1 = w1 - 0.5f * g[0];
    w2 = w2 - 0.5f * g[1];
    eval(loss[0], w1, w2);
    last = loss[0].item<float>();
    if (i == 0) first = last;
  }
  EXPECT_LT(last, 0.8f * first);
}

}  // namespace
}  // namespace lazuli
