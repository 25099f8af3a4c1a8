#include "backends/fake/fake_backend.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

namespace lazuli {
namespace {

// Layouts whose host address is the device's, so that the host's kernels work on its memory.
class Aliases {
 public:
  const Layout* of(const Layout* layout) {
    if (!layout) return nullptr;
    Buffer* alias = alias_of(layout->buffer);
    retain(alias);
    layouts_.emplace_back(alias, layout->offset, layout->strides, layout->dense);
    return &layouts_.back();
  }

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
};

class FakeBackend : public Backend {
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
    std::memset(block, 0x5a, bytes);
    std::free(block);
  }
  void upload(void* device, const void* host, size_t bytes) override {
    std::memcpy(device, host, bytes);
  }
  void download(void* host, const void* device, size_t bytes) override {
    std::memcpy(host, device, bytes);
  }

  bool has_kernel(Op op) const override { return host_.has_kernel(op); }
  void run_kernel(const KernelCall& call) override {
    Aliases aliases;
    std::vector<Operand> inputs(call.inputs.begin(), call.inputs.end());
    for (Operand& input : inputs) input.layout = aliases.of(input.layout);
    Operand output = call.output;
    output.layout = aliases.of(output.layout);
    host_.run_kernel({call.node, inputs, output});
  }

  std::unique_ptr<CompiledStep> compile(const FusedStep& step) override {
    return host_.compile(step);
  }
  void run_fused(const FusedStep& step, const CompiledStep& compiled,
                 const FusedBinding& binding) override {
    Aliases aliases;
    std::vector<const Layout*> values;
    for (const Layout* layout : binding.value) values.push_back(aliases.of(layout));
    host_.run_fused(step, compiled, {binding.graph, values});
  }
  bool may_take_over(const CompiledStep& compiled, uint16_t in, uint16_t out) const override {
    return host_.may_take_over(compiled, in, out);
  }

 private:
  Backend& host_;
};

}  // namespace

Backend& fake_backend(Backend& host) {
  static Backend* backend = new FakeBackend(host);
  return *backend;
}

}  // namespace lazuli
