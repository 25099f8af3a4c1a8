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
  Run(std::shared_ptr<const Plan> plan, Graph&& graph, std::vector<uint8_t>&& dying);
  ~Run();

  // The steps [first, last) of the plan. Failures are kept, not thrown.
  void execute(size_t first, size_t last) noexcept;
  // After the last step: nodes that were not reached fail, waiters wake.
  void finish() noexcept;
  void wait();
  bool finished() const { return finished_.load(std::memory_order_acquire); }
  std::exception_ptr error() const { return error_; }

  const Plan& plan() const { return *plan_; }
  const Graph& graph() const { return graph_; }
  // The vectors of a finished run, for the next evaluation: growing them anew costs more than a
  // small step.
  Graph reclaim_graph() { return std::move(graph_); }
  bool share_streams = false;  // steps run on several streams: nothing is freed before the end

  friend void retain(Run* run) noexcept {
    run->references_.fetch_add(1, std::memory_order_relaxed);
  }
  friend void release_run(Run* run) noexcept;

 private:
  void execute_step(const Step& step);
  void execute_timed(const Step& step);
  void view_step(const Step& step);
  void fused_step(const Step& step);
  void kernel_step(const Step& step);
  const Layout& layout_of(uint32_t node);
  Layout dense_copy(const Layout& from, const Node* node, Backend& backend);
  Layout output_for_update(const Step& step, Backend& backend);
  bool may_take(uint32_t node, const Backend& backend);
  void keep(uint32_t node, Layout layout);
  void bury(const Step& step);
  void fail(std::exception_ptr error) noexcept;

  std::atomic<int32_t> references_{1};
  std::shared_ptr<const Plan> plan_;
  Graph graph_;
  std::vector<uint8_t> dying_;   // leaves nobody else refers to
  std::vector<Layout> values_;   // of nodes computed here
  std::atomic<bool> finished_{false};
  std::exception_ptr error_;
  std::mutex mutex_;
  std::condition_variable done_;
};

}  // namespace lazuli
