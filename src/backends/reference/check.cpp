#include "backends/reference/check.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "backends/reference/interpreter.h"
#include "backends/reference/jumps.h"
#include "ops/table/params.h"

namespace lazuli::reference {
namespace {

// A rounding error of the dtype, relative to the largest value.
double unit_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::Val::float16: return 0x1p-10;
    case Dtype::Val::bfloat16: return 0x1p-7;
    case Dtype::Val::float64: return 0x1p-50;
    default: return 0x1p-21;
  }
}

Params params_of(const Node* node) {
  Params params;
  params.words = node->params;
  params.structural = node->structural;
  return params;
}

std::vector<Complex> as_complex(const Tensor& t) {
  std::vector<Complex> result;
  with_values(t, [&](const auto& values) {
    for (const auto& v : values) {
      using T = std::decay_t<decltype(v)>;
      if constexpr (std::is_same_v<T, Complex>) result.push_back(v);
      else result.push_back(static_cast<double>(v));
    }
  });
  return result;
}

// From where on a value of the dtype may have become infinite.
double end_of(Dtype dtype) {
  return dtype == float16 ? 65504.0 : dtype == float64 ? HUGE_VAL : 0x1.fep127;
}

bool agree(Complex got, Complex wanted, double tolerance, double end) {
  auto part = [tolerance, end](double g, double w) {
    if (std::isinf(g) && std::fabs(w) >= end) return std::signbit(g) == std::signbit(w);
    return g == w || (std::isnan(g) && std::isnan(w)) || std::fabs(g - w) <= tolerance;
  };
  return part(got.real(), wanted.real()) && part(got.imag(), wanted.imag());
}

// By real parts, then by imaginary ones; NaN last.
bool before(Complex a, Complex b) {
  bool last_a = std::isnan(std::abs(a)), last_b = std::isnan(std::abs(b));
  if (last_a || last_b) return !last_a && last_b;
  return a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
}

// Whether a row is the other one in an order that has element k in its place: what a partition
// leaves open is the order on either side of it.
bool is_partition(std::vector<Complex> row, std::vector<Complex> wanted, size_t k) {
  for (size_t i = 0; i < row.size(); ++i) {
    if (i < k ? before(row[k], row[i]) : before(row[i], row[k])) return false;
  }
  std::sort(row.begin(), row.end(), before);
  std::sort(wanted.begin(), wanted.end(), before);
  for (size_t i = 0; i < row.size(); ++i) {
    if (!agree(row[i], wanted[i], 0, HUGE_VAL)) return false;
  }
  return true;
}

class Check : public StepCheck {
 public:
  Check(const Graph& graph, const Step& step, std::span<const Layout* const> reads)
      : graph_(graph), step_(step) {
    for (size_t k = 0; k < reads.size(); ++k) {
      uint32_t n = step.reads[k];
      values_.emplace(n, tensor_of(graph.nodes[n], *reads[k]));
    }
  }

  std::string difference(std::span<const Layout* const> writes) override {
    compute();
    for (size_t k = 0; k < writes.size(); ++k) {
      uint32_t n = step_.writes[k];
      std::string found = compare(n, tensor_of(graph_.nodes[n], *writes[k]));
      if (!found.empty()) return found;
    }
    return "";
  }

 private:
  void compute() {
    if (!step_.fused) {
      std::vector<const Tensor*> in;
      for (uint32_t n : step_.inputs) in.push_back(&values_.at(n));
      values_[step_.node] = interpret_op(graph_.nodes[step_.node], in);
      return;
    }
    const auto& fused = step_.fused->values;
    for (const FusedValue& v : fused) {
      const Node* node = graph_.nodes[v.node];
      if (v.kind == FusedValue::Kind::operand) continue;
      if (v.kind == FusedValue::Kind::constant) {
        values_.emplace(v.node, tensor_of(node, Layout()));
        continue;
      }
      std::vector<const Tensor*> in;
      std::vector<const Doubt*> doubts;
      for (int k = 0; k < v.input_count; ++k) {
        uint32_t input = fused[v.inputs[k]].node;
        in.push_back(&values_.at(input));
        doubts.push_back(&doubts_[input]);
      }
      // Sweeps compute some values with trailing axes that their nodes have not.
      array shaped(make_node(v.op, node->type(), graph_.nodes[v.shape]->shape, {}, params_of(node),
                             stream_at(node->stream)));
      Tensor result = interpret_op(shaped.node(), in);
      Doubt doubt{tolerance_of(result), doubtful(shaped.node(), in, doubts)};
      values_[v.node] = std::move(result);
      doubts_[v.node] = std::move(doubt);
    }
  }

