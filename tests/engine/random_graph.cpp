#include "engine/random_graph.h"

#include <algorithm>
#include <cmath>

#include "core/node.h"
#include "ops/elementwise.h"
#include "ops/rows.h"
#include "support/against_reference.h"

namespace lazuli::testing {
namespace {

class Builder {
 public:
  Builder(uint64_t seed, uint64_t sizes, Coverage* coverage)
      : random_(seed), extents_(sizes * 7919 + 13), coverage_(coverage) {
    // Four named extents, so that shapes of one program fit each other; one may be long.
    for (int64_t& e : named_) e = 2 + extents_.below(6);
    int64_t pick = extents_.below(10);
    if (pick > 4) named_[3] = pick < 8 ? 120 + extents_.below(20) : 200 + extents_.below(200);
    if (random_.chance(4)) empty_ = true;
  }

  RandomGraph run() {
    Dtype dtypes[] = {float32, float32, float32, float16,   bfloat16, float64,
                      int32,   uint8,   int64,   complex64, bool_};
    dtype_ = dtypes[random_.below(11)];
    if (random_.chance(20)) second_ = new_stream_once();
    int64_t leaves = 1 + random_.below(3), steps = 3 + random_.below(14);
    for (int64_t i = 0; i < leaves; ++i) add_leaf();
    for (int64_t i = 0; i < steps; ++i) step();
    choose_outputs();
    if (give_away_) graph_.leaves.clear();
    return std::move(graph_);
  }

 private:
  static Stream new_stream_once() {
    static Stream stream = new_stream(Device::cpu);
    return stream;
  }

  void note(const std::string& what) {
    if (coverage_) ++(*coverage_)[what];
  }

  int64_t extent(int64_t which) { return empty_ && which == 3 ? 0 : named_[which]; }

  Shape random_shape() {
    Shape shape;
    int64_t rank = random_.below(4);
    for (int64_t d = 0; d < rank; ++d) {
      bool one = random_.chance(15);
      int64_t which = random_.below(4);
      shape.push_back(one ? 1 : extent(which));
      if (one) note("extent 1");
      if (shape.back() == 0) note("extent 0");
    }
    return shape;
  }

  void add_leaf() {
    Laid layout = all_layouts[random_.below(5)];
    note(std::string("leaf ") + name_of(layout));
    array leaf = laid_out(random_shape(), dtype_, 0.3, 1.7, random_.next(), layout);
    leaf.eval();
    graph_.leaves.push_back(leaf);
    add(leaf, false);
  }

  void add(array x, bool recorded = true) {
    pool_.push_back(x);
    if (recorded) graph_.nodes.push_back(std::move(x));
  }

  const array& pick() {
    return pool_[static_cast<size_t>(random_.below(static_cast<int64_t>(pool_.size())))];
  }
  const array& pick_recent() {
    int64_t n = static_cast<int64_t>(pool_.size());
    return pool_[static_cast<size_t>(n - 1 - random_.below(std::min<int64_t>(n, 3)))];
  }

  StreamOrDevice where_to_run() {
    if (second_ && random_.chance(30)) {
      note("second stream");
      return *second_;
    }
    return {};
  }

  void step() {
    int64_t kind = random_.below(100);
    if (kind < 30) unary_step();
    else if (kind < 56) binary_step();
    else if (kind < 68) reduce_step();
    else if (kind < 82) view_step();
    else if (kind < 88) update_step();
    else if (kind < 94) kernel_step();
    else if (kind < 97) scalar_step();
    else repeat_step();
  }

  // What has been recorded, once more.
  void repeat_step() {
    const array x = pick_recent();
    const Node* node = x.node();
    if (node->ready() || node->inputs.empty()) return;
    note("repeated");
    add(array(make_node(node->op, node->type(), node->shape,
                        {node->inputs.data(), node->inputs.size()}, same_params(node),
                        stream_at(node->stream))));
  }

  // Ops with kernels of their own, along the last axis.
  void kernel_step() {
    const array x = pick_recent();
    if (x.ndim() == 0 || empty_ || x.size() > 20000) return;
    bool real = x.dtype() != complex64 && x.dtype() != bool_;
    StreamOrDevice s = where_to_run();
    switch (random_.below(5)) {
      case 0: return issubdtype(x.dtype(), inexact) ? matmul_step(x, s) : void();
      case 1:
        if (real) note("sort"), add(sort(x, -1, s));
        return;
      case 2:
        if (issubdtype(x.dtype(), floating)) {
          note("cumsum");
          double length = static_cast<double>(x.shape(-1));
          add(multiply(cumsum(x, -1, false, true, s), array(1 / length, x.dtype()), s));
        }
        return;
      case 3: {
        note("take");
        int last = static_cast<int>(x.shape(0)) - 1;
        return add(take(x, array({0, last, -1}), 0, s));
      }
      default:
        if (real && !issubdtype(x.dtype(), inexact)) note("argmax"), add(argmax(x, -1, true, s));
    }
  }

