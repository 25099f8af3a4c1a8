// Launches on their way to the driver. They are kept until somebody needs them to be submitted, or
// there are many; a sequence of functions that has been seen before goes as one graph, whose
// nodes are given the arguments that have changed. A node of a graph costs the host and the GPU a
// fraction of a launch.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "backends/cuda/driver.h"

namespace lazuli::cuda {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  bool operator==(const Dim3&) const = default;
};

struct LaunchShape {
  Dim3 grid, block;
  unsigned shared_bytes = 0;  // of dynamic shared memory
  bool operator==(const LaunchShape&) const = default;
};

class Launches {
 public:
  // `overlap`: whether a kernel may start before the one before it has ended (device/overlap.cuh).
  explicit Launches(bool overlap) : overlap_(overlap) {}

  // Whether they should be submitted. The first graph of many is short, so that the GPU starts
  // early; later ones are longer: between two graphs no kernels overlap.
  bool is_full() const { return launches_.size() >= (part_ == 0 ? 48 : 144); }

  void add(CUfunction function, const LaunchShape& shape, void* const* arguments,
           std::span<const uint32_t> sizes);
  // Gives `change(shape, argument_at)` the last launch, if it is of this function, to be changed.
  template <class Change>
  bool extend_last(CUfunction function, Change change) {
    if (launches_.empty() || launches_.back().function != function) return false;
    Launch& last = launches_.back();
    return change(last.shape, [&](size_t k) -> void* {
      return bytes_.data() + arguments_[last.argument + k].start;
    });
  }
  // Puts another launch in the place of the last one, if that is of `function`.
  bool replace_last(CUfunction function, CUfunction by, const LaunchShape& shape,
                    void* const* arguments, std::span<const uint32_t> sizes);
  size_t count() const { return launches_.size(); }
  // Known without the lock under which launches are added.
  uint64_t added() const { return added_.load(std::memory_order_relaxed); }
  void submit(CUstream stream);

 private:
  static constexpr size_t graph_count_min = 4;  // launches in a graph, at least
  static constexpr size_t graphs_max = 512;
  static constexpr int uses_before_graph = 2;

  struct Launch {
    CUfunction function;
    LaunchShape shape;
    uint32_t argument;  // the first one, among all
    uint32_t argument_count;
  };
  struct Argument {
    uint32_t start, bytes;  // in `bytes_`
  };
  // What the nodes of a graph were given last.
  struct Graph {
    std::vector<CUfunction> functions;
    int uses = 0;
    uint64_t last_use = 0;
    CUgraphExec executable = nullptr;
    CUgraph graph = nullptr;  // the nodes' handles are its
    std::vector<CUgraphNode> nodes;
    std::vector<Launch> launches;
    std::vector<Argument> arguments;
    std::vector<char> bytes;
    ~Graph();
  };

  void submit_one_by_one(CUstream stream);
  Graph& graph_of_sequence();
  bool same_functions(const Graph& graph) const;
  void build(Graph& graph);
  void update(Graph& graph);
  bool unchanged(const Graph& graph, size_t k) const;
  CUkernelNode node_of(const Launch& launch);
  void** addresses(const Launch& launch);
  void drop_oldest();

  bool overlap_;
  std::atomic<uint64_t> added_{0};
  uint64_t part_ = 0;  // how many full graphs' worth of launches were submitted just before
  std::vector<Launch> launches_;
  std::vector<Argument> arguments_;
  std::vector<char> bytes_;
  std::vector<void*> addresses_;
  std::unordered_map<uint64_t, std::unique_ptr<Graph>> graphs_;
  uint64_t clock_ = 0;
};

}  // namespace lazuli::cuda
