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
#include "runtime/cost.h"
#include "runtime/registry.h"
#include "runtime/run.h"

namespace lazuli {
namespace {

using Clock = std::chrono::steady_clock;

// What is said of a step that has run.
struct Facts {
  double us;
  Cost cost;
  double share;  // of the device's peak; 0 where that is not known

  double rate(double amount) const { return amount / us / 1e3; }  // in units of 1e9 a second
  std::string text() const {
    std::string text =
        fmt::format("{:9.2f} us {:7.2f} GB/s {:7.2f} GF/s", us, rate(cost.bytes), rate(cost.flops));
    return share > 0 ? fmt::format("{} {:3.0f} %", text, 100 * share) : text + "      ";
  }
};

// Chrome's trace format: an array of events; its end may be missing, so nothing is left to do when
// the process ends.
class Trace {
 public:
  static Trace& instance() {
    static Trace* trace = new Trace;
    return *trace;
  }

  void add(const std::string& what, int stream, Clock::time_point start, const Facts& facts) {
    nlohmann::json event = {
        {"name", what.substr(0, what.find(':'))},
        {"ph", "X"},
        {"pid", 1},
        {"tid", stream},
        {"ts", std::chrono::duration<double, std::micro>(start - first_).count()},
        {"dur", facts.us},
        {"args",
         {{"step", what},
          {"bytes", facts.cost.bytes},
          {"flops", facts.cost.flops},
          {"GB/s", facts.rate(facts.cost.bytes)},
          {"GF/s", facts.rate(facts.cost.flops)},
          {"share of peak", facts.share}}}};
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

}  // namespace

namespace {
thread_local Clock::time_point timing_start;
}

void Backend::start_timing(int) { timing_start = Clock::now(); }
double Backend::stop_timing(int) {
  return std::chrono::duration<double>(Clock::now() - timing_start).count();
}

bool observing() { return debugging(2) || flags().check || flags().nvtx || !flags().trace.empty(); }

void observe_end() {
  if (!flags().trace.empty()) Trace::instance().flush();
}

// With the step's time and, in check mode, the reference's opinion of what it wrote.
void Run::execute_observed(const Step& step) {
  std::string what = describe(step, graph_);
  std::unique_ptr<StepCheck> check;
  std::vector<Layout> scratch(step.reads.size());
  std::vector<const Layout*> reads;
  for (size_t k = 0; k < step.reads.size(); ++k) {
    reads.push_back(&layout_of(step.reads[k], scratch[k]));
  }
  Cost cost = cost_of(step, graph_, reads);
  if (flags().check) {
    for (const Layout* layout : reads) fetch_to_host(layout->buffer, false);
    check = check_step(graph_, step, reads);
  }
  scratch.clear();
  Backend& backend = backend_of(step.stream);
  Clock::time_point start = Clock::now();
  double seconds;
  {
    ObservedRange range(backend, what);
    backend.start_timing(step.stream);
    run_step(step);
    seconds = backend.stop_timing(step.stream);
  }
  Facts facts{1e6 * seconds, cost, 0};
  facts.share = least_seconds(facts.cost, backend) / seconds;
  if (debugging(2)) debug_line(facts.text() + "  " + what);
  if (!flags().trace.empty()) Trace::instance().add(what, step.stream, start, facts);
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
