// Running the steps of a plan on the CPU.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "lazuli/interrupt.h"
#include "base/log.h"
#include "compiler/backend.h"
#include "runtime/run.h"
#include "runtime/views.h"

namespace lazuli {
namespace {

// Ops whose output starts as a copy of their first input.
bool updates_first_input(Op op) {
  return op == Op::slice_update || op == Op::scatter || op == Op::scatter_axis;
}

Layout dense_layout(const Node* node) {
  size_t bytes = static_cast<size_t>(node->size()) * node->type().size();
  return Layout(allocate_buffer(bytes), 0, {}, true);
}

// A step that copies: made once, for every dtype and rank.
struct CopyStep {
  FusedStep step;
  std::unique_ptr<CompiledStep> compiled;
};

const CopyStep& copy_step(Dtype::Val dtype) {
  static const std::vector<CopyStep> steps = [] {
    std::vector<CopyStep> made(14);
    for (size_t d = 0; d < made.size(); ++d) {
      FusedValue in{}, out{};
      in.kind = FusedValue::Kind::operand;
      out.kind = FusedValue::Kind::compute;
      in.op = out.op = Op::copy;
      in.dtype = out.dtype = static_cast<Dtype::Val>(d);
      out.output = true;
      out.input_count = 1;
      made[d].step.values = {in, out};
      made[d].compiled = compile_fused(made[d].step);
    }
    return made;
  }();
  return steps[static_cast<size_t>(dtype)];
}

}  // namespace

void copy_values(const Node* node, const Layout& from, const Shape& shape, const Layout& to) {
  const CopyStep& copy = copy_step(node->dtype);
  // The step looks shapes up through node 0 of a graph of its own.
  Node* stand_in = make_node(Op::copy, node->type(), shape, {}, {}, Stream(0, Device::cpu));
  Graph graph;
  graph.nodes.push_back(stand_in);
  const Layout* values[] = {&from, &to};
  run_fused(copy.step, *copy.compiled, {&graph, values});
  release(stand_in);
}

const Layout& Run::layout_of(uint32_t i) {
  if (values_[i].buffer) return values_[i];
  Node* node = graph_.nodes[i];
  if (node->op == Op::constant) {
    Layout layout(allocate_buffer(8), 0, {}, true);
    std::memcpy(layout.buffer->host, &node->params[0], node->type().size());
    values_[i] = std::move(layout);
    return values_[i];
  }
  NodeState state = node->state.load(std::memory_order_acquire);
  if (state == NodeState::scheduled && node->value->run != this) {
    node->value->run->wait();
    state = node->state.load(std::memory_order_acquire);
  }
  if (state == NodeState::failed) std::rethrow_exception(node->value->error);
  return node->value->layout;
}

bool Run::may_take(uint32_t i) {
  if (share_streams) return false;
  Node* node = graph_.nodes[i];
  if (graph_.leaf[i] && (!dying_[i] || node->op == Op::constant)) return false;
  const Layout& layout = layout_of(i);
  Buffer* buffer = layout.buffer;
  size_t bytes = static_cast<size_t>(node->size()) * node->type().size();
  return layout.dense && layout.offset == 0 && buffer->references.load() == 1 &&
         buffer->pins.load() == 0 && !buffer->read_only && buffer->capacity >= bytes &&
         buffer->capacity <= 2 * std::max<size_t>(bytes, 64);
}

void Run::keep(uint32_t i, Layout layout) {
  Node* node = graph_.nodes[i];
  if (graph_.held[i]) {
    node->value->layout = layout;
    node->state.store(NodeState::done, std::memory_order_release);
  }
  values_[i] = std::move(layout);
}

// Lets go of values nobody reads any more.
void Run::bury(const Step& step) {
  if (share_streams) return;
  for (uint32_t i : step.dead) {
    values_[i] = Layout();
    if (graph_.leaf[i] && dying_[i] && graph_.nodes[i]->value) {
      graph_.nodes[i]->value->layout = Layout();
    }
  }
}

Layout Run::dense_copy(const Layout& from, const Node* node) {
  Layout to = dense_layout(node);
  copy_values(node, from, node->shape, to);
  return to;
}

void Run::view_step(const Step& step) {
  const Node* node = graph_.nodes[step.node];
  uint32_t input = step.inputs[0];
  const Node* source = graph_.nodes[input];
  const Layout& from = layout_of(input);
  std::optional<Layout> view = view_layout(node, from, source->shape);
  if (!view) view = view_layout(node, dense_copy(from, source), source->shape);
  keep(step.node, std::move(*view));
}

void Run::fused_step(const Step& step) {
  const auto& values = step.fused->values;
  SmallVector<const Layout*, 16> bound(values.size(), nullptr);
  for (size_t v = 0; v < values.size(); ++v) {
    if (values[v].kind == FusedValue::Kind::operand) bound[v] = &layout_of(values[v].node);
  }
  std::vector<uint32_t> taken;
  std::vector<Layout> outputs(values.size());
  for (size_t v = 0; v < values.size(); ++v) {
    if (!values[v].output) continue;
    const Node* node = graph_.nodes[values[v].node];
    for (size_t k = 0; k < values.size() && !outputs[v].buffer; ++k) {
      uint32_t from = values[k].node;
      bool ends_here = values[k].kind == FusedValue::Kind::operand &&
                       graph_.nodes[from]->shape == node->shape &&
                       std::find(step.dead.begin(), step.dead.end(), from) != step.dead.end() &&
                       std::find(taken.begin(), taken.end(), from) == taken.end();
      if (!ends_here || !may_take(from)) continue;
      if (!may_take_over(*step.compiled, static_cast<uint16_t>(k), static_cast<uint16_t>(v)))
        continue;
      outputs[v] = *bound[k];
      outputs[v].strides.clear();
      taken.push_back(from);
    }
    if (!outputs[v].buffer) outputs[v] = dense_layout(node);
    bound[v] = &outputs[v];
  }
  run_fused(*step.fused, *step.compiled, {&graph_, {bound.data(), bound.size()}});
  for (size_t v = 0; v < values.size(); ++v) {
    if (values[v].output) keep(values[v].node, std::move(outputs[v]));
  }
}

// The buffer of the first input if nobody else needs it, or a copy of it.
Layout Run::output_for_update(const Step& step) {
  uint32_t first = step.inputs[0];
  bool ends_here = std::find(step.dead.begin(), step.dead.end(), first) != step.dead.end();
  if (ends_here && may_take(first)) {
    Layout taken = layout_of(first);
    taken.strides.clear();
    return taken;
  }
  return dense_copy(layout_of(first), graph_.nodes[first]);
}

void Run::kernel_step(const Step& step) {
  const Node* node = graph_.nodes[step.node];
  Kernel kernel = find_kernel(node->op);
  if (node->op == Op::placeholder) {
    throw ArgumentError(
        "[eval] The argument of a function under vmap or compile has no value yet; "
        "do not evaluate inside of the function.");
  }
  if (!kernel) {
    throw RuntimeError("[" + std::string(op_info(node->op).name) + "] The CPU has no kernel.");
  }
  bool dense_only = op_info(node->op).layout == OpLayout::Dense;
  bool updates = updates_first_input(node->op);
  std::vector<Layout> copies;
  copies.reserve(step.inputs.size());
  std::vector<Operand> operands;
  Layout output = updates ? output_for_update(step) : dense_layout(node);
  for (size_t k = 0; k < step.inputs.size(); ++k) {
    uint32_t i = step.inputs[k];
    const Node* source = graph_.nodes[i];
    const Layout* layout = updates && k == 0 ? &output : &layout_of(i);
    if (dense_only && !layout->dense) {
      copies.push_back(dense_copy(*layout, source));
      layout = &copies.back();
    }
    operands.push_back({layout, &source->shape, source->dtype});
  }
  kernel({node, operands, {&output, &node->shape, node->dtype}});
  keep(step.node, std::move(output));
}

void Run::execute_step(const Step& step) {
  check_interrupt();
  switch (step.kind) {
    case Step::Kind::view: view_step(step); break;
    case Step::Kind::fused: fused_step(step); break;
    case Step::Kind::kernel: kernel_step(step); break;
  }
  bury(step);
}

// The same, with a line that tells how long the step took.
void Run::execute_timed(const Step& step) {
  auto start = std::chrono::steady_clock::now();
  std::string what = describe(step, graph_);
  execute_step(step);
  std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  char time[32];
  std::snprintf(time, sizeof time, "%9.2f us  ", took.count());
  debug_line(time + what);
}

void Run::execute(size_t first, size_t last) noexcept {
  try {
    bool timed = debugging(2);
    for (size_t s = first; s < last && !error_; ++s) {
      timed ? execute_timed(plan_->steps[s]) : execute_step(plan_->steps[s]);
    }
  } catch (...) {
    fail(std::current_exception());
  }
}

void Run::fail(std::exception_ptr error) noexcept {
  std::lock_guard lock(mutex_);
  if (!error_) error_ = error;
}

}  // namespace lazuli
