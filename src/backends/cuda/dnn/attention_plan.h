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

// A plan for a problem. One thread at a time may make or run plans.
class DnnAttentionPlan {
 public:
  // DeviceError where cuDNN has none. Takes 40 ms, and 0.4 to 0.9 s where the process has had no
  // similar problem.
  explicit DnnAttentionPlan(const DnnAttention& problem);
  // Out of what `saved` gave for the same problem, cuDNN and GPU. Takes 1 ms.
  DnnAttentionPlan(const DnnAttention& problem, const std::string& saved);
  std::string saved() const;
  size_t workspace_bytes() const { return workspace_bytes_; }
  void run(const DnnAttentionData& data, void* workspace, CUstream stream) const;

 private:
  std::string try_configuration(DnnDescriptor configuration);
  void set_plan(DnnDescriptor plan);

  DnnAttention problem_;
  std::vector<DnnDescriptor> parts_;  // what the plan refers to
  std::optional<DnnDescriptor> plan_;
  size_t workspace_bytes_ = 0;
};

}  // namespace lazuli::cuda
