#include "core/node.h"

#include <new>

#include "ops/table/op.h"

namespace lazuli {
namespace {

// Blocks of one size, kept by each thread for its next node.
template <class T>
class Freelist {
 public:
  ~Freelist() {
    while (head_) ::operator delete(pop(), std::align_val_t(64));
  }
  void* take() {
    if (head_) return pop();
    return ::operator new(sizeof(T), std::align_val_t(64));
  }
  void give(void* block) {
    if (count_ >= kept_max) {
      ::operator delete(block, std::align_val_t(64));
      return;
    }
    *static_cast<void**>(block) = head_;
    head_ = block;
    ++count_;
  }

 private:
  static constexpr int kept_max = 8192;
  void* pop() {
    void* block = head_;
    head_ = *static_cast<void**>(block);
    --count_;
    return block;
  }
  void* head_ = nullptr;
  int count_ = 0;
};

// The lists outlive static destruction order problems by never running a destructor on a thread
// that still frees nodes: a node freed later goes straight back to the heap.
struct Pools {
  Freelist<Node> nodes;
  Freelist<Value> values;
};
thread_local bool pools_gone = false;
struct PoolsOwner {
  Pools pools;
  ~PoolsOwner() { pools_gone = true; }
};
thread_local PoolsOwner owner;

template <class T>
void* take_block(Freelist<T> Pools::* list) {
  if (pools_gone) return ::operator new(sizeof(T), std::align_val_t(64));
  return (owner.pools.*list).take();
}

template <class T>
void give_block(Freelist<T> Pools::* list, void* block) {
  if (pools_gone) {
    ::operator delete(block, std::align_val_t(64));
  } else {
    (owner.pools.*list).give(block);
  }
}

thread_local int tracing_depth = 0;

void free_node(Node* node) {
  node->~Node();
  give_block(&Pools::nodes, node);
}

}  // namespace

Dtype Node::type() const {
  static constexpr uint8_t sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 2, 8};
  return Dtype(dtype, sizes[static_cast<int>(dtype)]);
}

Node* make_node(Op op, Dtype dtype, Shape shape, std::span<Node* const> inputs, Params params,
                const Stream& stream) {
  Node* node = new (take_block(&Pools::nodes)) Node;
  node->op = op;
  node->dtype = dtype;
  node->shape = std::move(shape);
  node->stream = static_cast<uint8_t>(stream.index);
  node->structural = params.structural;
  node->params = std::move(params.words);
  node->inputs.reserve(inputs.size());
  for (Node* input : inputs) {
    retain(input);
    node->tracer |= input->tracer;
    node->inputs.push_back(input);
  }
  if (tracing_depth == 0) node->tracer = 0;
  return node;
}

Node* make_placeholder(Dtype dtype, Shape shape) {
  Node* node = make_node(Op::placeholder, dtype, std::move(shape), {}, {}, to_stream({}));
  node->tracer = 1;
  return node;
}

Node* make_leaf(Dtype dtype, Shape shape, Layout layout) {
  Node* node = new (take_block(&Pools::nodes)) Node;
  node->op = Op::leaf;
  node->dtype = dtype;
  node->shape = std::move(shape);
  node->value = new_value();
  node->value->layout = std::move(layout);
  node->state.store(NodeState::done, std::memory_order_release);
  return node;
}

Node* make_constant(Dtype dtype, int64_t bits) {
  Node* node = new (take_block(&Pools::nodes)) Node;
  node->op = Op::constant;
  node->dtype = dtype;
  node->params.push_back(bits);
  node->state.store(NodeState::done, std::memory_order_release);
  return node;
}

void release(Node* node) noexcept {
  if (node->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  Node* pending = nullptr;
  auto drop = [&pending](Node* dead) {
    if (dead->value) delete_value(dead->value);
    dead->next_to_free = pending;
    pending = dead;
  };
  drop(node);
  while (pending) {
    Node* dead = pending;
    pending = dead->next_to_free;
    for (Node* input : dead->inputs) {
      if (input->references.fetch_sub(1, std::memory_order_acq_rel) == 1) drop(input);
    }
    free_node(dead);
  }
}

Value* new_value() { return new (take_block(&Pools::values)) Value; }

void delete_value(Value* value) noexcept {
  value->~Value();
  give_block(&Pools::values, value);
}

bool tracing() { return tracing_depth > 0; }
TracingScope::TracingScope() { ++tracing_depth; }
TracingScope::~TracingScope() { --tracing_depth; }

}  // namespace lazuli
