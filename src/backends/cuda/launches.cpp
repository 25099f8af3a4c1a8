#include "backends/cuda/launches.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"

namespace lazuli::cuda {
namespace {

constexpr uint32_t alignment = 16;

}  // namespace

Launches::Graph::~Graph() {
  if (executable) driver().cuGraphExecDestroy(executable);
  if (graph) driver().cuGraphDestroy(graph);
}

void Launches::add(CUfunction function, const LaunchShape& shape, void* const* arguments,
                   std::span<const uint32_t> sizes) {
  added_.fetch_add(1, std::memory_order_relaxed);
  launches_.push_back({function, shape, static_cast<uint32_t>(arguments_.size()),
                       static_cast<uint32_t>(sizes.size())});
  for (size_t k = 0; k < sizes.size(); ++k) {
    auto start = static_cast<uint32_t>((bytes_.size() + alignment - 1) / alignment * alignment);
    bytes_.resize(start + sizes[k]);
    std::memcpy(bytes_.data() + start, arguments[k], sizes[k]);
    arguments_.push_back({start, sizes[k]});
  }
}

bool Launches::replace_last(CUfunction function, CUfunction by, const LaunchShape& shape,
                            void* const* arguments, std::span<const uint32_t> sizes) {
  if (launches_.empty() || launches_.back().function != function) return false;
  const Launch& last = launches_.back();
  if (last.argument_count > 0) bytes_.resize(arguments_[last.argument].start);
  arguments_.resize(last.argument);
  launches_.pop_back();
  added_.fetch_sub(1, std::memory_order_relaxed);
  add(by, shape, arguments, sizes);
  return true;
}

void Launches::submit(CUstream stream) {
  if (launches_.empty()) {
    part_ = 0;
    return;
  }
  struct Clear {
    Launches& of;
    ~Clear() {
      of.part_ = of.is_full() ? of.part_ + 1 : 0;
      of.launches_.clear();
      of.arguments_.clear();
      of.bytes_.clear();
    }
  } clear{*this};
  if (launches_.size() < graph_count_min) return submit_one_by_one(stream);
  Graph& graph = graph_of_sequence();
  if (++graph.uses <= uses_before_graph) return submit_one_by_one(stream);
  if (graph.executable) update(graph);
  else build(graph);
  LAZULI_CUDA(cuGraphLaunch, graph.executable, stream);
}

void Launches::submit_one_by_one(CUstream stream) {
  for (const Launch& launch : launches_) {
    const LaunchShape& s = launch.shape;
    CUlaunchAttribute early{launch_attribute_early_start, {}, {}};
    early.value.flag = 1;
    CUlaunchConfig config{s.grid.x,  s.grid.y,       s.grid.z, s.block.x, s.block.y,
                          s.block.z, s.shared_bytes, stream,   &early,    overlap_ ? 1u : 0u};
    LAZULI_CUDA(cuLaunchKernelEx, &config, launch.function, addresses(launch), nullptr);
  }
}

// The graph of these functions in this order, at this place in a long row of launches: the layers
// of a model are alike, and each gets the graphs that its own weights are in. An empty one at the
// first sight of them.
Launches::Graph& Launches::graph_of_sequence() {
  std::vector<uint64_t> words;
  words.reserve(launches_.size() + 1);
  words.push_back(part_);
  for (const Launch& launch : launches_) {
    words.push_back(reinterpret_cast<uint64_t>(launch.function));
  }
  std::unique_ptr<Graph>& graph = graphs_[hash_words(words.data(), words.size())];
  if (!graph || !same_functions(*graph)) {
    graph = std::make_unique<Graph>();
    for (const Launch& launch : launches_) graph->functions.push_back(launch.function);
  }
  Graph& found = *graph;
  found.last_use = ++clock_;
  if (graphs_.size() > graphs_max) drop_oldest();
  return found;
}

bool Launches::same_functions(const Graph& graph) const {
  return std::equal(launches_.begin(), launches_.end(), graph.functions.begin(),
                    graph.functions.end(),
                    [](const Launch& launch, CUfunction f) { return launch.function == f; });
}

void Launches::drop_oldest() {
  auto oldest = std::min_element(graphs_.begin(), graphs_.end(), [](const auto& a, const auto& b) {
    return a.second->last_use < b.second->last_use;
  });
  graphs_.erase(oldest);
}

// One after the other, as a stream would run them. A kernel that waits for earlier ones by itself
// is started before they have ended.
void Launches::build(Graph& graph) {
  CUgraphEdge edge{};
  if (overlap_) edge = {edge_port_early_start, 0, edge_early_start, {}};
  LAZULI_CUDA(cuGraphCreate, &graph.graph, 0);
  for (const Launch& launch : launches_) {
    CUkernelNode kernel = node_of(launch);
    CUgraphNode node = nullptr;
    LAZULI_CUDA(cuGraphAddKernelNode, &node, graph.graph, nullptr, 0, &kernel);
    if (!graph.nodes.empty()) {
      LAZULI_CUDA(cuGraphAddDependencies, graph.graph, &graph.nodes.back(), &node, &edge, 1);
    }
    graph.nodes.push_back(node);
  }
  LAZULI_CUDA(cuGraphInstantiate, &graph.executable, graph.graph, 0);
  graph.launches = launches_;
  graph.arguments = arguments_;
  graph.bytes = bytes_;
}

void Launches::update(Graph& graph) {
  for (size_t k = 0; k < launches_.size(); ++k) {
    if (unchanged(graph, k)) continue;
    CUkernelNode kernel = node_of(launches_[k]);
    LAZULI_CUDA(cuGraphExecKernelNodeSetParams, graph.executable, graph.nodes[k], &kernel);
  }
  graph.launches = launches_;
  graph.arguments = arguments_;
  graph.bytes = bytes_;
}

// The sizes of arguments are those of the function.
bool Launches::unchanged(const Graph& graph, size_t k) const {
  const Launch &now = launches_[k], &before = graph.launches[k];
  if (!(now.shape == before.shape)) return false;
  for (uint32_t a = 0; a < now.argument_count; ++a) {
    const Argument &x = arguments_[now.argument + a], &y = graph.arguments[before.argument + a];
    if (std::memcmp(bytes_.data() + x.start, graph.bytes.data() + y.start, x.bytes) != 0) {
      return false;
    }
  }
  return true;
}

CUkernelNode Launches::node_of(const Launch& launch) {
  const LaunchShape& s = launch.shape;
  return {launch.function, s.grid.x,       s.grid.y,          s.grid.z, s.block.x, s.block.y,
          s.block.z,       s.shared_bytes, addresses(launch), nullptr,  nullptr,   nullptr};
}

void** Launches::addresses(const Launch& launch) {
  addresses_.clear();
  for (uint32_t a = 0; a < launch.argument_count; ++a) {
    addresses_.push_back(bytes_.data() + arguments_[launch.argument + a].start);
  }
  addresses_.push_back(nullptr);
  return addresses_.data();
}

}  // namespace lazuli::cuda
