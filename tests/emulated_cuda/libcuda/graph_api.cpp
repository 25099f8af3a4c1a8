// Graphs of kernels, one after the other: nodes keep what they were given; an executable graph
// keeps its own copies, which can be given new arguments.
#include <memory>
#include <vector>

#include "emulated_cuda/libcuda/api.h"

namespace emulated {
namespace {

// A node's handle is its place in its graph.
struct Graph {
  std::vector<std::function<int()>> nodes;
  std::vector<CUfunction> functions;
  std::vector<bool> follows;  // the node before it
};

Handles<Graph>& graphs() {
  static Handles<Graph> all;
  return all;
}
Handles<Graph>& executables() {
  static Handles<Graph> all;
  return all;
}

CUresult work_of(const CUkernelNode& kernel, std::function<int()>& run) {
  if (kernel.extra) return error_invalid_value;
  CUlaunchConfig config{
      kernel.grid_x,  kernel.grid_y,       kernel.grid_z, kernel.block_x, kernel.block_y,
      kernel.block_z, kernel.shared_bytes, nullptr,       nullptr,        0};
  return prepare(config, kernel.function, kernel.parameters, run);
}

}  // namespace

CUresult cuGraphCreate(CUgraph* graph, unsigned flags) {
  EMULATED_ENTER();
  if (flags != 0) return error_invalid_value;
  *graph = reinterpret_cast<CUgraph>(graphs().add(new Graph));
  return error_success;
}

CUresult cuGraphDestroy(CUgraph handle) {
  EMULATED_ENTER();
  Graph* graph = graphs().find(handle);
  if (!graph) return error_invalid_handle;
  graphs().remove(graph);
  delete graph;
  return error_success;
}

// Nodes are run in the order in which they were added; an executable graph has to ask for that.
CUresult cuGraphAddKernelNode_v2(CUgraphNode* node, CUgraph handle, const CUgraphNode*,
                                 size_t after_count, const CUkernelNode* kernel) {
  EMULATED_ENTER();
  Graph* graph = graphs().find(handle);
  if (!graph) return error_invalid_handle;
  if (after_count != 0) return error_not_supported;
  std::function<int()> run;
  if (CUresult wrong = work_of(*kernel, run)) return wrong;
  graph->nodes.push_back(run);
  graph->functions.push_back(kernel->function);
  graph->follows.push_back(graph->follows.empty());
  *node = reinterpret_cast<CUgraphNode>(graph->nodes.size());
  return error_success;
}

// Kernels that may start early do not: each waits for the earlier ones by itself anyway.
CUresult cuGraphAddDependencies_v2(CUgraph handle, const CUgraphNode* from, const CUgraphNode* to,
                                   const CUgraphEdge* edges, size_t count) {
  EMULATED_ENTER();
  Graph* graph = graphs().find(handle);
  if (!graph) return error_invalid_handle;
  for (size_t k = 0; k < count; ++k) {
    size_t first = reinterpret_cast<size_t>(from[k]), next = reinterpret_cast<size_t>(to[k]);
    if (first == 0 || next > graph->nodes.size()) return error_invalid_handle;
    const CUgraphEdge& edge = edges[k];
    bool whole = edge.type == 0 && edge.from_port == 0;
    bool early = edge.type == edge_early_start && edge.from_port == edge_port_early_start;
    if (next != first + 1 || edge.to_port != 0 || !(whole || early)) return error_not_supported;
    graph->follows[next - 1] = true;
  }
  return error_success;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec* executable, CUgraph handle,
                                     unsigned long long flags) {
  EMULATED_ENTER();
  Graph* graph = graphs().find(handle);
  if (!graph) return error_invalid_handle;
  if (flags != 0) return error_not_supported;
  for (bool follows : graph->follows) {
    if (!follows) return error_not_supported;
  }
  *executable = reinterpret_cast<CUgraphExec>(executables().add(new Graph(*graph)));
  return error_success;
}

CUresult cuGraphExecDestroy(CUgraphExec handle) {
  EMULATED_ENTER();
  Graph* executable = executables().find(handle);
  if (!executable) return error_invalid_handle;
  executables().remove(executable);
  delete executable;
  return error_success;
}

CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec handle, CUgraphNode node,
                                           const CUkernelNode* kernel) {
  EMULATED_ENTER();
  Graph* executable = executables().find(handle);
  if (!executable) return error_invalid_handle;
  size_t place = reinterpret_cast<size_t>(node);
  if (place == 0 || place > executable->nodes.size()) return error_invalid_handle;
  if (executable->functions[place - 1] != kernel->function) return error_not_supported;
  return work_of(*kernel, executable->nodes[place - 1]);
}

CUresult cuGraphLaunch(CUgraphExec handle, CUstream stream_handle) {
  EMULATED_ENTER();
  Graph* executable = executables().find(handle);
  Stream* stream = stream_of(stream_handle);
  if (!executable || !stream) return error_invalid_handle;
  for (const auto& node : executable->nodes) stream->submit(node);
  return error_success;
}

}  // namespace emulated
