// Running the steps of a plan.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>

#include "base/interrupt.h"
#include "base/log.h"
#include "compiler/backend.h"
#include "runtime/residency.h"
#include "runtime/run.h"
#include "runtime/views.h"

namespace lazuli {
namespace {

// Ops whose output starts as a copy of their first input.
bool updates_first_input(Op op) {
  return op == Op::slice_update || op == Op::scatter || op == Op::scatter_axis;
}

Layout dense_layout(const Node* node, Backend& backend) {
  size_t bytes = static_cast<size_t>(node->size()) * node->type().size();
  return Layout(allocate_buffer(bytes, backend), 0, {}, true);
}

// A step that copies values of one dtype and any rank; made once in each thread.
struct CopyStep {
  FusedStep step;
  std::unique_ptr<CompiledStep> compiled;
};

const CopyStep& copy_step(Dtype::Val dtype, Backend& backend) {
  thread_local std::map<std::pair<Backend*, Dtype::Val>, CopyStep> steps;
  CopyStep& copy = steps[{&backend, dtype}];
  if (copy.compiled) return copy;
  FusedValue in{}, out{};
  in.kind = FusedValue::Kind::operand;
  out.kind = FusedValue::Kind::compute;
  in.op = out.op = Op::copy;
  in.dtype = out.dtype = dtype;
  out.output = true;
  out.input_count = 1;
  copy.step.values = {in, out};
  copy.compiled = backend.compile(copy.step);
  return copy;
}

// Copies any layout into a dense one, on the backend's device.
void copy_values(const Node* node, const Layout& from, const Layout& to, Backend& backend) {
  const CopyStep& copy = copy_step(node->dtype, backend);
  // The step looks shapes up through node 0 of a graph of its own.
  Node* stand_in = make_node(Op::copy, node->type(), node->shape, {}, {}, stream_at(node->stream));
  Graph graph;
  graph.nodes.push_back(stand_in);
  const Layout* values[] = {&from, &to};
  make_current(from.buffer, backend);
  try {
    backend.run_fused(copy.step, *copy.compiled, {&graph, values});
  } catch (...) {
    release(stand_in);
    throw;
  }
  release(stand_in);
  mark_written(to.buffer, backend);
}

}  // namespace

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

bool Run::may_take(uint32_t i, const Backend& backend) {
  if (share_streams) return false;
  Node* node = graph_.nodes[i];
  if (graph_.leaf[i] && (!dying_[i] || node->op == Op::constant)) return false;
  const Layout& layout = layout_of(i);
  Buffer* buffer = layout.buffer;
  size_t bytes = static_cast<size_t>(node->size()) * node->type().size();
  size_t capacity = capacity_on(buffer, backend);
  return layout.dense && layout.offset == 0 && buffer->references.load() == 1 &&
         buffer->pins.load() == 0 && !buffer->read_only && capacity >= bytes &&
         capacity <= 2 * std::max<size_t>(bytes, 64);
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

Layout Run::dense_copy(const Layout& from, const Node* node, Backend& backend) {
  Layout to = dense_layout(node, backend);
  copy_values(node, from, to, backend);
  return to;
}

void Run::view_step(const Step& step) {
  const Node* node = graph_.nodes[step.node];
  uint32_t input = step.inputs[0];
  const Node* source = graph_.nodes[input];
  const Layout& from = layout_of(input);
  std::optional<Layout> view = view_layout(node, from, source->shape);
  if (!view) {
    view = view_layout(node, dense_copy(from, source, backend_of(step.stream)), source->shape);
  }
  keep(step.node, std::move(*view));
}

void Run::fused_step(const Step& step) {
  Backend& backend = backend_of(step.stream);
  const auto& values = step.fused->values;
  SmallVector<const Layout*, 16> bound(values.size(), nullptr);
  for (size_t v = 0; v < values.size(); ++v) {
    if (values[v].kind != FusedValue::Kind::operand) continue;
    bound[v] = &layout_of(values[v].node);
    make_current(bound[v]->buffer, backend);
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
      if (!ends_here || !may_take(from, backend)) continue;
      if (!backend.may_take_over(*step.compiled, static_cast<uint16_t>(k),
                                 static_cast<uint16_t>(v)))
        continue;
      outputs[v] = *bound[k];
      outputs[v].strides.clear();
      taken.push_back(from);
    }
    if (!outputs[v].buffer) outputs[v] = dense_layout(node, backend);
    bound[v] = &outputs[v];
  }
  backend.run_fused(*step.fused, *step.compiled, {&graph_, {bound.data(), bound.size()}});
  for (size_t v = 0; v < values.size(); ++v) {
    if (!values[v].output) continue;
    mark_written(outputs[v].buffer, backend);
    keep(values[v].node, std::move(outputs[v]));
  }
}

// The buffer of the first input if nobody else needs it, or a copy of it.
Layout Run::output_for_update(const Step& step, Backend& backend) {
  uint32_t first = step.inputs[0];
  bool ends_here = std::find(step.dead.begin(), step.dead.end(), first) != step.dead.end();
  if (ends_here && may_take(first, backend)) {
    Layout taken = layout_of(first);
    taken.strides.clear();
    return taken;
  }
  return dense_copy(layout_of(first), graph_.nodes[first], backend);
}

void Run::kernel_step(const Step& step) {
  const Node* node = graph_.nodes[step.node];
  Backend& backend = backend_of(step.stream);
  if (node->op == Op::placeholder) {
    throw ArgumentError(
        "[eval] The argument of a function under vmap or compile has no value yet; "
        "do not evaluate inside of the function.");
  }
  bool dense_only = op_info(node->op).layout == OpLayout::Dense;
  bool updates = updates_first_input(node->op);
  std::vector<Layout> copies;
  copies.reserve(step.inputs.size());
  std::vector<Operand> operands;
  Layout output = updates ? output_for_update(step, backend) : dense_layout(node, backend);
  for (size_t k = 0; k < step.inputs.size(); ++k) {
    uint32_t i = step.inputs[k];
    const Node* source = graph_.nodes[i];
    const Layout* layout = updates && k == 0 ? &output : &layout_of(i);
    if (dense_only && !layout->dense) {
      copies.push_back(dense_copy(*layout, source, backend));
      layout = &copies.back();
    }
    make_current(layout->buffer, backend);
    operands.push_back({layout, &source->shape, source->dtype});
  }
  backend.run_kernel({node, operands, {&output, &node->shape, node->dtype}});
  mark_written(output.buffer, backend);
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
