// Evaluation: collect the graph, find its plan, claim its nodes, run.
#include <mutex>

#include "compiler/plan.h"
#include "core/node.h"
#include "lazuli/explain.h"
#include "ops/table/op.h"
#include "runtime/residency.h"
#include "runtime/run.h"
#include "runtime/stream.h"

namespace lazuli {
namespace {

// Guards collecting and claiming, the marks in nodes and the plan cache.
std::mutex graph_mutex;

void throw_if_failed(const Node* node) {
  if (node->state.load(std::memory_order_acquire) == NodeState::failed) {
    std::rethrow_exception(node->value->error);
  }
}

// Lets go of a run that was never claimed.
class RunGuard {
 public:
  explicit RunGuard(Run* run) : run_(run) {}
  ~RunGuard() {
    if (run_) release_run(run_);
  }
  Run* get() const { return run_; }
  Run* take() { return std::exchange(run_, nullptr); }

 private:
  Run* run_;
};

// Streams get their shares under the graph mutex, so that all see runs in the same order.
void submit_streams(Run* run, std::unique_lock<std::mutex>& graph_lock) {
  const Plan& plan = run->plan();
  size_t k = 0;
  try {
    for (; k < plan.streams.size(); ++k) {
      retain(run);
      submit(plan.steps[plan.streams[k][0]].stream, [run, k] {
        run->execute_stream(k);
        release_run(run);
      });
    }
  } catch (...) {
    release_run(run);
    graph_lock.unlock();
    run->abandon(k, std::current_exception());
  }
}

// Returns the run with one reference for the caller, or nullptr if there was nothing to do. It has
// run already if its one stream was idle and the caller is going to wait, or need not.
Run* start(std::span<Node* const> outputs, bool may_run_here) {
  std::unique_lock lock(graph_mutex);
  RunGuard run(Run::make());
  collect(outputs, run.get()->graph());
  std::shared_ptr<const Plan> plan = find_plan(run.get()->graph());
  bool empty = plan->steps.empty();
  run.get()->set_plan(std::move(plan));
  if (empty) return nullptr;
  run.get()->claim();
  const Plan& claimed = run.get()->plan();
  if (claimed.streams.size() == 1) {
    int stream = claimed.steps[0].stream;
    // Work for a device is only queued: that need not be left to the stream's thread.
    bool only_queued = !backend_of(stream).shares_host_memory && !run.get()->waits_for_others();
    bool may_run = may_run_here || only_queued;
    if (may_run && enter_if_idle(stream)) {
      lock.unlock();
      run.get()->execute();
      leave(stream);
      return run.take();
    }
  }
  submit_streams(run.get(), lock);
  return run.take();
}

void wait_for(const Node* node) {
  if (Run* run = run_of(node)) {
    run->wait();
    release_run(run);
  }
  throw_if_failed(node);
}

// Waits for devices. What has gone wrong there, out of sight of the run, becomes the error of all
// the outputs: their values are not to be trusted.
void wait_for_devices(std::span<Node* const> outputs) {
  try {
    for (Node* node : outputs) wait_until_written(node->value->layout.buffer);
  } catch (...) {
    for (Node* node : outputs) {
      node->value->error = std::current_exception();
      node->state.store(NodeState::failed, std::memory_order_release);
    }
    throw;
  }
}

void evaluate(std::span<Node* const> outputs, bool wait) {
  SmallVector<Node*, 8> todo;
  for (Node* node : outputs) {
    if (!node->ready()) {
      todo.push_back(node);
    } else if (wait && node->op != Op::constant) {
      wait_until_written(node->value->layout.buffer);
    }
  }
  if (todo.empty()) return;
  if (Run* run = start({todo.data(), todo.size()}, wait)) {
    if (wait) run->wait();
    std::exception_ptr error = wait ? run->error() : nullptr;
    release_run(run);
    if (error) std::rethrow_exception(error);
  }
  if (!wait) return;
  for (Node* node : todo) wait_for(node);
  wait_for_devices({todo.data(), todo.size()});
}

void evaluate(const std::vector<array>& outputs, bool wait) {
  SmallVector<Node*, 8> nodes;
  for (const array& a : outputs) nodes.push_back(a.node());
  evaluate({nodes.data(), nodes.size()}, wait);
}

}  // namespace

void submit_value(Node* node) {
  Node* nodes[] = {node};
  evaluate(nodes, false);
  wait_for(node);
}

const Layout& submitted_layout(const array& a) {
  submit_value(a.node());
  if (a.node()->op == Op::constant) a.strides();  // makes memory for its value
  return a.node()->value->layout;
}

void eval(std::vector<array> outputs) { evaluate(outputs, true); }
void async_eval(std::vector<array> outputs) {
  for (const array& output : outputs) {
    if (!output.is_tracer()) continue;
    throw ArgumentError(
        "[async_eval] An array of a function under a transformation, which has to follow it, is "
        "evaluated by eval alone.");
  }
  evaluate(outputs, false);
}

void array::eval() const {
  Node* nodes[] = {node_};
  evaluate(nodes, true);
}
void array::wait() const { eval(); }
bool array::is_available() const {
  if (!node_->ready()) return false;
  return node_->op == Op::constant || is_written(node_->value->layout.buffer);
}

std::string explain(const std::vector<array>& outputs) {
  SmallVector<Node*, 8> nodes;
  for (const array& a : outputs) nodes.push_back(a.node());
  std::lock_guard lock(graph_mutex);
  Graph graph;
  collect({nodes.data(), nodes.size()}, graph);
  return explain_plan(graph);
}

}  // namespace lazuli
