#include "backends/fake/fake_backend.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "backends/fake/fake_queue.h"

namespace lazuli {
namespace {

// A call that is made later: the device addresses of its layouts, as they are now, stand where the
// host's kernels look for them, with copies of the nodes it names.
class Later {
 public:
  ~Later() {
    layouts_.clear();
    for (Node* node : nodes_) release(node);
  }

  const Layout* alias(const Layout* layout, bool on_host = false) {
    if (!layout) return nullptr;
    if (on_host) return &layouts_.emplace_back(*layout);
    Buffer* buffer = alias_of(layout->buffer);
    retain(buffer);
    return &layouts_.emplace_back(buffer, layout->offset, layout->strides, layout->dense);
  }
  // A node with what kernels read: a reference to the original would look like a user of it.
  Node* keep(const Node* node) {
    nodes_.push_back(make_node(node->op, node->type(), node->shape, {}, same_params(node),
                               stream_at(node->stream)));
    return nodes_.back();
  }
  Shape* keep(const Shape& shape) { return &shapes_.emplace_back(shape); }

 private:
  struct Pair {
    Buffer* original;
    Buffer alias;  // its own reference keeps it here
    explicit Pair(Buffer* buffer) : original(buffer), alias(buffer->bytes) {
      alias.host = buffer->device;
      alias.capacity = buffer->device_capacity;
    }
  };

  Buffer* alias_of(Buffer* buffer) {
    for (Pair& pair : pairs_) {
      if (pair.original == buffer) return &pair.alias;
    }
    pairs_.emplace_back(buffer);
    return &pairs_.back().alias;
  }

  std::deque<Pair> pairs_;  // outlive the layouts
  std::deque<Layout> layouts_;
  std::deque<Shape> shapes_;
  std::vector<Node*> nodes_;
};

// Outlives its plan as long as work with it is queued.
struct FakeCompiled : CompiledStep {
  struct Parts {
    FusedStep step;  // with nodes of its own, numbered as in `nodes`
    std::vector<uint32_t> nodes;
    std::unique_ptr<CompiledStep> host;
  };
  std::shared_ptr<const Parts> parts;
  std::string text() const override { return parts->host->text(); }
};

class FakeBackend : public Backend {
  static constexpr int upload_stream_index = 256;  // behind the runtime's

 public:
  explicit FakeBackend(Backend& host) : Backend(Device(Device::gpu), false), host_(host) {}

  std::string name() const override { return "fake device"; }
  std::string architecture() const override { return "fake"; }
  size_t memory_bytes() const override { return host_.memory_bytes() / 2; }

  // What was never written is garbage, as on a device.
  void* allocate(size_t bytes) override {
    void* block = std::aligned_alloc(64, bytes);
    if (block) std::memset(block, 0xa5, bytes);
    return block;
  }
  void free(void* block, size_t bytes) noexcept override {
    for (auto& queue : queues_) {
      if (FakeQueue* q = queue.load()) q->wait_for_items(q->items_of(q->open_ticket()));
    }
    std::memset(block, 0x5a, bytes);
    std::free(block);
  }
  int upload_stream(int, size_t) const override { return upload_stream_index; }
  void upload(void* device, const void* host, size_t bytes, int stream) override {
    auto from = static_cast<const char*>(host);
    auto staged = std::make_shared<std::vector<char>>(from, from + bytes);
    queue(stream).submit([=] { std::memcpy(device, staged->data(), staged->size()); });
  }
  void download(void* host, const void* device, size_t bytes, Work work) override {
    wait_on_host(work);
    std::memcpy(host, device, bytes);
  }

  uint64_t open_ticket(int stream) const override { return queue(stream).open_ticket(); }
  void seal(int stream) override { queue(stream).seal(); }
  bool is_done(Work work) override {
    if (work.is_none()) return true;
    return !work.is_of_many() && queue(work.stream()).is_done(work.ticket());
  }
  void wait_on_host(Work work) override {
    each_queue(work, [](FakeQueue& q, uint64_t ticket) { q.wait(ticket); });
  }
  void wait_on_stream(int stream, Work work) override { wait_in(queue(stream), work); }

