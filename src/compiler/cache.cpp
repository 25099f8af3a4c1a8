// The plan cache: plans by key, bounded in bytes, the least recently used forgotten first. Guarded by
// the graph mutex, under which plans are looked up.
#include <algorithm>
#include <list>
#include <unordered_map>

#include "base/flags.h"
#include "base/log.h"
#include "compiler/plan.h"

namespace lazuli {
namespace {

struct Entry {
  uint64_t hash;
  std::shared_ptr<Plan> plan;
};

struct Cache {
  std::list<Entry> entries;  // most recently used first
  std::unordered_multimap<uint64_t, std::list<Entry>::iterator> by_hash;
  PlanCacheStatistics statistics;
};

Cache& cache() {
  static Cache* c = new Cache;
  return *c;
}

bool serves(const Plan& plan, const Graph& graph) {
  if (plan.key != graph.key) return false;
  return std::all_of(plan.guards.begin(), plan.guards.end(),
                     [&](const Guard& guard) { return guard.holds(graph); });
}

void forget_oldest(Cache& c) {
  Entry& oldest = c.entries.back();
  auto [first, last] = c.by_hash.equal_range(oldest.hash);
  for (auto it = first; it != last; ++it) {
    if (it->second == std::prev(c.entries.end())) {
      c.by_hash.erase(it);
      break;
    }
  }
  c.statistics.bytes -= oldest.plan->bytes();
  ++c.statistics.evictions;
  c.entries.pop_back();
}

}  // namespace

size_t Plan::bytes() const {
  size_t total = sizeof(Plan) + key.size() * 8 + guards.size() * sizeof(Guard) +
                 4 * (slot_of.size() + held.size() + leaves.size());
  for (const Step& step : steps) {
    total += sizeof(Step) + 4 * (step.inputs.size() + 2 * step.reads.size() + step.dead.size() +
                                 2 * step.writes.size());
    if (step.fused) total += step.fused->values.size() * (sizeof(FusedValue) + 64);
  }
  return total;
}

namespace {

// Where the graph's plan is; the end if there is none.
std::list<Entry>::iterator find(const Graph& graph) {
  Cache& c = cache();
  if (!c.entries.empty()) {
    const Entry& latest = c.entries.front();
    if (latest.hash == graph.hash && serves(*latest.plan, graph)) return c.entries.begin();
  }
  auto [first, last] = c.by_hash.equal_range(graph.hash);
  for (auto it = first; it != last; ++it) {
    if (serves(*it->second->plan, graph)) return it->second;
  }
  return c.entries.end();
}

}  // namespace

std::shared_ptr<const Plan> peek_plan(const Graph& graph) {
  auto entry = find(graph);
  return entry == cache().entries.end() ? nullptr : entry->plan;
}

std::vector<const Plan*> cached_plans() {
  std::vector<const Plan*> plans;
  for (const Entry& entry : cache().entries) plans.push_back(entry.plan.get());
  return plans;
}

std::shared_ptr<Plan> find_plan(const Graph& graph) {
  Cache& c = cache();
  if (auto entry = find(graph); entry != c.entries.end()) {
    ++c.statistics.hits;
    if (entry != c.entries.begin()) c.entries.splice(c.entries.begin(), c.entries, entry);
    return entry->plan;
  }
  if (debugging(3)) debug_line("new plan: " + why_no_plan(graph));
  std::shared_ptr<Plan> plan = make_plan(graph);
  if (debugging(3)) debug_line("schedule:\n" + describe(*plan, graph));
  ++c.statistics.misses;
  c.entries.push_front({graph.hash, plan});
  c.by_hash.emplace(graph.hash, c.entries.begin());
  c.statistics.bytes += plan->bytes();
  size_t budget = static_cast<size_t>(flags().plan_cache_mb) << 20;
  while (c.statistics.bytes > budget && c.entries.size() > 1) forget_oldest(c);
  return plan;
}

PlanCacheStatistics plan_cache_statistics() {
  PlanCacheStatistics s = cache().statistics;
  s.plans = cache().entries.size();
  return s;
}

void clear_plan_cache() {
  cache().entries.clear();
  cache().by_hash.clear();
  cache().statistics.bytes = 0;
}

}  // namespace lazuli
