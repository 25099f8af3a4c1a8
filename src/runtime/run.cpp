// The life of a run: claimed, executed on its streams, finished, used again.
#include "runtime/run.h"

#include <optional>
#include <utility>

#include "base/flags.h"
#include "runtime/observe.h"

namespace lazuli {
namespace {

constexpr size_t kept_runs_max = 4;
constexpr size_t kept_nodes_max = 1 << 14;

thread_local bool pool_gone = false;
struct PoolOwner {
  std::vector<Run*> runs;
  ~PoolOwner();
};
thread_local PoolOwner pool;

// Guards `Value::run`.
std::mutex claim_mutex;

bool is_pending(const Node* node) {
  return node->state.load(std::memory_order_acquire) == NodeState::scheduled;
}

}  // namespace

Run* Run::make() {
  if (pool_gone || pool.runs.empty()) return new Run;
  Run* run = pool.runs.back();
  pool.runs.pop_back();
  return run;
}

void Run::recycle() {
  if (pool_gone || pool.runs.size() >= kept_runs_max || graph_.nodes.capacity() > kept_nodes_max) {
    delete this;
    return;
  }
  reset();
  pool.runs.push_back(this);
}

void Run::reset() {
  plan_.reset();
  error_ = nullptr;
  references_.store(1, std::memory_order_relaxed);
  finished_.store(false, std::memory_order_relaxed);
  failed_.store(false, std::memory_order_relaxed);
}

void release_run(Run* run) noexcept {
  if (run->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) run->recycle();
}

namespace {
PoolOwner::~PoolOwner() {
  pool_gone = true;
  for (Run* run : runs) release_run(run);
}
}  // namespace

Run* run_of(const Node* node) {
  std::lock_guard lock(claim_mutex);
  Run* run = is_pending(node) ? node->value->run : nullptr;
  if (run) retain(run);
  return run;
}

void Run::claim() {
  dying_.assign(plan_->slots, 0);
  waits_for_others_ = false;
  for (uint32_t i : plan_->leaves) {
    const Node* node = graph_.nodes[i];
    NodeState state = node->state.load(std::memory_order_acquire);
    if (state == NodeState::failed) std::rethrow_exception(node->value->error);
    waits_for_others_ |= state == NodeState::scheduled;
    uint32_t at = plan_->slot_of[i];
    if (at < plan_->slots) dying_[at] = !graph_.is_held(i) && state == NodeState::done;
  }
  values_.resize(plan_->slots);
  observed_ = observing();
  if (plan_->streams.size() > 1) step_done_.assign(plan_->steps.size(), 0);
  streams_left_.store(plan_->streams.size(), std::memory_order_relaxed);
  bool keep_traced = tracing();
  for (uint32_t i : plan_->held) {
    Node* node = graph_.nodes[i];
    retain(node);
    node->value = new_value();
    node->value->run = this;
    node->state.store(NodeState::scheduled, std::memory_order_release);
    if (node->tracer && keep_traced) continue;
    for (Node* input : node->inputs) kept_.push_back(input);
    node->inputs.clear();
  }
}

void Run::execute() noexcept {
  for (size_t k = 0; k < plan_->streams.size(); ++k) execute_stream(k);
}

void Run::execute_stream(size_t stream) noexcept {
  bool several = plan_->streams.size() > 1;
  int index = plan_->steps[plan_->streams[stream][0]].stream;
  std::optional<ObservedRange> range;
  if (observed_) range.emplace(backend_of(index), "evaluation");
  for (uint32_t s : plan_->streams[stream]) {
    const Step& step = plan_->steps[s];
    if (!step.after.empty()) {
      std::unique_lock lock(mutex_);
      for (uint32_t before : step.after) {
        step_advanced_.wait(lock, [&] { return step_done_[before] != 0 || failed_.load(); });
      }
    }
    if (!failed_.load(std::memory_order_acquire)) {
      try {
        if (observed_) {
          execute_observed(step);
        } else {
          run_step(step);
          bury(step);
        }
      } catch (...) {
        fail(std::current_exception());
      }
    }
    if (several) {
      std::lock_guard lock(mutex_);
      step_done_[s] = 1;
      step_advanced_.notify_all();
    }
  }
  try {
    backend_of(index).seal(index);
  } catch (...) {
    fail(std::current_exception());
  }
  if (streams_left_.fetch_sub(1, std::memory_order_acq_rel) == 1) finish();
}

void Run::fail(std::exception_ptr error) noexcept {
  std::lock_guard lock(mutex_);
  if (!error_) error_ = std::move(error);
  failed_.store(true, std::memory_order_release);
  step_advanced_.notify_all();
}

void Run::abandon(size_t first, std::exception_ptr error) noexcept {
  fail(std::move(error));
  for (size_t k = first; k < plan_->streams.size(); ++k) execute_stream(k);
}

void Run::finish() noexcept {
  if (observed_) observe_end();
  {
    std::lock_guard lock(claim_mutex);
    for (uint32_t i : plan_->held) {
      Node* node = graph_.nodes[i];
      if (is_pending(node)) {
        node->value->error = error_;
        node->state.store(NodeState::failed, std::memory_order_release);
      }
      node->value->run = nullptr;
    }
  }
  for (Layout& layout : values_) layout = Layout();
  for (uint32_t i : plan_->held) release(graph_.nodes[i]);
  for (Node* node : kept_) release(node);
  kept_.clear();
  graph_.nodes.clear();
  // Whoever waits has counted itself before it looks at `finished_`.
  finished_.store(true, std::memory_order_seq_cst);
  if (waiters_.load(std::memory_order_seq_cst) == 0) return;
  std::lock_guard lock(mutex_);
  done_.notify_all();
}

void Run::wait() {
  if (finished()) return;
  waiters_.fetch_add(1, std::memory_order_seq_cst);
  {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return finished(); });
  }
  waiters_.fetch_sub(1, std::memory_order_seq_cst);
}

}  // namespace lazuli
