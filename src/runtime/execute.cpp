// Running the steps of a plan.
#include <algorithm>
#include <cstring>
#include <map>

#include "compiler/backend.h"
#include "lazuli/interrupt.h"
#include "ops/table/params.h"
#include "runtime/residency.h"
#include "runtime/run.h"
#include "runtime/views.h"

namespace lazuli {
namespace {

Layout dense_layout(const Node* node, Backend& backend, int stream) {
  size_t bytes = static_cast<size_t>(node->size()) * node->type().size();
  return Layout(allocate_buffer(bytes, backend, stream), 0, {}, true);
}

// Buffers that a step uses: they stay on its device until the step has been submitted. Their
// layouts outlive this; a reference would look like another user to whoever takes buffers over.
class InUse {
 public:
  InUse(Backend& backend, int stream) : backend_(backend), stream_(stream) {}
  ~InUse() {
    for (Buffer* buffer : buffers_) end_use(buffer, backend_);
  }
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;

  void read(Buffer* buffer) {
    make_current(buffer, backend_, stream_);
    keep(buffer);
  }
  // Of a fresh buffer, which is in use already.
  void keep(Buffer* buffer) {
    if (backend_.shares_host_memory) return;
    buffers_.push_back(buffer);
  }
  // Of a buffer taken over from an operand.
  void write(Buffer* buffer) {
    if (backend_.shares_host_memory) return;
    buffer->busy.fetch_add(1);
    keep(buffer);
    prepare_write(buffer, backend_, stream_);
  }