  // Rounding errors add up along a step, relative to the largest value.
  double tolerance_of(const Tensor& wanted) const {
    double scale = 0;
    if (wanted.is_real() || wanted.is_complex()) {
      for (const Complex& w : as_complex(wanted)) {
        if (std::isfinite(std::abs(w))) scale = std::max(scale, std::abs(w));
      }
      // The last place of small halves does not shrink with them.
      scale += wanted.dtype == float16 ? 0x1p-14 : 1e-30;
    }
    double depth = step_.fused ? static_cast<double>(step_.fused->values.size()) : 4;
    return unit_of(wanted.dtype) * (4 + depth) * scale;
  }

  // Integers and booleans are exact, but where floats that they are made of lay beside a jump.
  std::string compare(uint32_t n, const Tensor& got_tensor) const {
    const Node* node = graph_.nodes[n];
    if (node->op == Op::partition || node->op == Op::argpartition) {
      return compare_partition(n, got_tensor);
    }
    const Tensor& wanted_tensor = values_.at(n);
    std::vector<Complex> got = as_complex(got_tensor), wanted = as_complex(wanted_tensor);
    double tolerance = tolerance_of(wanted_tensor), end = end_of(wanted_tensor.dtype);
    auto doubt = doubts_.find(n);
    for (size_t i = 0; i < got.size(); ++i) {
      if (agree(got[i], wanted[i], tolerance, end)) continue;
      if (doubt != doubts_.end() && doubt->second.at(i)) continue;
      return "%" + std::to_string(n) + " (" + op_info(graph_.nodes[n]->op).name + "), element " +
             std::to_string(i) + ": " + text(got[i]) + ", the reference has " + text(wanted[i]);
    }
    return "";
  }

  std::string compare_partition(uint32_t n, const Tensor& got_tensor) const {
    const Node* node = graph_.nodes[n];
    const std::vector<Complex> given = as_complex(values_.at(step_.inputs[0]));
    std::vector<Complex> got = as_complex(got_tensor);
    size_t extent = got.empty() ? 1 : static_cast<size_t>(node->shape.back());
    for (size_t first = 0; first < got.size(); first += extent) {
      std::vector<Complex> row(extent), from(&given[first], &given[first] + extent);
      for (size_t i = 0; i < extent; ++i) {
        row[i] = got[first + i];
        if (node->op != Op::argpartition) continue;
        size_t place = static_cast<size_t>(row[i].real());
        row[i] = place < extent ? from[place] : Complex(NAN, NAN);
      }
      if (is_partition(row, from, static_cast<size_t>(params<OrderParams>(node).kth))) continue;
      return "%" + std::to_string(n) + " (" + op_info(node->op).name + "), row " +
             std::to_string(first / extent) + " is not parted.";
    }
    return "";
  }

  static std::string text(Complex z) {
    std::string result = std::to_string(z.real());
    return z.imag() == 0 ? result : result + " + " + std::to_string(z.imag()) + "i";
  }

  const Graph& graph_;
  const Step& step_;
  std::unordered_map<uint32_t, Tensor> values_;
  std::unordered_map<uint32_t, Doubt> doubts_;  // of what the step computes
};

}  // namespace

std::unique_ptr<StepCheck> make_check(const Graph& graph, const Step& step,
                                      std::span<const Layout* const> reads) {
  return std::make_unique<Check>(graph, step, reads);
}

}  // namespace lazuli::reference
