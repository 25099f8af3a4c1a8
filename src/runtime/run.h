// A run: one plan on its way through the streams, with the nodes it computes.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include "compiler/backend.h"

namespace lazuli {

class Run {
 public:
  // A run with one reference, whose vectors have room from earlier runs: growing them anew costs
  // more than a small step.
  static Run* make();

  // Filled by `collect` before the run is claimed.
  Graph& graph() { return graph_; }
  void set_plan(std::shared_ptr<const Plan> plan) { plan_ = std::move(plan); }
  const Plan& plan() const { return *plan_; }

  // Held nodes become scheduled and give their inputs to the run, which keeps everything alive
  // until it has finished. Throws what a failed leaf failed with. The caller holds the graph mutex.
  void claim();

  // Whether a leaf is still to be computed by another run.
  bool waits_for_others() const { return waits_for_others_; }

  // Runs every step of the plan, or those of one of its streams. Failures are kept, not thrown. The
  // last stream finishes the run: nodes that were not reached fail, waiters wake.
  void execute() noexcept;
  void execute_stream(size_t stream) noexcept;
  // Ends the run with an error where the streams from `first` on cannot be given their shares.
  void abandon(size_t first, std::exception_ptr error) noexcept;

  void wait();
  bool finished() const { return finished_.load(std::memory_order_seq_cst); }
  std::exception_ptr error() const { return error_; }

  friend void retain(Run* run) noexcept {
    run->references_.fetch_add(1, std::memory_order_relaxed);
  }
  friend void release_run(Run* run) noexcept;

 private:
  Run() = default;
  void recycle();
  void reset();
  void finish() noexcept;
  void run_step(const Step& step);
  void execute_observed(const Step& step);
  void view_step(const Step& step);
  void fused_step(const Step& step);
  void kernel_step(const Step& step);
  Layout& slot(uint32_t node) { return values_[plan_->slot_of[node]]; }
  // The layout of a value; a constant is put into `scratch`.
  const Layout& layout_of(uint32_t node, Layout& scratch);
  Layout dense_copy(const Layout& from, const Node* node, int stream);
  Layout output_for_update(const Step& step, Backend& backend);
  bool may_take(uint32_t node, const Backend& backend);
  // The buffer of an operand that ends with the step, for an output; nothing if none fits.
  Layout taken_operand(const Step& step, const Step::Place& output, Backend& backend);
  void publish(uint32_t node);  // what its slot holds is its value
  void bury(const Step& step);
  void fail(std::exception_ptr error) noexcept;

  std::atomic<int32_t> references_{1};
  std::shared_ptr<const Plan> plan_;
  Graph graph_;
  std::vector<Node*> kept_;      // inputs of held nodes, whose references the run has taken
  std::vector<uint8_t> dying_;   // by slot: leaves nobody else refers to
  std::vector<Layout> values_;   // by slot
  bool waits_for_others_ = false;
  bool observed_ = false;        // steps are timed, traced or checked

  std::atomic<bool> finished_{false}, failed_{false};
  std::atomic<int> waiters_{0};
  std::exception_ptr error_;
  std::mutex mutex_;
  std::condition_variable done_;
  // With several streams: which steps are done, and how many streams are not.
  std::vector<uint8_t> step_done_;
  std::condition_variable step_advanced_;
  std::atomic<size_t> streams_left_{0};
};

// Buffers that an output has taken over from an input, since the process started.
uint64_t take_overs();

// Starts computing the value and returns when its layout is known: work of a device that makes it
// may still go on there. Throws what it failed with.
void submit_value(Node* node);
// The same; where the value lies, or is going to.
const Layout& submitted_layout(const array& a);

// The run a scheduled node waits for, with a reference for the caller; nullptr once it has
// finished.
Run* run_of(const Node* node);

}  // namespace lazuli