 private:
  Backend& backend_;
  int stream_;
  SmallVector<Buffer*, 8> buffers_;
};

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
void copy_values(const Node* node, const Layout& from, const Layout& to, Backend& backend,
                 int stream) {
  const CopyStep& copy = copy_step(node->dtype, backend);
  // The step looks shapes up through node 0 of a graph of its own.
  Node* stand_in = make_node(Op::copy, node->type(), node->shape, {}, {}, stream_at(node->stream));
  Graph graph;
  graph.nodes.push_back(stand_in);
  const Layout* values[] = {&from, &to};
  InUse in_use(backend, stream);
  in_use.read(from.buffer);
  in_use.keep(to.buffer);
  try {
    backend.run_fused(copy.step, *copy.compiled, {stream, &graph, values});
  } catch (...) {
    release(stand_in);
    throw;
  }
  release(stand_in);
  mark_written(to.buffer, backend, stream);
}

}  // namespace

namespace {
std::atomic<uint64_t> taken_count{0};

// The buffer of a value that ends, for another one.
Layout take_over(const Layout& from) {
  taken_count.fetch_add(1, std::memory_order_relaxed);
  Layout taken = from;
  taken.strides.clear();
  return taken;
}
}  // namespace

uint64_t take_overs() { return taken_count.load(std::memory_order_relaxed); }

const Layout& Run::layout_of(uint32_t i, Layout& scratch) {
  Node* node = graph_.nodes[i];
  if (!graph_.is_leaf(i)) return slot(i);
  if (node->op == Op::constant) {
    scratch = Layout(allocate_buffer(8), 0, {}, true);
    uint64_t bits = params<ConstantParams>(node).bits;
    std::memcpy(scratch.buffer->host, &bits, node->type().size());
    return scratch;
  }
  if (Run* other = run_of(node)) {
    other->wait();
    release_run(other);
  }
  if (node->state.load(std::memory_order_acquire) == NodeState::failed) {
    std::rethrow_exception(node->value->error);
  }
  return node->value->layout;
}

// Whether the buffer of a value that ends here may hold another one.
bool Run::may_take(uint32_t i, const Backend& backend) {
  Node* node = graph_.nodes[i];
  if (graph_.is_leaf(i) && (!dying_[plan_->slot_of[i]] || node->op == Op::constant)) return false;
  const Layout& layout = graph_.is_leaf(i) ? node->value->layout : slot(i);
  Buffer* buffer = layout.buffer;
  size_t bytes = static_cast<size_t>(node->size()) * node->type().size();
  size_t capacity = capacity_on(buffer, backend);
  return layout.dense && layout.offset == 0 && buffer->references.load() == 1 &&
         buffer->pins.load() == 0 && !buffer->read_only && capacity >= bytes &&
         capacity <= 2 * std::max<size_t>(bytes, 64);
}

void Run::publish(uint32_t i) {
  if (!graph_.is_held(i)) return;
  Node* node = graph_.nodes[i];
  node->value->layout = slot(i);
  node->state.store(NodeState::done, std::memory_order_release);
}

// Lets go of values nobody reads any more.
void Run::bury(const Step& step) {
  for (uint32_t i : step.dead) {
    if (!graph_.is_leaf(i)) {
      slot(i) = Layout();
    } else if (dying_[plan_->slot_of[i]] && graph_.nodes[i]->value) {
      graph_.nodes[i]->value->layout = Layout();
    }
  }
}

Layout Run::dense_copy(const Layout& from, const Node* node, int stream) {
  Backend& backend = backend_of(stream);
  Layout to = dense_layout(node, backend, stream);
  copy_values(node, from, to, backend, stream);
  return to;
}

void Run::view_step(const Step& step) {
  const Node* node = graph_.nodes[step.node];
  const Node* source = graph_.nodes[step.inputs[0]];
  Layout scratch;
  const Layout& from = layout_of(step.inputs[0], scratch);
  std::optional<Layout> view = view_layout(node, from, source->shape);
  if (!view) {
    view = view_layout(node, dense_copy(from, source, step.stream), source->shape);
  }
  slot(step.node) = std::move(*view);
  publish(step.node);
}

Layout Run::taken_operand(const Step& step, const Step::Place& output, Backend& backend) {
  const Shape& shape = graph_.nodes[output.node]->shape;
  for (const Step::Place& operand : step.operands) {
    bool ends_here = std::find(step.dead.begin(), step.dead.end(), operand.node) != step.dead.end();
    if (!ends_here || graph_.nodes[operand.node]->shape != shape) continue;
    // A buffer that another output has taken has a second reference by now.
    if (!may_take(operand.node, backend)) continue;
    if (!backend.may_take_over(*step.compiled, operand.value, output.value)) continue;
    Layout scratch;
    return take_over(layout_of(operand.node, scratch));
  }
  return {};
}

void Run::fused_step(const Step& step) {
  Backend& backend = backend_of(step.stream);
  SmallVector<const Layout*, 16> bound(step.fused->values.size(), nullptr);
  Layout scratch;  // constants are read from their nodes, not bound
  InUse in_use(backend, step.stream);
  for (const Step::Place& operand : step.operands) {
    bound[operand.value] = &layout_of(operand.node, scratch);
    in_use.read(bound[operand.value]->buffer);
  }
  for (const Step::Place& output : step.outputs) {
    Layout& place = slot(output.node);
    if (!step.dead.empty()) place = taken_operand(step, output, backend);
    if (place.buffer) {
      in_use.write(place.buffer);
    } else {
      place = dense_layout(graph_.nodes[output.node], backend, step.stream);
      in_use.keep(place.buffer);
    }
    bound[output.value] = &place;
  }
  backend.run_fused(*step.fused, *step.compiled,
                    {step.stream, &graph_, {bound.data(), bound.size()}});
  for (const Step::Place& output : step.outputs) {
    mark_written(slot(output.node).buffer, backend, step.stream);
    publish(output.node);
  }
}

// The buffer of the first input if nobody else needs it, or a copy of it.
Layout Run::output_for_update(const Step& step, Backend& backend) {
  uint32_t first = step.inputs[0];
  Layout scratch;
  const Layout& from = layout_of(first, scratch);
  bool ends_here = std::find(step.dead.begin(), step.dead.end(), first) != step.dead.end();
  if (ends_here && may_take(first, backend)) return take_over(from);
  return dense_copy(from, graph_.nodes[first], step.stream);
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
  bool updates = op_info(node->op).output == OpOutput::Updated;
  size_t count = step.inputs.size();
  std::vector<Layout> scratch(2 * count);  // constants, dense copies
  std::vector<Operand> operands;
  operands.reserve(count);
  Layout& output = slot(step.node);
  InUse in_use(backend, step.stream);
  if (updates) {
    output = output_for_update(step, backend);
  } else {
    output = dense_layout(node, backend, step.stream);
    in_use.keep(output.buffer);
  }
  for (size_t k = 0; k < count; ++k) {
    uint32_t i = step.inputs[k];
    const Node* source = graph_.nodes[i];
    const Layout* layout = updates && k == 0 ? &output : &layout_of(i, scratch[2 * k]);
    if (dense_only && !layout->dense) {
      scratch[2 * k + 1] = dense_copy(*layout, source, step.stream);
      layout = &scratch[2 * k + 1];
    }
    const bool constant = source->op == Op::constant;
    if (!constant) in_use.read(layout->buffer);
    operands.push_back({layout, &source->shape, source->dtype, constant});
  }
  if (updates) prepare_write(output.buffer, backend, step.stream);
  backend.run_kernel({step.stream, node, operands, {&output, &node->shape, node->dtype}});
  mark_written(output.buffer, backend, step.stream);
  publish(step.node);
}

void Run::run_step(const Step& step) {
  check_interrupt();
  switch (step.kind) {
    case Step::Kind::view: return view_step(step);
    case Step::Kind::fused: return fused_step(step);
    case Step::Kind::kernel: return kernel_step(step);
  }
}

}  // namespace lazuli
