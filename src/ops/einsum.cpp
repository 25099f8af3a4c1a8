// Einstein summation: products of arrays whose axes have labels, summed over the labels that the
// result has not.
//
// Two operands at a time become one batched matrix product: labels of both that are still needed
// are the batch, the others of both are summed. Those whose product is smallest come first.
#include <algorithm>
#include <map>
#include <string>

#include "lazuli/ops.h"
#include "ops/record.h"

namespace lazuli {
namespace {

// Labels are letters; the axes behind an ellipsis have labels from 256 on, counted from the last.
using Labels = std::vector<int>;
constexpr int ellipsis = 256;

[[noreturn]] void refuse(const std::string& what) { throw ArgumentError("[einsum] " + what); }

bool has(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

struct Operand {
  array values;
  Labels labels;  // each once

  int64_t extent(int label) const {
    auto at = std::find(labels.begin(), labels.end(), label);
    return at == labels.end() ? 1 : values.shape()[static_cast<size_t>(at - labels.begin())];
  }
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (char c : text) {
    if (c == ',') parts.emplace_back();
    else parts.back() += c;
  }
  return parts;
}

// The labels of `text`; an ellipsis stands for `spread` axes.
Labels parse(const std::string& text, size_t spread) {
  Labels labels;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 3, "...") == 0) {
      for (size_t k = spread; k-- > 0;) labels.push_back(ellipsis + static_cast<int>(k));
      i += 2;
    } else if ((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z')) {
      labels.push_back(text[i]);
    } else {
      refuse(std::string("Subscripts are letters and one ellipsis, not '") + text[i] + "'.");
    }
  }
  return labels;
}

class Einsum {
 public:
  Einsum(const std::string& subscripts, const std::vector<array>& operands, const Stream& s)
      : stream_(s) {
    std::string text;
    std::copy_if(subscripts.begin(), subscripts.end(), std::back_inserter(text),
                 [](char c) { return c != ' '; });
    size_t arrow = text.find("->");
    std::vector<std::string> inputs = split(text.substr(0, arrow));
    if (operands.empty()) refuse("At least one operand is needed.");
    if (inputs.size() != operands.size()) {
      refuse(std::to_string(operands.size()) + " operands for " + std::to_string(inputs.size()) +
             " lists of subscripts.");
    }
    size_t spread = 0;
    for (size_t k = 0; k < inputs.size(); ++k) {
      spread = std::max(spread, add_operand(inputs[k], operands[k], k));
    }
    if (arrow != std::string::npos) {
      output_ = parse(text.substr(arrow + 2), spread);
    } else {
      default_output(inputs, spread);
    }
    check_output();
  }

  array run() {
    for (Operand& operand : operands_) sum_unneeded(operand, {});
    while (operands_.size() > 1) {
      auto [i, j] = next_pair();
      Operand a = std::move(operands_[i]), b = std::move(operands_[j]);
      operands_.erase(operands_.begin() + static_cast<long>(j));
      operands_.erase(operands_.begin() + static_cast<long>(i));
      operands_.push_back(contract(std::move(a), std::move(b)));
    }
    return ordered(operands_[0], output_);
  }

 private:
  // The axes behind an ellipsis of the operand.
  size_t add_operand(const std::string& text, const array& values, size_t index) {
    size_t dots = text.find("...");
    bool spreads = dots != std::string::npos;
    size_t letters = parse(text, 0).size();
    if (letters > values.ndim() || (letters < values.ndim() && !spreads)) {
      refuse(std::to_string(letters) + " subscripts for operand " + std::to_string(index) + ", " +
             describe(values) + ".");
    }
    if (spreads && text.find("...", dots + 3) != std::string::npos) {
      refuse("Operand " + std::to_string(index) + " has two ellipses.");
    }
    size_t spread = values.ndim() - letters;
    Operand operand{values, parse(text, spread)};
    take_diagonals(operand);
    for (size_t d = 0; d < operand.labels.size(); ++d) {
      int64_t extent = operand.values.shape()[d];
      int64_t& known = extents_.emplace(operand.labels[d], extent).first->second;
      if (known == 1) known = extent;
      if (extent != known && extent != 1) {
        refuse("Axis " + std::to_string(d) + " of operand " + std::to_string(index) + ", " +
               describe(values) + ", does not broadcast to " + std::to_string(known) + ".");
      }
    }
    operands_.push_back(std::move(operand));
    return spread;
  }

  // Leaves each label once.
  void take_diagonals(Operand& operand) const {
    for (size_t d = 0; d < operand.labels.size(); ++d) {
      for (size_t e = operand.labels.size(); --e > d;) {
        if (operand.labels[e] != operand.labels[d]) continue;
        int first = static_cast<int>(d), second = static_cast<int>(e);
        const Shape& shape = operand.values.shape();
        if (shape[d] != shape[e]) {
          refuse("A subscript stands for extents of " + std::to_string(shape[d]) + " and " +
                 std::to_string(shape[e]) + ".");
        }
        array diagonal = lazuli::diagonal(operand.values, 0, first, second, stream_);
        operand.values = moveaxis(diagonal, -1, first, stream_);
        operand.labels.erase(operand.labels.begin() + second);
      }
    }
  }

  // Labels that occur once, in alphabetical order, behind the axes of ellipses.
  void default_output(const std::vector<std::string>& inputs, size_t spread) {
    std::map<int, int> times;
    for (const std::string& text : inputs) {
      for (int label : parse(text, 0)) ++times[label];
    }
    output_ = parse("...", spread);
    for (auto [label, count] : times) {
      if (count == 1) output_.push_back(label);
    }
  }

