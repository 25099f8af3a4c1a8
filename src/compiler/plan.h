// A plan: the steps that compute a graph of one structure, whatever its extents and scalars.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compiler/graph.h"
#include "ops/table/op.h"

namespace lazuli {

// ---- Fused steps --------------------------------------------------------------------------------
// A fused step computes elementwise nodes, and reductions over trailing axes, in one sweep over
// rows. Values are Full (one element for each of the iteration space) or Row (one for each row).
enum class Scope : uint8_t { full, row };

struct FusedValue {
  enum class Kind : uint8_t {
    operand,   // read from memory
    constant,  // the scalar of a constant node
    compute,   // an elementwise op
    reduce,    // a reduction of a Full value to a Row value
  };
  Kind kind;
  Op op;
  Dtype::Val dtype;
  Scope scope;
  uint8_t phase = 0;    // of the sweeps over a row, the one this value is computed in
  bool output = false;  // kept in memory under its node
  uint8_t input_count = 0;
  uint16_t inputs[3] = {};
  uint32_t node;  // in the graph
  uint32_t shape;  // the node whose shape the value has here
};

struct FusedStep {
  std::vector<FusedValue> values;  // inputs before users
  uint32_t space = 0;              // the node whose shape is the iteration space
  uint16_t row_axes = 0;           // trailing axes that form a row; 0: no reductions
  uint8_t phases = 1;
};

// A fused step in a backend's own form, made once when the plan is made.
class CompiledStep {
 public:
  virtual ~CompiledStep() = default;
  virtual std::string text() const = 0;  // for LAZULI_DEBUG=4
};

// ---- Steps --------------------------------------------------------------------------------------
struct Step {
  enum class Kind : uint8_t { view, fused, kernel };
  // An operand or output of a fused step: the index among its values, and the node.
  struct Place {
    uint16_t value;
    uint32_t node;
  };
  Kind kind;
  uint8_t stream;
  uint32_t node;                 // the result of a view or kernel
  std::vector<uint32_t> inputs;  // of a view or kernel, in the order of the op
  std::vector<uint32_t> reads;   // nodes read, each once
  std::vector<uint32_t> writes;  // nodes that get their value here
  std::vector<uint32_t> dead;    // nodes nobody reads after this step
  std::vector<uint32_t> after;   // steps on other streams that come first
  std::vector<Place> operands, outputs;  // of a fused step
  std::unique_ptr<FusedStep> fused;
  std::unique_ptr<CompiledStep> compiled;
};

// A fact beside the key that a pass has used; a plan serves a graph only if it holds there too.
struct Guard {
  enum class Kind : uint8_t {
    same_shape,
    other_shape,
    same_value,  // what the key does not say of two nodes: shapes, parameters, constants they read
  };
  uint32_t a, b;
  Kind kind;
  bool holds(const Graph& graph) const;
};

struct Plan {
  std::vector<uint64_t> key;
  std::vector<Guard> guards;
  std::vector<Step> steps;
  std::vector<std::vector<uint32_t>> streams;  // the steps of each stream that takes part, in order
  std::vector<uint32_t> held;  // nodes computed here that outlive the run
  std::vector<uint32_t> leaves;
  std::vector<uint32_t> slot_of;  // of each node: where a run keeps its layout
  uint32_t slots = 0;
  size_t bytes() const;
};

// Runs the passes. Throws if the graph cannot be planned.
std::shared_ptr<Plan> make_plan(const Graph& graph);

// The plan for the graph, from the cache or new.
std::shared_ptr<Plan> find_plan(const Graph& graph);

// The plan for the graph if the cache has it; counts as no use of it.
std::shared_ptr<const Plan> peek_plan(const Graph& graph);
std::vector<const Plan*> cached_plans();

// Which fact or guard keeps the graph from the most similar plan of the cache.
std::string why_no_plan(const Graph& graph);
// Whether the graph's plan is known, or why not; then the plan. Makes no entry in the cache.
std::string explain_plan(const Graph& graph);

struct PlanCacheStatistics {
  uint64_t hits = 0, misses = 0, evictions = 0;
  size_t plans = 0, bytes = 0;
};
PlanCacheStatistics plan_cache_statistics();
void clear_plan_cache();

// "float32[2,3]".
std::string type_text(const Node* node);

// One line a step.
std::string describe(const Step& step, const Graph& graph);
std::string describe(const Plan& plan, const Graph& graph);

}  // namespace lazuli
