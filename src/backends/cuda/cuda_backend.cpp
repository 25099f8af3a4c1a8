#include "backends/cuda/cuda_backend.h"

#include <algorithm>
#include <deque>

#include "backends/cuda/fused/fused.h"
#include "backends/cuda/kernel.h"
#include "backends/cuda/kernel_table.h"
#include "backends/cuda/peak.h"
#include "backends/cuda/profiler_ranges.h"
#include "backends/cuda/programs/nvrtc.h"
#include "backends/cuda/staging.h"
#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

constexpr int dlpack_cuda = 2;  // kDLCUDA

class CudaBackend : public Backend {
 public:
  CudaBackend() : Backend(Device(Device::gpu), false) {}

  std::string name() const override { return gpu().name; }
  std::string architecture() const override { return gpu().architecture; }
  size_t memory_bytes() const override { return gpu().memory_bytes; }

  void* allocate(size_t bytes) override {
    gpu();
    CUdeviceptr address = 0;
    CUresult result = driver().cuMemAlloc(&address, bytes);
    if (result == cuda_error_out_of_memory) return nullptr;
    check(result, "cuMemAlloc");
    return reinterpret_cast<void*>(address);
  }
  // Work that has been queued may still use the block, also launches that are kept back.
  void free(void* block, size_t) noexcept override {
    driver().cuCtxSetCurrent(gpu().context);
    for (int stream = 0; stream < streams_max; ++stream) {
      if (Queue* queue = existing_queue(stream)) queue->submit_quietly();
    }
    driver().cuCtxSynchronize();
    driver().cuMemFree(reinterpret_cast<CUdeviceptr>(block));
  }

  int upload_stream(int stream, size_t bytes) const override {
    return bytes <= small_copy_bytes ? stream : upload_stream_index;
  }
  void upload(void* device, const void* host, size_t bytes, int stream) override {
    gpu();
    copy_to_gpu(queue_of(stream), device, host, bytes);
    end_in_zeros(static_cast<char*>(device), bytes, stream);
  }
  void download(void* host, const void* device, size_t bytes, Work work) override {
    gpu();
    wait_on_host(work);
    copy_to_host(copy_queue(bytes), host, device, bytes);
  }

  uint64_t open_ticket(int stream) const override { return queue_of(stream).ticket(); }
  void seal(int stream) override {
    gpu();
    queue_of(stream).seal();
  }
  bool is_done(Work work) override {
    if (work.is_none()) return true;
    gpu();
    return !work.is_of_many() && queue_of(work.stream()).is_done(work.ticket());
  }
  void wait_on_host(Work work) override {
    gpu();
    each_queue(work, [](Queue& queue, uint64_t ticket) { queue.wait_on_host(ticket); });
  }
  void wait_on_stream(int stream, Work work) override {
    gpu();
    Queue& waiting = queue_of(stream);
    each_queue(work, [&](Queue& queue, uint64_t ticket) {
      if (&queue != &waiting) waiting.wait_for(queue, ticket);
    });
  }

  int dlpack_type() const override { return dlpack_cuda; }
  uintptr_t native_stream(int stream) override {
    gpu();
    return reinterpret_cast<uintptr_t>(queue_of(stream).stream());
  }
  void order_native_after(uintptr_t native, Work work) override {
    gpu();
    each_queue(work, [&](Queue& queue, uint64_t ticket) {
      queue.order_native_after(reinterpret_cast<CUstream>(native), ticket);
    });
  }
  void wait_on_native(int stream, uintptr_t native) override {
    gpu();
    queue_of(stream).wait_for_native(reinterpret_cast<CUstream>(native));
  }
  void settle(Work work) noexcept override {
    driver().cuCtxSetCurrent(gpu().context);
    each_queue(work, [](Queue& queue, uint64_t ticket) { queue.settle(ticket); });
  }

  void start_timing(int stream) override {
    gpu();
    queue_of(stream).start_timing();
  }
  double stop_timing(int stream) override { return queue_of(stream).stop_timing(); }

