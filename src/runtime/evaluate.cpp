// Evaluation: collect the graph, find its plan, claim its nodes, run.
#include <algorithm>
#include <mutex>

#include "compiler/plan.h"
#include "core/node.h"
#include "runtime/run.h"
#include "runtime/stream.h"

namespace lazuli {
namespace {

std::mutex graph_mutex;

bool is_pending(const Node* node) {
  return node->state.load(std::memory_order_acquire) == NodeState::scheduled;
}

void throw_if_failed(const Node* node) {
  if (node->state.load(std::memory_order_acquire) == NodeState::failed) {
    std::rethrow_exception(node->value->error);
  }
}

// A stretch of steps on one stream.
struct Segment {
  size_t first, last;
  int stream;
};

std::vector<Segment> segments_of(const Plan& plan) {
  std::vector<Segment> segments;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    int stream = plan.steps[s].stream;
    if (segments.empty() || segments.back().stream != stream) segments.push_back({s, s, stream});
    segments.back().last = s + 1;
  }
  return segments;
}

// Leaves only this graph still refers to: their buffers may be taken over.
std::vector<uint8_t> dying_leaves(const Graph& graph) {
  std::vector<uint8_t> dying(graph.nodes.size(), 0);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    dying[i] = graph.leaf[i] && !graph.held[i] && !is_pending(graph.nodes[i]);
  }
  return dying;
}

// Held nodes become scheduled and let go of their inputs; the run keeps every node alive.
void claim(const Graph& graph, Run* run) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (graph.leaf[i] || !graph.held[i]) continue;
    Node* node = graph.nodes[i];
    node->value = new_value();
    node->value->run = run;
    retain(run);
    node->state.store(NodeState::scheduled, std::memory_order_release);
  }
}

void detach_inputs(const Graph& graph) {
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    Node* node = graph.nodes[i];
    if (graph.leaf[i] || !graph.held[i] || (node->tracer && tracing())) continue;
    for (Node* input : node->inputs) release(input);
    node->inputs.clear();
  }
}

// Consecutive segments on different streams wait for each other through a shared counter.
struct Progress {
  std::mutex mutex;
  std::condition_variable advanced;
  size_t done = 0;
};

void submit_segments(Run* run, const std::vector<Segment>& segments) {
  if (segments.size() == 1) {
    retain(run);
    submit(segments[0].stream, [run, last = segments[0].last] {
      run->execute(0, last);
      run->finish();
      release_run(run);
    });
    return;
  }
  run->share_streams = true;
  auto progress = std::make_shared<Progress>();
  for (size_t k = 0; k < segments.size(); ++k) {
    retain(run);
    submit(segments[k].stream, [run, progress, segment = segments[k], k, count = segments.size()] {
      {
        std::unique_lock lock(progress->mutex);
        progress->advanced.wait(lock, [&] { return progress->done == k; });
      }
      run->execute(segment.first, segment.last);
      if (k + 1 == count) run->finish();
      {
        std::lock_guard lock(progress->mutex);
        progress->done = k + 1;
      }
      progress->advanced.notify_all();
      release_run(run);
    });
  }
}

// Returns the run with one reference for the caller, or nullptr if there was nothing to do.
Run* start(std::span<Node* const> outputs, bool may_run_here, bool& ran_here) {
  thread_local Graph graph;
  std::unique_lock lock(graph_mutex);
  collect(outputs, graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (graph.leaf[i]) throw_if_failed(graph.nodes[i]);
  }
  std::shared_ptr<Plan> plan = find_plan(graph);
  if (plan->steps.empty()) return nullptr;
  for (Node* node : graph.nodes) retain(node);
  std::vector<uint8_t> dying = dying_leaves(graph);
  Run* run = new Run(plan, std::move(graph), std::move(dying));
  claim(run->graph(), run);
  detach_inputs(run->graph());
  std::vector<Segment> segments = segments_of(*plan);
  if (may_run_here && segments.size() == 1) {
    // Submitted under the graph mutex otherwise, so that streams see runs in one order.
    lock.unlock();
    ran_here = run_if_idle(segments[0].stream, [&] {
      run->execute(0, plan->steps.size());
      run->finish();
    });
    if (ran_here) {
      graph = run->reclaim_graph();
    } else {
      submit_segments(run, segments);
    }
  } else {
    submit_segments(run, segments);
  }
  return run;
}

void evaluate(std::span<Node* const> outputs, bool wait) {
  SmallVector<Node*, 8> todo;
  for (Node* node : outputs) {
    if (!node->ready()) todo.push_back(node);
  }
  if (todo.empty()) return;
  bool ran_here = false;
  Run* run = start({todo.data(), todo.size()}, wait, ran_here);
  if (run) {
    if (wait && !ran_here) run->wait();
    std::exception_ptr error = wait ? run->error() : nullptr;
    release_run(run);
    if (error) std::rethrow_exception(error);
  }
  if (!wait) return;
  for (Node* node : todo) {
    if (is_pending(node)) {
      Run* other = nullptr;
      {
        std::lock_guard lock(graph_mutex);
        other = node->value->run;
        if (other) retain(other);
      }
      if (other) {
        other->wait();
        release_run(other);
      }
    }
    throw_if_failed(node);
  }
}

void evaluate(const std::vector<array>& outputs, bool wait) {
  SmallVector<Node*, 8> nodes;
  for (const array& a : outputs) nodes.push_back(a.node());
  evaluate({nodes.data(), nodes.size()}, wait);
}

}  // namespace

Run::Run(std::shared_ptr<const Plan> plan, Graph&& graph, std::vector<uint8_t>&& dying)
    : plan_(std::move(plan)),
      graph_(std::move(graph)),
      dying_(std::move(dying)),
      values_(graph_.nodes.size()) {}

Run::~Run() = default;

void Run::finish() noexcept {
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    Node* node = graph_.nodes[i];
    if (graph_.leaf[i] || !graph_.held[i] || !is_pending(node)) continue;
    node->value->error = error_;
    node->state.store(NodeState::failed, std::memory_order_release);
  }
  values_.clear();
  for (Node* node : graph_.nodes) release(node);
  graph_.nodes.clear();
  {
    std::lock_guard lock(mutex_);
    finished_.store(true, std::memory_order_release);
  }
  done_.notify_all();
}

void Run::wait() {
  if (finished()) return;
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return finished(); });
}

void release_run(Run* run) noexcept {
  if (run->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete run;
}

void eval(std::vector<array> outputs) { evaluate(outputs, true); }
void async_eval(std::vector<array> outputs) { evaluate(outputs, false); }

void array::eval() const {
  if (node_->ready()) return;
  Node* nodes[] = {node_};
  evaluate(nodes, true);
}
void array::wait() const { eval(); }

}  // namespace lazuli