  void check_output() const {
    for (size_t k = 0; k < output_.size(); ++k) {
      if (std::count(output_.begin(), output_.end(), output_[k]) > 1) {
        refuse("A subscript of the output is repeated.");
      }
      if (!extents_.contains(output_[k])) {
        refuse(std::string("The output's subscript '") + static_cast<char>(output_[k]) +
               "' is none of an operand.");
      }
    }
  }

  bool is_needed(int label, std::initializer_list<const Operand*> apart_from) const {
    if (has(output_, label)) return true;
    for (const Operand& operand : operands_) {
      bool apart = std::find(apart_from.begin(), apart_from.end(), &operand) != apart_from.end();
      if (!apart && has(operand.labels, label)) return true;
    }
    return false;
  }

  // Sums over labels that nothing else has; those of `kept` stay.
  void sum_unneeded(Operand& operand, const Labels& kept) const {
    std::vector<int> axes;
    Labels left;
    for (size_t d = 0; d < operand.labels.size(); ++d) {
      int label = operand.labels[d];
      if (is_needed(label, {&operand}) || has(kept, label)) {
        left.push_back(label);
      } else {
        axes.push_back(static_cast<int>(d));
      }
    }
    if (axes.empty()) return;
    Dtype dtype = operand.values.dtype();
    operand.values = astype(sum(operand.values, axes, false, stream_), dtype, stream_);
    operand.labels = left;
  }

  double size_of(const Operand& a, const Operand& b) const {
    double size = 1;
    for (auto [label, extent] : extents_) {
      bool in = has(a.labels, label) || has(b.labels, label);
      if (in && is_needed(label, {&a, &b})) size *= static_cast<double>(extent);
    }
    return size;
  }

  std::pair<size_t, size_t> next_pair() const {
    std::pair<size_t, size_t> best{0, 1};
    double smallest = size_of(operands_[0], operands_[1]);
    for (size_t i = 0; i < operands_.size(); ++i) {
      for (size_t j = i + 1; j < operands_.size(); ++j) {
        double size = size_of(operands_[i], operands_[j]);
        if (size < smallest) smallest = size, best = {i, j};
      }
    }
    return best;
  }

  // Axes of extent 1 beside longer ones of the other operand: they broadcast, so they go.
  void drop_ones(Operand& operand, const Operand& other) const {
    std::vector<int> axes;
    Labels left;
    for (size_t d = 0; d < operand.labels.size(); ++d) {
      bool drops = operand.values.shape()[d] == 1 && has(other.labels, operand.labels[d]);
      if (drops) axes.push_back(static_cast<int>(d));
      else left.push_back(operand.labels[d]);
    }
    if (axes.empty()) return;
    operand.values = squeeze(operand.values, axes, stream_);
    operand.labels = left;
  }

  // The product of two that are no longer among the operands.
  Operand contract(Operand a, Operand b) const {
    drop_ones(a, b);
    drop_ones(b, a);
    sum_unneeded(a, b.labels);
    sum_unneeded(b, a.labels);
    Labels batch, left, right, summed;
    for (int label : a.labels) {
      if (!has(b.labels, label)) left.push_back(label);
      else (is_needed(label, {}) ? batch : summed).push_back(label);
    }
    for (int label : b.labels) {
      if (!has(a.labels, label)) right.push_back(label);
    }
    Labels labels = batch;
    labels.insert(labels.end(), left.begin(), left.end());
    labels.insert(labels.end(), right.begin(), right.end());
    if (summed.empty()) return {multiply(spread(a, labels), spread(b, labels), stream_), labels};
    array x = matrices(a, batch, left, summed), y = matrices(b, batch, summed, right);
    Shape shape;
    for (int label : labels) shape.push_back(std::max(a.extent(label), b.extent(label)));
    for (size_t k = 0; k < labels.size(); ++k) {
      if (a.extent(labels[k]) == 0 || b.extent(labels[k]) == 0) shape[k] = 0;
    }
    return {reshape(matmul(x, y, stream_), shape, stream_), labels};
  }

  array ordered(const Operand& operand, const Labels& labels) const {
    std::vector<int> axes;
    for (int label : labels) {
      auto at = std::find(operand.labels.begin(), operand.labels.end(), label);
      axes.push_back(static_cast<int>(at - operand.labels.begin()));
    }
    return transpose(operand.values, axes, stream_);
  }

  // With an axis for each of the labels.
  array spread(const Operand& operand, const Labels& labels) const {
    Labels own;
    Shape shape;
    for (int label : labels) {
      if (has(operand.labels, label)) own.push_back(label);
      shape.push_back(operand.extent(label));
    }
    return reshape(ordered(operand, own), shape, stream_);
  }

  // [batch, rows, columns].
  array matrices(const Operand& operand, const Labels& batch, const Labels& rows,
                 const Labels& columns) const {
    Labels all = batch;
    all.insert(all.end(), rows.begin(), rows.end());
    all.insert(all.end(), columns.begin(), columns.end());
    auto product = [&](const Labels& labels) {
      int64_t size = 1;
      for (int label : labels) size = checked_product("einsum", size, operand.extent(label));
      return size;
    };
    return reshape(ordered(operand, all), {product(batch), product(rows), product(columns)},
                   stream_);
  }

  Stream stream_;
  std::vector<Operand> operands_;
  Labels output_;
  std::map<int, int64_t> extents_;
};

}  // namespace

array einsum(const std::string& subscripts, const std::vector<array>& operands, StreamOrDevice s) {
  return Einsum(subscripts, operands, to_stream(s)).run();
}

}  // namespace lazuli
