// Attention by cuDNN: the graph of a problem and its execution.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backends/cuda/dnn/dnn.h"
#include "lazuli/dtype.h"

namespace lazuli::cuda {

// What a plan is made for. Queries [batch, heads, queries, size], keys [batch, key_heads, keys,
// size], values [batch, key_heads, keys, value_size], all of one half type, with their last axis
// together and the strides of the other axes in elements; the output [batch, heads, queries,
// value_size] is dense.
struct DnnAttention {
  Dtype::Val dtype;
  bool causal;  // the last query sees all keys
  int64_t batch, heads, key_heads, queries, keys, size, value_size;
  int64_t q_strides[3], k_strides[3], v_strides[3];
};

struct DnnAttentionData {
  const void *q, *k, *v;
  void* out;
  float scale;
};

// A plan for a problem; DeviceError where cuDNN has none. Takes 40 ms, the first ones of a process
// ten times that. One thread at a time may make or run plans.
class DnnAttentionPlan {
 public:
  explicit DnnAttentionPlan(const DnnAttention& problem);
  size_t workspace_bytes() const { return workspace_bytes_; }
  void run(const DnnAttentionData& data, void* workspace, CUstream stream) const;

 private:
  std::string try_configuration(DnnDescriptor configuration);

  int32_t keys_, queries_;
  bool causal_;
  std::vector<DnnDescriptor> parts_;  // what the plan refers to
  std::optional<DnnDescriptor> plan_;
  size_t workspace_bytes_ = 0;
};

}  // namespace lazuli::cuda
