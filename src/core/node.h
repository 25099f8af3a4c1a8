// A node: one recorded operation and, once it has run, its value.
//
// Nodes are reference counted: by array handles and by the nodes that read them. A node passes
// through the states below once, in order. Inputs are dropped when it is scheduled.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <span>

#include "core/layout.h"
#include "lazuli/array.h"
#include "lazuli/dtype.h"
#include "lazuli/small_vector.h"
#include "ops/table/words.h"

namespace lazuli {

enum class Op : uint16_t;
class Run;

enum class NodeState : uint8_t {
  recorded,   // its inputs say how to compute it
  scheduled,  // a Run computes it
  done,       // it has a value
  failed,     // computing it failed; the error is kept
};

// What a node's value consists of, once it is scheduled.
struct Value {
  Layout layout;
  Run* run = nullptr;        // while scheduled; the runtime guards it
  std::exception_ptr error;  // when failed
};

struct Node {
  std::atomic<uint32_t> references{1};
  Op op;
  Dtype::Val dtype;
  std::atomic<NodeState> state{NodeState::recorded};
  uint8_t tracer = 0;  // recorded under a transform: evaluation keeps its inputs
  uint8_t stream = 0;
  uint16_t structural = 0;
  uint32_t mark_epoch = 0;  // of the evaluation that last saw the node; graph mutex
  uint32_t mark_index = 0;
  Shape shape;
  SmallVector<Node*, 2> inputs;
  SmallVector<int64_t, 2> params;  // ops/table/params.h gives them types
  union {
    Value* value = nullptr;
    Node* next_to_free;  // once no reference is left
  };

  Dtype type() const;
  int64_t size() const { return element_count(shape); }
  bool ready() const { return state.load(std::memory_order_acquire) == NodeState::done; }
};
static_assert(sizeof(Node) <= 128);

// The stream with this index. Defined by the runtime, which keeps the streams.
Stream stream_at(int index);

// For another node with the parameters of this one.
inline Params same_params(const Node* node) { return {node->params, node->structural}; }

// Stands for an argument while a function is traced; it has no value of its own.
Node* make_placeholder(Dtype dtype, Shape shape);

// Makes a node with one reference, which the caller owns; inputs are retained.
Node* make_node(Op op, Dtype dtype, Shape shape, std::span<Node* const> inputs, Params params,
                const Stream& stream);

// A node that has its value already.
Node* make_leaf(Dtype dtype, Shape shape, Layout layout);

// A 0-d value; `bits` holds its bytes in the dtype's own format, the low ones first.
Node* make_constant(Dtype dtype, int64_t bits);

inline void retain(Node* node) noexcept {
  node->references.fetch_add(1, std::memory_order_relaxed);
}
void release(Node* node) noexcept;

Value* new_value();
void delete_value(Value* value) noexcept;

// Set while arrays are traced; new nodes inherit the mark from their inputs.
bool tracing();
class TracingScope {
 public:
  TracingScope();
  ~TracingScope();
};

}  // namespace lazuli
