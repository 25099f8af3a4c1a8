// cuDNN has flash attention kernels for a graph that spells attention out:
//   scores = scale * q k^T, where a query sees a key, and lowest elsewhere
//   weights = exp(scores - max) / sum, of which it also wants log(sum) + max
//   out = weights v
// Whatever lies between the inputs and the output is virtual: it has a shape and is never stored.
#include "backends/cuda/dnn/attention_plan.h"

#include <array>
#include <limits>
#include <optional>

#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

namespace attribute {
constexpr int pointwise_mode = 0, pointwise_computes = 1, pointwise_axis = 9;
constexpr int heuristics_mode = 200, heuristics_graph = 201, heuristics_results = 202;
constexpr int plan_handle = 400, plan_configuration = 401, plan_workspace_bytes = 402,
              plan_text = 405;
constexpr int pointwise_how = 750, pointwise_x = 751, pointwise_b = 752, pointwise_y = 753,
              pointwise_condition = 758;
constexpr int graph_handle = 800, graph_operations = 801;
constexpr int tensor_alignment = 900, tensor_data_type = 901, tensor_extents = 902,
              tensor_strides = 903, tensor_id = 906, tensor_is_virtual = 907,
              tensor_is_by_value = 908;
constexpr int arguments_ids = 1000, arguments_places = 1001, arguments_workspace = 1003;
constexpr int product_computes = 1500, product_a = 1520, product_b = 1521, product_out = 1522,
              product_how = 1523;
constexpr int reduction_operator = 1600, reduction_computes = 1601, reduction_x = 1610,
              reduction_y = 1611, reduction_how = 1612;
}  // namespace attribute
namespace type {
constexpr int float32 = 0, float16 = 2, int32 = 4, bfloat16 = 9, boolean = 11;
}
namespace mode {
constexpr int add = 0, multiply = 1, divide = 6, subtract = 9, exp = 13, log = 15,
              greater_equal = 303, index = 501, select = 601;
}
constexpr int reduce_add = 0, reduce_max = 3;
constexpr int heuristics_a = 3;
constexpr int64_t alignment = 16;
constexpr size_t configurations_max = 4;

// The tensors that a run binds.
enum Bound : int64_t {
  bound_q = 1,
  bound_k,
  bound_v,
  bound_out,
  bound_scale,
  bound_lowest,
  bound_keys,
  bound_queries,
  first_virtual
};

using Extents = std::array<int64_t, 4>;

Extents dense_strides(const Extents& extents) {
  return {extents[1] * extents[2] * extents[3], extents[2] * extents[3], extents[3], 1};
}

using Tensor = size_t;  // among a graph's parts

// What an elementwise operation has besides its first operand.
struct Others {
  std::optional<Tensor> b = {}, condition = {};
  std::optional<int64_t> axis = {};
};

class Graph {
 public:
  explicit Graph(std::vector<DnnDescriptor>& parts) : parts_(parts) {}

  Tensor bound(int64_t id, int data_type, const Extents& extents, const Extents& strides) {
    return tensor(id, data_type, extents, strides, false, false);
  }
  // A single value that a run reads on the host.
  Tensor value(int64_t id, int data_type) {
    return tensor(id, data_type, {1, 1, 1, 1}, {1, 1, 1, 1}, false, true);
  }

  Tensor product(Tensor a, Tensor b, Tensor out) {
    DnnDescriptor how(DnnKind::product);
    how.set(attribute::product_computes, DnnType::data_type, type::float32);
    how.finalize();
    DnnDescriptor operation(DnnKind::product_operation);
    operation.set(attribute::product_a, parts_[a]);
    operation.set(attribute::product_b, parts_[b]);
    operation.set(attribute::product_out, parts_[out]);
    operation.set(attribute::product_how, how);
    add(std::move(how), std::move(operation));
    return out;
  }
  Tensor product(Tensor a, Tensor b, const Extents& extents) {
    return product(a, b, made(type::float32, extents));
  }

  Tensor pointwise(int what, int data_type, const Extents& extents, Tensor x,
                   const Others& others = {}) {
    Tensor out = made(data_type, extents);
    DnnDescriptor how(DnnKind::pointwise);
    how.set(attribute::pointwise_mode, DnnType::pointwise_mode, what);
    how.set(attribute::pointwise_computes, DnnType::data_type, type::float32);
    if (others.axis) how.set(attribute::pointwise_axis, *others.axis);
    how.finalize();
    DnnDescriptor operation(DnnKind::pointwise_operation);
    operation.set(attribute::pointwise_how, how);
    operation.set(attribute::pointwise_x, parts_[x]);
    if (others.b) operation.set(attribute::pointwise_b, parts_[*others.b]);
    operation.set(attribute::pointwise_y, parts_[out]);
    if (others.condition) operation.set(attribute::pointwise_condition, parts_[*others.condition]);
    add(std::move(how), std::move(operation));
    return out;
  }