  void matmul_step(const array& x, StreamOrDevice s) {
    note("matmul");
    array y = x.ndim() == 1 ? x : swapaxes(x, -1, -2, s);
    add(multiply(matmul(x, y, s), array(1.0 / static_cast<double>(x.shape(-1)), x.dtype()), s));
  }

  // Values stay in [0.3, 1.7] or so: every formula is smooth there and nothing overflows.
  array tamed(array x, StreamOrDevice s) {
    if (!issubdtype(x.dtype(), inexact) || x.dtype() == complex64) return x;
    note("tamed");
    return add_op(sigmoid(x, s), array(0.3, x.dtype()), s);
  }
  static array above_zero(const array& x, StreamOrDevice s) {
    return lazuli::add(abs(x, s), array(0.3, x.dtype()), s);
  }
  static array add_op(const array& a, const array& b, StreamOrDevice s) {
    return lazuli::add(a, b, s);
  }

  bool takes(const Row& row, Dtype dtype) const {
    bool inexact_input = issubdtype(dtype, inexact);
    // Beside a step a fused value and the reference's may fall on different sides.
    if (jumps(row.result)) return !inexact_input && !is_integral(row.accepts);
    if (is_integral(row.accepts)) return !inexact_input;
    if (dtype == complex64) {
      return row.op == Op::conjugate || row.op == Op::negative || row.op == Op::add ||
             row.op == Op::multiply || row.op == Op::subtract || row.op == Op::exp;
    }
    // Integers stay integers, so that a graph keeps its exactness.
    bool numbers = row.accepts == Accepts::Signed && dtype != bool_;
    return inexact_input || row.accepts == Accepts::Number || numbers;
  }

  void unary_step() {
    static const std::vector<Row> rows = unary_rows();
    const array x = pick_recent();
    const Row& row = rows[static_cast<size_t>(random_.below(static_cast<int64_t>(rows.size())))];
    if (!takes(row, x.dtype())) return;
    StreamOrDevice s = where_to_run();
    note(row.name);
    array in = x;
    bool narrow = row.high < 1.5;  // domain inside (-1, 1)
    if (narrow && issubdtype(x.dtype(), floating))
      in = multiply(tanh(x, s), array(0.85, x.dtype()), s);
    bool from_zero = row.low > -1 && row.high > 1.5;  // ends, or jumps, at zero or soon below
    if (from_zero && issubdtype(x.dtype(), floating)) in = above_zero(x, s);
    if (row.op == Op::arccosh) in = add_op(abs(x, s), array(1.2, x.dtype()), s);
    array y = unary(row.op, in, s);
    add(issubdtype(x.dtype(), floating) && keeps_dtype(row.result) ? tamed(y, s) : y);
  }

  void binary_step() {
    static const std::vector<Row> rows = binary_rows();
    const array x = pick_recent(), y = pick();
    const Row& row = rows[static_cast<size_t>(random_.below(static_cast<int64_t>(rows.size())))];
    Dtype dtype = promote_types(x.dtype(), y.dtype());
    if (!takes(row, dtype) || (row.op == Op::power && dtype == complex64)) return;
    if (row.op == Op::divide && !issubdtype(dtype, inexact)) return;
    if (!broadcasts(x.shape(), y.shape())) return;
    StreamOrDevice s = where_to_run();
    note(row.name);
    bool floats = issubdtype(dtype, floating);
    array left = floats && row.low > 0 ? above_zero(x, s) : x;
    array right = floats && row.y_low > 0 ? above_zero(y, s) : y;
    array z = binary(row.op, left, right, s);
    bool grows = issubdtype(z.dtype(), floating);
    add(grows && random_.chance(50) ? tamed(z, s) : z);
  }

  static bool broadcasts(const Shape& a, const Shape& b) {
    for (size_t i = 1; i <= std::min(a.size(), b.size()); ++i) {
      int64_t x = a[a.size() - i], y = b[b.size() - i];
      if (x != y && x != 1 && y != 1) return false;
    }
    return true;
  }

