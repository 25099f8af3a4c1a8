// Attention by cuDNN, where its kernels pay: a plan serves one problem with its extents and
// strides, and takes long to make. Until a problem has cost our own kernel about as long, that
// kernel serves it, so that prompts of lengths that never come again wait for no plan. Plans are
// kept on disk, and those found there are used much earlier.
#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "backends/cuda/dnn/attention_plan.h"
#include "backends/cuda/kernels/attention/attention.h"
#include "backends/cuda/programs/disk_cache.h"
#include "backends/cuda/programs/nvrtc.h"
#include "base/flags.h"
#include "base/hash.h"
#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

constexpr int no_mask = 0, causal_mask = 1;
constexpr int queries_min = 128, size_max = 256;
// Hopper and the Blackwell of servers, whose tensor cores our own kernel cannot fill. Measured on
// Hopper alone.
constexpr int capability_min = 90, capability_end = 120;
// Of one call: less than about 15 us of our own kernel is not worth leaving a sequence of launches.
constexpr double operations_min = 5e8;
// Of all calls with a problem: about 2 ms and 50 ms of our own kernel, as long as it takes to find
// a plan on disk and to make one. cuDNN is not even opened, which takes 50 to 90 ms, before all
// problems together have come to the latter.
constexpr double operations_before_search = 4e11, operations_before_plan = 1e13;
constexpr size_t problems_max = 128;

using Key = std::array<uint64_t, 18>;
struct KeyHash {
  size_t operator()(const Key& key) const { return hash_words(key.data(), key.size()); }
};

struct Problem {
  std::unique_ptr<DnnAttentionPlan> plan;
  bool searched = false, refused = false;
  double operations = 0;  // of all calls so far
  uint64_t last_use = 0;
};

// Guards the rest: cuDNN's handle, its plans and what is known of problems.
std::mutex mutex;
uint64_t uses = 0;
double operations_so_far = 0;
std::atomic<uint64_t> runs = 0;

auto& problems() {
  static auto* all = new std::unordered_map<Key, Problem, KeyHash>;
  return *all;
}

Key key_of(const DnnAttention& p) {
  Key key = {static_cast<uint64_t>(p.dtype) << 1 | p.causal};
  size_t at = 1;
  for (int64_t extent : {p.batch, p.heads, p.key_heads, p.queries, p.keys, p.size, p.value_size}) {
    key[at++] = static_cast<uint64_t>(extent);
  }
  for (const auto& strides : {p.q_strides, p.k_strides, p.v_strides}) {
    for (int i = 0; i < 3; ++i) key[at++] = static_cast<uint64_t>(strides[i]);
  }
  return key;
}

double operations_of(const DnnAttention& p) {
  double all = 2.0 * static_cast<double>(p.batch * p.heads) * static_cast<double>(p.queries) *
               static_cast<double>(p.keys) * static_cast<double>(p.size + p.value_size);
  return p.causal && p.keys == p.queries ? all / 2 : all;
}

// Strides as cuDNN takes them: positive, also of axes of one element. False if they repeat or
// reverse an axis.
bool find_strides(const int64_t (&from)[3], const std::array<int64_t, 4>& extents,
                  int64_t (&to)[3]) {
  int64_t inner = extents[3];
  for (size_t d = 3; d-- > 0;) {
    to[d] = extents[d] == 1 ? inner : from[d];
    if (to[d] <= 0) return false;
    inner = to[d] * extents[d];
  }
  return true;
}