  Tensor reduction(int what, const Extents& extents, Tensor x) {
    Tensor out = made(type::float32, extents);
    DnnDescriptor how(DnnKind::reduction);
    how.set(attribute::reduction_operator, DnnType::reduction_operator, what);
    how.set(attribute::reduction_computes, DnnType::data_type, type::float32);
    how.finalize();
    DnnDescriptor operation(DnnKind::reduction_operation);
    operation.set(attribute::reduction_x, parts_[x]);
    operation.set(attribute::reduction_y, parts_[out]);
    operation.set(attribute::reduction_how, how);
    add(std::move(how), std::move(operation));
    return out;
  }

  DnnDescriptor finish() {
    DnnDescriptor graph(DnnKind::graph);
    graph.set(attribute::graph_handle, DnnType::handle, &find_dnn()->handle, 1);
    graph.set(attribute::graph_operations, DnnType::descriptor, operations_.data(),
              operations_.size());
    graph.finalize();
    return graph;
  }

 private:
  Tensor made(int data_type, const Extents& extents) {
    return tensor(next_++, data_type, extents, dense_strides(extents), true, false);
  }
  Tensor tensor(int64_t id, int data_type, const Extents& extents, const Extents& strides,
                bool is_virtual, bool by_value) {
    DnnDescriptor made(DnnKind::tensor);
    made.set(attribute::tensor_alignment, alignment);
    made.set(attribute::tensor_data_type, DnnType::data_type, data_type);
    made.set(attribute::tensor_extents, extents);
    made.set(attribute::tensor_strides, strides);
    made.set(attribute::tensor_id, id);
    made.set(attribute::tensor_is_virtual, is_virtual);
    made.set(attribute::tensor_is_by_value, by_value);
    made.finalize();
    parts_.push_back(std::move(made));
    return parts_.size() - 1;
  }
  void add(DnnDescriptor how, DnnDescriptor operation) {
    operation.finalize();
    operations_.push_back(operation.raw());
    parts_.push_back(std::move(how));
    parts_.push_back(std::move(operation));
  }

  std::vector<DnnDescriptor>& parts_;
  std::vector<void*> operations_;
  int64_t next_ = first_virtual;
};

int data_type_of(Dtype::Val dtype) {
  return dtype == Dtype::Val::bfloat16 ? type::bfloat16 : type::float16;
}

// The scores that a query may see, and lowest elsewhere.
Tensor add_causal(Graph& graph, const DnnAttention& p, const Extents& extents, Tensor scores) {
  auto row = graph.pointwise(mode::index, type::int32, extents, scores, {.axis = 2});
  if (p.keys != p.queries) {
    Others keys{.b = graph.value(bound_keys, type::int32)};
    row = graph.pointwise(mode::add, type::int32, extents, row, keys);
    Others queries{.b = graph.value(bound_queries, type::int32)};
    row = graph.pointwise(mode::subtract, type::int32, extents, row, queries);
  }
  auto column = graph.pointwise(mode::index, type::int32, extents, scores, {.axis = 3});
  auto seen = graph.pointwise(mode::greater_equal, type::boolean, extents, row, {.b = column});
  Others lowest{.b = graph.value(bound_lowest, type::float32), .condition = seen};
  return graph.pointwise(mode::select, type::float32, extents, scores, lowest);
}

DnnDescriptor attention_graph(const DnnAttention& p, std::vector<DnnDescriptor>& parts) {
  Graph graph(parts);
  int half = data_type_of(p.dtype);
  auto strides = [](const int64_t (&outer)[3]) { return Extents{outer[0], outer[1], outer[2], 1}; };
  auto q = graph.bound(bound_q, half, {p.batch, p.heads, p.queries, p.size}, strides(p.q_strides));
  auto k = graph.bound(bound_k, half, {p.batch, p.key_heads, p.size, p.keys},
                       {p.k_strides[0], p.k_strides[1], 1, p.k_strides[2]});
  auto v = graph.bound(bound_v, half, {p.batch, p.key_heads, p.keys, p.value_size},
                       strides(p.v_strides));
  Extents outs{p.batch, p.heads, p.queries, p.value_size};
  auto out = graph.bound(bound_out, half, outs, dense_strides(outs));

  Extents all{p.batch, p.heads, p.queries, p.keys}, rows{p.batch, p.heads, p.queries, 1};
  auto scale = graph.value(bound_scale, type::float32);
  auto scores =
      graph.pointwise(mode::multiply, type::float32, all, graph.product(q, k, all), {.b = scale});
  if (p.causal) scores = add_causal(graph, p, all, scores);
  auto peak = graph.reduction(reduce_max, rows, scores);
  auto lowered = graph.pointwise(mode::subtract, type::float32, all, scores, {.b = peak});
  auto powers = graph.pointwise(mode::exp, type::float32, all, lowered);
  auto sum = graph.reduction(reduce_add, rows, powers);
  auto log_sum = graph.pointwise(mode::log, type::float32, rows, sum);
  graph.pointwise(mode::add, type::float32, rows, log_sum, {.b = peak});
  auto weights = graph.pointwise(mode::divide, half, all, powers, {.b = sum});
  graph.product(weights, v, out);
  return graph.finish();
}

}  // namespace