  void reduce_step() {
    const array x = pick_recent();
    if (x.ndim() == 0) return;
    int64_t rank = static_cast<int64_t>(x.ndim());
    std::vector<int> axes;
    for (int64_t d = 0; d < rank; ++d) {
      if (random_.chance(d + 1 == rank ? 80 : 30)) axes.push_back(static_cast<int>(d));
    }
    bool keep = random_.chance(75);
    int64_t kind = random_.below(6);
    if (axes.empty() || empty_) return;
    StreamOrDevice s = where_to_run();
    bool inexact_input = issubdtype(x.dtype(), inexact);
    if (kind < 2 && inexact_input) {
      note("mean");
      return add(mean(x, axes, keep, s));
    }
    if (kind == 2 && issubdtype(x.dtype(), floating)) {
      note("softmax");
      return add(softmax(x, axes, false, s) + array(0.3, x.dtype()));
    }
    if (kind == 3 && x.dtype() != complex64) {
      note("max");
      return add(max(x, axes, keep, s));
    }
    if (kind == 4 && x.dtype() != complex64) {
      note("min");
      return add(min(x, axes, keep, s));
    }
    note("sum");
    array total = sum(x, axes, keep, s);
    add(issubdtype(x.dtype(), inexact)
            ? multiply(total,
                       array(1.0 / (1 + static_cast<double>(x.size()) /
                                            std::max<double>(1, static_cast<double>(total.size()))),
                             total.dtype()),
                       s)
            : total);
  }

  void view_step() {
    const array x = pick();
    StreamOrDevice s = where_to_run();
    size_t rank = x.ndim();
    switch (random_.below(7)) {
      case 0: note("transpose"); return add(transpose(x, s));
      case 1: note("flatten"); return add(flatten(x, s));
      case 2:
        note("expand_dims");
        return add(
            expand_dims(x, static_cast<int>(random_.below(static_cast<int64_t>(rank) + 1)), s));
      case 3: {
        note("slice");
        Shape start(rank, 0), stop = x.shape(), steps(rank, 1);
        for (size_t d = 0; d < rank; ++d) {
          bool reversed = random_.chance(25), part = random_.chance(40);
          if (reversed) {
            start[d] = x.shape()[d] - 1, stop[d] = -x.shape()[d] - 1, steps[d] = -1;
          } else if (part && x.shape()[d] > 2) {
            start[d] = 1;
          }
        }
        return add(slice(x, start, stop, steps, s));
      }
      case 4: {
        note("broadcast_to");
        Shape shape = x.shape();
        shape.insert(shape.begin(), 2);
        return x.size() * 2 < 200000 ? add(broadcast_to(x, shape, s)) : void();
      }
      case 5: note("squeeze"); return add(squeeze(x, s));
      default: note("copy"); return add(copy(x, s));
    }
  }

  void update_step() {
    const array x = pick(), y = pick();
    StreamOrDevice s = where_to_run();
    if (random_.chance(50) && x.ndim() > 0 && x.size() < 100000 && x.shape() == y.shape()) {
      note("concatenate");
      return add(
          concatenate({x, y}, static_cast<int>(random_.below(static_cast<int64_t>(x.ndim()))), s));
    }
    Shape start(x.ndim(), 0), stop = x.shape();
    for (size_t d = 0; d < x.ndim(); ++d) {
      if (x.shape()[d] > 1) start[d] = 1;
    }
    note("slice_update");
    add(slice_update(x, array(1, x.dtype()), start, stop, s));
  }

  void scalar_step() {
    const array x = pick_recent();
    StreamOrDevice s = where_to_run();
    if (x.dtype() == bool_) {
      note("astype");
      return add(astype(x, float32, s));
    }
    note("select");
    array limit = array(1, x.dtype());
    // The condition is exact: it compares values that were given, not computed.
    const array& given = graph_.leaves[0];
    if (!broadcasts(given.shape(), x.shape())) return;
    add(where(greater(given, array(1, given.dtype()), s), x, limit, s));
  }

  void choose_outputs() {
    if (graph_.nodes.empty()) add(copy(graph_.leaves[0]));
    graph_.outputs.push_back(graph_.nodes.back());
    for (const array& node : graph_.nodes) {
      if (random_.chance(10)) graph_.outputs.push_back(node);
    }
    std::vector<array> held;
    for (array& node : graph_.nodes) {
      if (random_.chance(15)) {
        note("held");
        held.push_back(node);
      }
    }
    graph_.nodes = std::move(held);
    pool_.clear();
    if (random_.chance(50)) {
      note("leaves given away");  // their buffers may be taken over
      give_away_ = true;
    }
  }

  Random random_, extents_;
  Coverage* coverage_;
  int64_t named_[4];
  bool empty_ = false, give_away_ = false;
  Dtype dtype_ = float32;
  std::optional<Stream> second_;
  std::vector<array> pool_;
  RandomGraph graph_;
};

}  // namespace

RandomGraph build(uint64_t seed, uint64_t sizes, Coverage* coverage) {
  return Builder(seed, sizes, coverage).run();
}

}  // namespace lazuli::testing