  // Its streams' handles are their queues. Those that CUDA reserves have nothing to wait for.
  int dlpack_type() const override { return dlpack_extension; }
  uintptr_t native_stream(int stream) override {
    return reinterpret_cast<uintptr_t>(&queue(stream));
  }
  void order_native_after(uintptr_t native, Work work) override {
    if (FakeQueue* waiting = queue_at(native)) wait_in(*waiting, work);
  }
  void wait_on_native(int stream, uintptr_t native) override {
    FakeQueue *other = queue_at(native), *waiting = &queue(stream);
    if (!other || other == waiting) return;
    waiting->submit(
        [=, count = other->items_of(other->open_ticket())] { other->wait_for_items(count); });
  }
  void settle(Work work) noexcept override {
    each_queue(work, [](FakeQueue& q, uint64_t ticket) { q.wait_for_items(q.items_of(ticket)); });
  }

  bool has_kernel(Op op) const override { return host_.has_kernel(op); }
  void run_kernel(const KernelCall& call) override {
    auto later = std::make_shared<Later>();
    std::vector<Operand> inputs(call.inputs.begin(), call.inputs.end());
    for (Operand& input : inputs) {
      input.layout = later->alias(input.layout, input.constant);
      input.shape = later->keep(*input.shape);
    }
    Operand output = call.output;
    output.layout = later->alias(output.layout);
    output.shape = later->keep(*output.shape);
    const Node* node = later->keep(call.node);
    queue(call.stream).submit([this, later, node, inputs = std::move(inputs), output] {
      host_.run_kernel({0, node, inputs, output});
    });
  }

  std::unique_ptr<CompiledStep> compile(const FusedStep& step) override {
    auto parts = std::make_shared<FakeCompiled::Parts>();
    parts->step = step;
    auto renumber = [&](uint32_t& node) {
      auto found = std::find(parts->nodes.begin(), parts->nodes.end(), node);
      auto number = static_cast<uint32_t>(found - parts->nodes.begin());
      if (found == parts->nodes.end()) parts->nodes.push_back(node);
      node = number;
    };
    renumber(parts->step.space);
    for (FusedValue& value : parts->step.values) {
      renumber(value.node);
      renumber(value.shape);
    }
    parts->host = host_.compile(parts->step);
    auto compiled = std::make_unique<FakeCompiled>();
    compiled->parts = std::move(parts);
    return compiled;
  }
  void run_fused(const FusedStep&, const CompiledStep& compiled,
                 const FusedBinding& binding) override {
    auto later = std::make_shared<Later>();
    std::vector<const Layout*> values;
    for (const Layout* layout : binding.value) values.push_back(later->alias(layout));
    auto graph = std::make_shared<Graph>();
    auto parts = static_cast<const FakeCompiled&>(compiled).parts;
    for (uint32_t n : parts->nodes) graph->nodes.push_back(later->keep(binding.graph->nodes[n]));
    queue(binding.stream).submit([this, parts, later, graph, values] {
      host_.run_fused(parts->step, *parts->host, {0, graph.get(), values});
    });
  }
  bool may_take_over(const CompiledStep& compiled, uint16_t in, uint16_t out) const override {
    return host_.may_take_over(*static_cast<const FakeCompiled&>(compiled).parts->host, in, out);
  }

 private:
  static constexpr int dlpack_extension = 12;  // kDLExtDev
  static constexpr uintptr_t reserved_max = 2;

  static FakeQueue* queue_at(uintptr_t native) {
    return native > reserved_max ? reinterpret_cast<FakeQueue*>(native) : nullptr;
  }
  void wait_in(FakeQueue& waiting, Work work) {
    each_queue(work, [&](FakeQueue& q, uint64_t ticket) {
      if (&q == &waiting) return;
      waiting.submit([&q, count = q.items_of(ticket)] { q.wait_for_items(count); });
    });
  }
  FakeQueue& queue(int stream) const {
    std::atomic<FakeQueue*>& place = queues_[static_cast<size_t>(stream)];
    if (FakeQueue* made = place.load()) return *made;
    std::lock_guard lock(mutex_);
    if (!place.load()) place.store(new FakeQueue);
    return *place.load();
  }
  template <class F>
  void each_queue(Work work, F f) {
    if (work.is_none()) return;
    if (!work.is_of_many()) return f(queue(work.stream()), work.ticket());
    for (auto& place : queues_) {
      if (FakeQueue* q = place.load()) f(*q, q->open_ticket());
    }
  }

  Backend& host_;
  mutable std::array<std::atomic<FakeQueue*>, upload_stream_index + 1> queues_{};
  mutable std::mutex mutex_;
};

}  // namespace

Backend& fake_backend(Backend& host) {
  static Backend* backend = new FakeBackend(host);
  return *backend;
}

}  // namespace lazuli
