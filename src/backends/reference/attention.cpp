#include "backends/reference/attention.h"
#include "ops/table/params.h"

#include <cmath>
#include <limits>

namespace lazuli::reference {
namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();
// What is masked out: where nothing else is left, all keys weigh alike.
constexpr double hidden = -std::numeric_limits<float>::max();

// x[i, j, k, l]; extents of 1 broadcast.
double at(const Tensor& x, int64_t i, int64_t j, int64_t k, int64_t l) {
  const int64_t index[] = {i, j, k, l};
  int64_t place = 0;
  for (size_t d = 0; d < x.shape.size(); ++d) {
    int64_t along = x.shape[d] == 1 ? 0 : index[4 - x.shape.size() + d];
    place = place * x.shape[d] + along;
  }
  size_t p = static_cast<size_t>(place);
  return x.is_real() ? x.real[p] : static_cast<double>(x.whole[p]);
}

struct Heads {
  const Tensor &q, &k, &v;
  int64_t group() const { return q.shape[1] / k.shape[1]; }
};

// The masked score of one query and one key.
double score(const AttentionParams& params, const std::vector<const Tensor*>& in,
             const Heads& heads, int64_t b, int64_t n, int64_t t, int64_t s) {
  int64_t queries = heads.q.shape[2], keys = heads.k.shape[2];
  double sum = 0;
  for (int64_t d = 0; d < heads.q.shape[3]; ++d) {
    sum += at(heads.q, b, n, t, d) * at(heads.k, b, n / heads.group(), s, d);
  }
  sum *= params.scale;
  switch (params.mask) {
    case MaskKind::none: return sum;
    case MaskKind::causal: return s <= t + keys - queries ? sum : hidden;
    case MaskKind::boolean: return at(*in[3], b, n, t, s) != 0 ? sum : hidden;
    case MaskKind::additive: return sum + at(*in[3], b, n, t, s);
  }
  return sum;
}

}  // namespace

Tensor attention(const Node* node, const std::vector<const Tensor*>& in) {
  auto attention = params<AttentionParams>(node);
  Heads heads{*in[0], *in[1], *in[2]};
  Tensor out(node->shape, node->type());
  int64_t keys = heads.k.shape[2];
  std::vector<double> weights(static_cast<size_t>(keys));
  size_t place = 0;
  for (int64_t b = 0; b < out.shape[0]; ++b) {
    for (int64_t n = 0; n < out.shape[1]; ++n) {
      for (int64_t t = 0; t < out.shape[2]; ++t) {
        double sink = attention.sinks ? in.back()->real[static_cast<size_t>(n)] : minus_infinity;
        double peak = sink;
        for (int64_t s = 0; s < keys; ++s) {
          double value = weights[static_cast<size_t>(s)] = score(attention, in, heads, b, n, t, s);
          if (std::isnan(value) || value > peak) peak = value;
        }
        double total = attention.sinks ? std::exp(sink - peak) : 0;
        for (double& w : weights) total += w = std::exp(w - peak);
        for (int64_t d = 0; d < out.shape[3]; ++d) {
          double sum = 0;
          for (int64_t s = 0; s < keys; ++s) {
            sum += weights[static_cast<size_t>(s)] * at(heads.v, b, n / heads.group(), s, d);
          }
          out.real[place++] = sum / total;
        }
      }
    }
  }
  return out;
}

// Inputs: x, offset and, instead of a base, freqs.
Tensor rope(const Node* node, const std::vector<const Tensor*>& in) {
  const Tensor& x = *in[0];
  const Tensor& offset = *in[1];
  Tensor out = x;
  auto [dims, traditional, scale, base] = params<RopeParams>(node);
  int64_t width = x.shape.back(), length = x.shape[x.shape.size() - 2];
  for (int64_t row = 0; width && row < x.size() / width; ++row) {
    int64_t example = row / (x.size() / width / x.shape[0]);
    size_t which = static_cast<size_t>(offset.size() == 1 ? 0 : example);
    double start = offset.is_real() ? offset.real[which] : static_cast<double>(offset.whole[which]);
    double position = (start + static_cast<double>(row % length)) * scale;
    for (int64_t i = 0; i < dims / 2; ++i) {
      double wave = in.size() > 2
                        ? 1 / in[2]->real[static_cast<size_t>(i)]
                        : std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(dims));
      double c = std::cos(position * wave), s = std::sin(position * wave);
      auto first = static_cast<size_t>(row * width + (traditional ? 2 * i : i));
      size_t second = first + (traditional ? 1 : static_cast<size_t>(dims / 2));
      out.real[first] = x.real[first] * c - x.real[second] * s;
      out.real[second] = x.real[first] * s + x.real[second] * c;
    }
  }
  return out;
}

}  // namespace lazuli::reference