  Peak peak(bool products, Dtype::Val dtype) override {
    return {gpu().memory_bytes_per_second, peak_flops(gpu(), products, dtype)};
  }
  void push_range(const std::string& name) override { cuda::push_range(name); }
  void pop_range() override { cuda::pop_range(); }

  bool has_kernel(Op op) const override { return find_kernel(op) != nullptr; }
  void run_kernel(const KernelCall& call) override {
    KernelFunction kernel = find_kernel(call.node->op);
    if (!kernel) {
      throw RuntimeError("[" + std::string(op_info(call.node->op).name) +
                         "] The GPU has no kernel.");
    }
    if (call.output.size() == 0) return;
    gpu();
    auto is_constant = [](const Operand& input) { return input.constant; };
    if (takes_constants(call.node->op) ||
        std::none_of(call.inputs.begin(), call.inputs.end(), is_constant)) {
      return kernel(call);
    }
    Constants constants(call);
    kernel({call.stream, call.node, constants.inputs(), call.output});
  }

  std::unique_ptr<CompiledStep> compile(const FusedStep& step) override {
    return compile_fused(step);
  }
  void run_fused(const FusedStep& step, const CompiledStep& compiled,
                 const FusedBinding& binding) override {
    gpu();
    cuda::run_fused(step, compiled, binding);
  }
  bool may_take_over(const CompiledStep& compiled, uint16_t in, uint16_t out) const override {
    return cuda::may_take_over(compiled, in, out);
  }

 private:
  // The inputs of a call with its constants on the GPU too.
  class Constants {
   public:
    explicit Constants(const KernelCall& call) : inputs_(call.inputs.begin(), call.inputs.end()) {
      for (Operand& input : inputs_) {
        if (!input.constant) continue;
        scratch_.emplace_back(call.stream, sizeof(int64_t));
        Layout& place = layouts_.emplace_back();
        place.buffer = scratch_.back().buffer();
        retain(place.buffer);
        copy_to_gpu(queue_of(call.stream), place.buffer->device, input.data(), sizeof(int64_t));
        input.layout = &place;
      }
    }
    std::span<const Operand> inputs() const { return inputs_; }

   private:
    std::vector<Operand> inputs_;
    std::deque<Scratch> scratch_;
    std::deque<Layout> layouts_;
  };

  // Kernels read rows of bytes in units of 16 and ignore what lies behind a matrix: it is zero, so
  // that initcheck has nothing to say. Blocks are multiples of 64 bytes.
  static void end_in_zeros(char* device, size_t bytes, int stream) {
    size_t behind = (16 - bytes % 16) % 16;
    if (bytes < 64 || behind == 0) return;
    LAZULI_CUDA(cuMemsetD8Async, reinterpret_cast<CUdeviceptr>(device + bytes), 0, behind,
                queue_of(stream).stream());
  }

  // Downloads have queues of their own: they do not wait for work queued after what they fetch, and
  // small ones not for large ones.
  static Queue& copy_queue(size_t bytes) {
    static Queue *small = new Queue, *large = new Queue;
    return bytes <= small_copy_bytes ? *small : *large;
  }

  template <class F>
  static void each_queue(Work work, F f) {
    if (work.is_none()) return;
    if (!work.is_of_many()) return f(queue_of(work.stream()), work.ticket());
    for (int stream = 0; stream < streams_max; ++stream) {
      if (Queue* queue = existing_queue(stream)) f(*queue, queue->ticket());
    }
  }
};

}  // namespace
}  // namespace lazuli::cuda

namespace lazuli {

Backend* cuda_backend(std::string& missing) {
  if (!cuda::find_driver()) {
    missing = cuda::missing_driver();
    return nullptr;
  }
  missing = cuda::missing_compiler();
  if (!missing.empty()) return nullptr;
  static Backend* backend = new cuda::CudaBackend;
  return backend;
}

}  // namespace lazuli