std::optional<DnnAttention> problem_of(const AttentionCall& call) {
  const Attention& a = call.a;
  bool fits = call.has_aligned_halves() && reinterpret_cast<uintptr_t>(a.out) % 16 == 0 &&
              !a.sinks && (a.kind == no_mask || (a.kind == causal_mask && a.queries <= a.keys)) &&
              std::max(a.size, a.value_size) <= size_max;
  if (!fits) return std::nullopt;
  DnnAttention p{call.out,
                 a.kind == causal_mask,
                 call.batch,
                 a.heads,
                 a.heads / a.group,
                 a.queries,
                 a.keys,
                 a.size,
                 a.value_size,
                 {},
                 {},
                 {}};
  fits = find_strides(a.q_strides, {p.batch, p.heads, p.queries, p.size}, p.q_strides) &&
         find_strides(a.k_strides, {p.batch, p.key_heads, p.keys, p.size}, p.k_strides) &&
         find_strides(a.v_strides, {p.batch, p.key_heads, p.keys, p.value_size}, p.v_strides);
  return fits ? std::optional(p) : std::nullopt;
}

void drop_oldest() {
  auto older = [](const auto& x, const auto& y) { return x.second.last_use < y.second.last_use; };
  auto oldest = std::min_element(problems().begin(), problems().end(), older);
  // The GPU may still be running its kernel.
  if (oldest->second.plan) LAZULI_CUDA(cuCtxSynchronize);
  problems().erase(oldest);
}

// All that makes a plan what it is.
std::string name_of(const Key& key) {
  std::string name = "attention by cuDNN " + std::to_string(find_dnn()->cudnnGetVersion()) + "\n" +
                     compiler_version() + "\n" + gpu().architecture + "\n" + gpu().name + "\n";
  for (uint64_t word : key) name += std::to_string(word) + " ";
  return name;
}

// nullptr if there is none, or none that cuDNN reads.
std::unique_ptr<DnnAttentionPlan> kept_plan(const DnnAttention& p, const std::string& name) {
  std::string saved;
  if (!read_kept(name, saved)) return nullptr;
  try {
    return std::make_unique<DnnAttentionPlan>(p, saved);
  } catch (const DeviceError&) {
    return nullptr;
  }
}

// nullptr where our own kernel is to serve.
const DnnAttentionPlan* find_plan(const DnnAttention& p, bool always) {
  Key key = key_of(p);
  auto known = problems().find(key);
  if (known == problems().end()) {
    if (problems().size() >= problems_max) drop_oldest();
    known = problems().emplace(key, Problem{}).first;
  }
  Problem& problem = known->second;
  problem.last_use = ++uses;
  if (problem.plan || problem.refused) return problem.plan.get();
  problem.operations += operations_of(p);
  operations_so_far += operations_of(p);
  bool searches =
      problem.operations >= operations_before_search && operations_so_far >= operations_before_plan;
  if (!always && !searches) return nullptr;
  problem.refused = !find_dnn();
  if (problem.refused) return nullptr;
  if (!std::exchange(problem.searched, true)) problem.plan = kept_plan(p, name_of(key));
  if (problem.plan) return problem.plan.get();
  if (!always && problem.operations < operations_before_plan) return nullptr;
  try {
    problem.plan = std::make_unique<DnnAttentionPlan>(p);
    keep(name_of(key), problem.plan->saved());
  } catch (const DeviceError&) {
    problem.refused = true;
  }
  return problem.plan.get();
}

}  // namespace

bool attend_by_dnn(const AttentionCall& call) {
  bool always = flags().cudnn == 2;
  int capability = gpu().capability;
  bool pays =
      capability >= capability_min && capability < capability_end && call.a.queries >= queries_min;
  if (!flags().cudnn || !(always || pays)) return false;
  std::optional<DnnAttention> problem = problem_of(call);
  if (!problem || !(always || operations_of(*problem) >= operations_min)) return false;
  std::lock_guard lock(mutex);
  const DnnAttentionPlan* plan = find_plan(*problem, always);
  if (!plan) return false;
  std::optional<Scratch> workspace;
  if (plan->workspace_bytes()) workspace.emplace(call.stream, plan->workspace_bytes());
  plan->run({call.a.q, call.a.k, call.a.v, call.a.out, call.a.scale},
            workspace ? workspace->data() : nullptr, queue_of(call.stream).stream());
  ++runs;
  return true;
}

uint64_t attention_runs_by_dnn() { return runs; }

}  // namespace lazuli::cuda