DnnAttentionPlan::DnnAttentionPlan(const DnnAttention& problem) : problem_(problem) {
  DnnDescriptor& graph = parts_.emplace_back(attention_graph(problem, parts_));
  DnnDescriptor heuristics(DnnKind::heuristics);
  heuristics.set(attribute::heuristics_mode, DnnType::heuristics_mode, heuristics_a);
  heuristics.set(attribute::heuristics_graph, graph);
  heuristics.finalize();
  std::vector<DnnDescriptor> found;
  for (size_t i = 0; i < configurations_max; ++i) found.emplace_back(DnnKind::engine_configuration);
  size_t count = heuristics.get(attribute::heuristics_results, found);
  std::string refused = "no configuration is supported";
  for (size_t i = 0; i < count && !plan_; ++i) refused = try_configuration(std::move(found[i]));
  if (!plan_) {
    throw DeviceError("[scaled_dot_product_attention] cuDNN has no plan: " + refused);
  }
}

// What is wrong with it; empty if it is the plan now.
std::string DnnAttentionPlan::try_configuration(DnnDescriptor configuration) {
  DnnDescriptor plan(DnnKind::plan);
  try {
    plan.set(attribute::plan_configuration, configuration);
    plan.finalize();
  } catch (const DeviceError& error) {
    return error.what();
  }
  parts_.push_back(std::move(configuration));
  set_plan(std::move(plan));
  return "";
}

DnnAttentionPlan::DnnAttentionPlan(const DnnAttention& problem, const std::string& saved)
    : problem_(problem) {
  DnnDescriptor plan(DnnKind::plan);
  plan.set(attribute::plan_handle, DnnType::handle, &find_dnn()->handle, 1);
  plan.set(attribute::plan_text, DnnType::text, saved.data(), saved.size());
  plan.finalize();
  set_plan(std::move(plan));
}

std::string DnnAttentionPlan::saved() const { return plan_->get_text(attribute::plan_text); }

void DnnAttentionPlan::set_plan(DnnDescriptor plan) {
  workspace_bytes_ = static_cast<size_t>(plan.get_int64(attribute::plan_workspace_bytes));
  plan_.emplace(std::move(plan));
}

void DnnAttentionPlan::run(const DnnAttentionData& data, void* workspace, CUstream stream) const {
  float scale = data.scale, lowest = std::numeric_limits<float>::lowest();
  auto keys = static_cast<int32_t>(problem_.keys), queries = static_cast<int32_t>(problem_.queries);
  std::vector<int64_t> ids = {bound_q, bound_k, bound_v, bound_out, bound_scale};
  std::vector<const void*> places = {data.q, data.k, data.v, data.out, &scale};
  auto bind = [&](int64_t id, const void* place) {
    ids.push_back(id);
    places.push_back(place);
  };
  if (problem_.causal) bind(bound_lowest, &lowest);
  if (problem_.causal && keys != queries) {
    bind(bound_keys, &keys);
    bind(bound_queries, &queries);
  }
  DnnDescriptor arguments(DnnKind::arguments);
  arguments.set(attribute::arguments_ids, ids);
  arguments.set(attribute::arguments_places, DnnType::pointer, places.data(), places.size());
  arguments.set(attribute::arguments_workspace, DnnType::pointer, &workspace, 1);
  arguments.finalize();
  const Dnn& dnn = *find_dnn();
  check_dnn(dnn.cudnnSetStream(dnn.handle, stream), "cudnnSetStream");
  check_dnn(dnn.cudnnBackendExecute(dnn.handle, plan_->raw(), arguments.raw()),
            "cudnnBackendExecute");
}

}  // namespace lazuli::cuda
