#include "runtime/observe.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/flags.h"
#include "base/log.h"
#include "runtime/registry.h"
#include "runtime/run.h"

namespace lazuli {
namespace {

using Clock = std::chrono::steady_clock;

// Chrome's trace format: an array of events; its end may be missing, so nothing is left to do when
// the process ends.
class Trace {
 public:
  static Trace& instance() {
    static Trace* trace = new Trace;
    return *trace;
  }

  void add(const std::string& what, int stream, Clock::time_point start, double us, double bytes) {
    nlohmann::json event = {
        {"name", what.substr(0, what.find(':'))},
        {"ph", "X"},
        {"pid", 1},
        {"tid", stream},
        {"ts", std::chrono::duration<double, std::micro>(start - first_).count()},
        {"dur", us},
        {"args", {{"step", what}, {"bytes", bytes}, {"GB/s", bytes / us / 1e3}}}};
    std::lock_guard lock(mutex_);
    if (!file_) return;
    std::string line = (any_ ? ",\n" : "[\n") + event.dump();
    any_ = true;
    std::fwrite(line.data(), 1, line.size(), file_);
  }
  void flush() {
    std::lock_guard lock(mutex_);
    if (file_) std::fflush(file_);
  }

 private:
  Trace() : file_(std::fopen(flags().trace.c_str(), "w")) {
    if (!file_) debug_line("the trace file " + flags().trace + " cannot be written");
  }
  std::mutex mutex_;
  std::FILE* file_;
  bool any_ = false;
  Clock::time_point first_ = Clock::now();
};

double bytes_moved(const Step& step, const Graph& graph) {
  double total = 0;
  auto count = [&](uint32_t n) {
    const Node* node = graph.nodes[n];
    total += static_cast<double>(node->size()) * node->type().size();
  };
  if (step.kind == Step::Kind::view) return 0;
  for (uint32_t n : step.reads) count(n);
  for (uint32_t n : step.writes) count(n);
  return total;
}

}  // namespace

namespace {
thread_local Clock::time_point timing_start;
}

void Backend::start_timing(int) { timing_start = Clock::now(); }
double Backend::stop_timing(int) {
  return std::chrono::duration<double>(Clock::now() - timing_start).count();
}

bool observing() { return debugging(2) || flags().check || !flags().trace.empty(); }

void observe_end() {
  if (!flags().trace.empty()) Trace::instance().flush();
}

// With the step's time and, in check mode, the reference's opinion of what it wrote.
void Run::execute_observed(const Step& step) {
  std::string what = describe(step, graph_);
  std::unique_ptr<StepCheck> check;
  std::vector<Layout> scratch(step.reads.size());
  if (flags().check) {
    std::vector<const Layout*> reads;
    for (size_t k = 0; k < step.reads.size(); ++k) {
      reads.push_back(&layout_of(step.reads[k], scratch[k]));
      fetch_to_host(reads.back()->buffer, false);
    }
    check = check_step(graph_, step, reads);
    scratch.clear();
  }
  Backend& backend = backend_of(step.stream);
  Clock::time_point start = Clock::now();
  backend.start_timing(step.stream);
  run_step(step);
  double us = 1e6 * backend.stop_timing(step.stream);
  double bytes = bytes_moved(step, graph_);
  if (debugging(2))
    debug_line(fmt::format("{:9.2f} us {:7.2f} GB/s  {}", us, bytes / us / 1e3, what));
  if (!flags().trace.empty()) Trace::instance().add(what, step.stream, start, us, bytes);
  if (check) {
    std::vector<const Layout*> writes;
    for (uint32_t n : step.writes) {
      writes.push_back(&slot(n));
      fetch_to_host(writes.back()->buffer, false);
    }
    std::string difference = check->difference(writes);
    if (!difference.empty()) {
      throw RuntimeError("[check] " + what + "\n  differs in " + difference + ".");
    }
  }
  bury(step);
}

}  // namespace lazuli
