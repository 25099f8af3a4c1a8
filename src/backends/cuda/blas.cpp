// Matrices are row-major here and column-major there: the product of the transposed operands in
// reverse order is computed, so that the output is the transposed output. Descriptors and an
// algorithm are kept for each problem: the one that the heuristics put first, or, where a large
// product comes again and again, the fastest of those that they name. Declarations follow the
// cuBLAS documentation, version 13.1.
#include "backends/cuda/blas.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "backends/cuda/kernel.h"
#include "backends/cuda/library.h"
#include "base/hash.h"
#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

extern "C" {
typedef struct cublasLtContext* LtHandle;
typedef struct {
  uint64_t data[8];
} LtAlgorithm;
typedef struct {
  LtAlgorithm algorithm;
  size_t workspace_bytes;
  int state;
  float waves;
  int reserved[4];
} LtHeuristic;
}

constexpr int layout_batch_count = 5, layout_batch_stride = 6;
constexpr int product_transpose_a = 3, product_transpose_b = 4;
constexpr int preference_workspace = 1, preference_alignment_a = 5;
constexpr size_t workspace_bytes_max = size_t{64} << 20;
constexpr uint32_t alignment_max = 16;
constexpr size_t plans_max = 4096;
// A problem of so many operations, used so often, is worth a few runs of several algorithms (one of
// each for many operations): they cost a fraction of what it has cost already.
constexpr int uses_before_timing = 128;
constexpr int candidates_max = 8, timed_runs = 4;
constexpr double timed_operations_min = 2e10, many_operations = 1e12;
// By how much an algorithm must be faster than those that the heuristics put before it; how much
// slower than the fastest it may be in one run to be tried again.
constexpr float worthwhile = 0.98f, hopeless = 1.25f;

struct Lt {
  int (*cublasLtCreate)(LtHandle*);
  int (*cublasLtMatrixLayoutCreate)(void**, int type, uint64_t rows, uint64_t columns, int64_t ld);
  int (*cublasLtMatrixLayoutDestroy)(void*);
  int (*cublasLtMatrixLayoutSetAttribute)(void*, int attribute, const void*, size_t);
  int (*cublasLtMatmulDescCreate)(void**, int compute_type, int scale_type);
  int (*cublasLtMatmulDescDestroy)(void*);
  int (*cublasLtMatmulDescSetAttribute)(void*, int attribute, const void*, size_t);
  int (*cublasLtMatmulPreferenceCreate)(void**);
  int (*cublasLtMatmulPreferenceDestroy)(void*);
  int (*cublasLtMatmulPreferenceSetAttribute)(void*, int attribute, const void*, size_t);
  int (*cublasLtMatmulAlgoGetHeuristic)(LtHandle, void* product, void* a, void* b, void* c, void* d,
                                        void* preference, int wanted, LtHeuristic*, int* found);
  int (*cublasLtMatmul)(LtHandle, void* product, const void* alpha, const void* a, void* a_layout,
                        const void* b, void* b_layout, const void* beta, const void* c,
                        void* c_layout, void* d, void* d_layout, const LtAlgorithm*,
                        void* workspace, size_t workspace_bytes, CUstream);
  bool found = true;
  LtHandle handle = nullptr;
};

const Lt& lt() {
  static const Lt* once = [] {
    gpu();
    auto* made = new Lt{};
    std::string tried;
    void* library = open_library("libcublasLt.so.13", tried);
    auto find = [&](auto& function, const char* name) {
      function =
          library ? reinterpret_cast<std::decay_t<decltype(function)>>(find_symbol(library, name))
                  : nullptr;
      if (!function) made->found = false;
    };
#define FIND(name) find(made->name, #name)
    FIND(cublasLtCreate);
    FIND(cublasLtMatrixLayoutCreate);
    FIND(cublasLtMatrixLayoutDestroy);
    FIND(cublasLtMatrixLayoutSetAttribute);
    FIND(cublasLtMatmulDescCreate);
    FIND(cublasLtMatmulDescDestroy);
    FIND(cublasLtMatmulDescSetAttribute);
    FIND(cublasLtMatmulPreferenceCreate);
    FIND(cublasLtMatmulPreferenceDestroy);
    FIND(cublasLtMatmulPreferenceSetAttribute);
    FIND(cublasLtMatmulAlgoGetHeuristic);
    FIND(cublasLtMatmul);
#undef FIND
    if (made->found && made->cublasLtCreate(&made->handle) != 0) made->found = false;
    return made;
  }();
  return *once;
}

void check_lt(int status, const char* call) {
  if (status == 0) return;
  throw DeviceError("[matmul] " + std::string(call) + " reports status " + std::to_string(status) +
                    ".");
}
#define LAZULI_LT(name, ...) check_lt(lt().name(__VA_ARGS__), #name)

struct Types {
  int data, scale, compute;
};
Types types_of(Dtype::Val dtype) {
  constexpr int f32 = 0, f64 = 1, f16 = 2, c32 = 4, bf16 = 14;
  constexpr int compute_f32 = 68, compute_f64 = 70;
  switch (dtype) {
    case Dtype::Val::float16: return {f16, f32, compute_f32};
    case Dtype::Val::bfloat16: return {bf16, f32, compute_f32};
    case Dtype::Val::float32: return {f32, f32, compute_f32};
    case Dtype::Val::float64: return {f64, f64, compute_f64};
    case Dtype::Val::complex64: return {c32, c32, compute_f32};
    default: throw TypeError("[matmul] Only inexact dtypes are multiplied.");
  }
}

// How a row-major matrix [rows, columns] reads as a column-major one [columns, rows].
struct Reading {
  bool transposed;
  int64_t stride;
};
bool find_reading(const MatrixPlace& matrix, int64_t rows, int64_t columns, Reading& reading) {
  int64_t row = matrix.row, column = matrix.column;
  if ((column == 1 || columns == 1) && (row >= columns || rows == 1)) {
    reading = {false, rows == 1 ? columns : row};
    return true;
  }
  if ((row == 1 || rows == 1) && (column >= rows || columns == 1)) {
    reading = {true, columns == 1 ? rows : column};
    return true;
  }
  return false;
}

// What an algorithm is chosen by.
using Key = std::array<uint64_t, 14>;
struct KeyHash {
  size_t operator()(const Key& key) const { return hash_words(key.data(), key.size()); }
};

uint64_t alignment_of(const void* address, int64_t row_stride, int64_t batch_stride, int64_t item) {
  uint64_t bits = reinterpret_cast<uint64_t>(address) | static_cast<uint64_t>(row_stride * item) |
                  static_cast<uint64_t>(batch_stride * item) | alignment_max;
  return bits & ~(bits - 1);
}

Key key_of(const MatrixProduct& p, const Reading& x, const Reading& y) {
  int64_t item = dtype_of(p.dtype).size(), out_item = dtype_of(p.out_dtype()).size();
  auto word = [](int64_t value) { return static_cast<uint64_t>(value); };
  return {word(static_cast<int64_t>(p.dtype)) | word(x.transposed) << 8 | word(y.transposed) << 9 |
              word(p.into_float) << 10 | word(p.added) << 11,
          word(p.m),
          word(p.n),
          word(p.k),
          word(p.batches),
          word(x.stride),
          word(y.stride),
          word(p.out_row),
          word(p.x.batch),
          word(p.y.batch),
          word(p.out_batch),
          alignment_of(p.x.data, x.stride, p.x.batch, item),
          alignment_of(p.y.data, y.stride, p.y.batch, item),
          alignment_of(p.out, p.out_row, p.out_batch, out_item)};
}

// A problem's descriptors and algorithm. a and b are the operands in cuBLASLt's order.
struct Plan {
  void *product = nullptr, *a = nullptr, *b = nullptr, *out = nullptr;
  LtHeuristic chosen{};
  bool possible = false;
  // In the heuristics' order, as long as the fastest is to be found.
  std::vector<LtHeuristic> candidates;
  int uses = 0;

  Plan() = default;
  ~Plan() {
    if (product) lt().cublasLtMatmulDescDestroy(product);
    for (void* layout : {a, b, out}) {
      if (layout) lt().cublasLtMatrixLayoutDestroy(layout);
    }
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
};

void* make_layout(int type, int64_t rows, int64_t columns, int64_t stride, int64_t batches,
                  int64_t batch_stride) {
  void* layout = nullptr;
  LAZULI_LT(cublasLtMatrixLayoutCreate, &layout, type, static_cast<uint64_t>(rows),
            static_cast<uint64_t>(columns), stride);
  if (batches > 1) {
    auto count = static_cast<int32_t>(batches);
    LAZULI_LT(cublasLtMatrixLayoutSetAttribute, layout, layout_batch_count, &count, sizeof count);
    LAZULI_LT(cublasLtMatrixLayoutSetAttribute, layout, layout_batch_stride, &batch_stride,
              sizeof batch_stride);
  }
  return layout;
}

// The heuristics' first candidate is the chosen one for now.
void find_candidates(Plan& plan, const Key& key) {
  void* preference = nullptr;
  LAZULI_LT(cublasLtMatmulPreferenceCreate, &preference);
  auto set = [&](int attribute, const void* value, size_t bytes) {
    LAZULI_LT(cublasLtMatmulPreferenceSetAttribute, preference, attribute, value, bytes);
  };
  size_t workspace = workspace_bytes_max;
  set(preference_workspace, &workspace, sizeof workspace);
  auto x = static_cast<uint32_t>(key[11]), y = static_cast<uint32_t>(key[12]),
       out = static_cast<uint32_t>(key[13]);
  const uint32_t alignments[] = {y, x, out, out};
  for (int i = 0; i < 4; ++i) set(preference_alignment_a + i, &alignments[i], sizeof(uint32_t));
  int found = 0;
  LtHeuristic candidates[candidates_max];
  int status =
      lt().cublasLtMatmulAlgoGetHeuristic(lt().handle, plan.product, plan.a, plan.b, plan.out,
                                          plan.out, preference, candidates_max, candidates, &found);
  lt().cublasLtMatmulPreferenceDestroy(preference);
  if (status != 0) return;
  for (int i = 0; i < found; ++i) {
    if (candidates[i].state == 0) plan.candidates.push_back(candidates[i]);
  }
  plan.possible = !plan.candidates.empty();
  if (plan.possible) plan.chosen = plan.candidates.front();
}

// Queues the product by an algorithm; returns cuBLASLt's status.
int multiply_by(const LtHeuristic& algorithm, const Plan& plan, const MatrixProduct& p,
                void* workspace, CUstream stream) {
  // Large enough for every scale type: double, and two floats for complex numbers.
  const double one64 = 1, added64 = p.added;
  const float one[2] = {1, 0}, added[2] = {p.added ? 1.0f : 0.0f, 0};
  bool wide = p.dtype == Dtype::Val::float64;
  const void* alpha = wide ? static_cast<const void*>(&one64) : one;
  const void* beta = wide ? static_cast<const void*>(&added64) : added;
  return lt().cublasLtMatmul(lt().handle, plan.product, alpha, p.y.data, plan.a, p.x.data, plan.b,
                             beta, p.out, plan.out, p.out, plan.out, &algorithm.algorithm,
                             workspace, algorithm.workspace_bytes, stream);
}

// Times work on a stream of the driver.
class StopWatch {
 public:
  explicit StopWatch(CUstream stream) : stream_(stream) {
    for (CUevent& event : events_) LAZULI_CUDA(cuEventCreate, &event, 0);
  }
  ~StopWatch() {
    for (CUevent event : events_) driver().cuEventDestroy(event);
  }
  StopWatch(const StopWatch&) = delete;
  StopWatch& operator=(const StopWatch&) = delete;
  // Milliseconds of `runs` calls of `queue`, each; infinity where one fails.
  template <class Queue>
  float time(int runs, Queue queue) {
    LAZULI_CUDA(cuEventRecord, events_[0], stream_);
    for (int i = 0; i < runs; ++i) {
      if (queue() != 0) return std::numeric_limits<float>::infinity();
    }
    LAZULI_CUDA(cuEventRecord, events_[1], stream_);
    LAZULI_CUDA(cuEventSynchronize, events_[1]);
    float milliseconds = 0;
    LAZULI_CUDA(cuEventElapsedTime, &milliseconds, events_[0], events_[1]);
    return milliseconds / static_cast<float>(runs);
  }

 private:
  CUstream stream_;
  CUevent events_[2] = {};
};

double operations_of(const MatrixProduct& p) {
  return 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k) *
         static_cast<double>(p.batches);
}

// Chooses the fastest candidate. The output is written over and over: not for products that are
// added to it.
void choose_fastest(Plan& plan, const MatrixProduct& p, int stream) {
  size_t bytes = 0;
  for (const LtHeuristic& one : plan.candidates) bytes = std::max(bytes, one.workspace_bytes);
  std::optional<Scratch> workspace;
  if (bytes) workspace.emplace(stream, bytes);
  CUstream queue = queue_of(stream).stream();
  StopWatch watch(queue);
  auto time = [&](const LtHeuristic& one, int runs) {
    void* memory = one.workspace_bytes ? workspace->data() : nullptr;
    return watch.time(runs, [&] { return multiply_by(one, plan, p, memory, queue); });
  };
  // The first run of an algorithm loads its kernel.
  for (const LtHeuristic& one : plan.candidates) time(one, 1);
  std::vector<float> once;
  for (const LtHeuristic& one : plan.candidates) once.push_back(time(one, 1));
  float limit = *std::min_element(once.begin(), once.end()) * hopeless;
  int runs = operations_of(p) > many_operations ? 1 : timed_runs;
  float best = std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < once.size(); ++i) {
    if (once[i] > limit) continue;
    float taken = time(plan.candidates[i], runs);
    if (taken >= best * worthwhile) continue;
    best = taken;
    plan.chosen = plan.candidates[i];
  }
}

std::shared_ptr<Plan> make_plan(const MatrixProduct& p, const Reading& x, const Reading& y,
                                const Key& key) {
  auto plan = std::make_shared<Plan>();
  Types types = types_of(p.dtype);
  LAZULI_LT(cublasLtMatmulDescCreate, &plan->product, types.compute, types.scale);
  int32_t transpose_a = y.transposed, transpose_b = x.transposed;
  LAZULI_LT(cublasLtMatmulDescSetAttribute, plan->product, product_transpose_a, &transpose_a,
            sizeof transpose_a);
  LAZULI_LT(cublasLtMatmulDescSetAttribute, plan->product, product_transpose_b, &transpose_b,
            sizeof transpose_b);
  auto layout_of = [&](const Reading& reading, int64_t rows, int64_t columns, int64_t batch) {
    return make_layout(types.data, reading.transposed ? rows : columns,
                       reading.transposed ? columns : rows, reading.stride, p.batches, batch);
  };
  plan->a = layout_of(y, p.k, p.n, p.y.batch);
  plan->b = layout_of(x, p.m, p.k, p.x.batch);
  plan->out =
      make_layout(types_of(p.out_dtype()).data, p.n, p.m, p.out_row, p.batches, p.out_batch);
  find_candidates(*plan, key);
  bool timed = plan->candidates.size() > 1 && !p.added && operations_of(p) >= timed_operations_min;
  if (!timed) plan->candidates.clear();
  return plan;
}

// A problem's plan, and the algorithm that it has now.
struct Choice {
  std::shared_ptr<const Plan> plan;
  LtHeuristic algorithm;
};

Choice choose(int stream, const MatrixProduct& p, const Reading& x, const Reading& y) {
  static std::mutex mutex;
  static auto* plans = new std::unordered_map<Key, std::shared_ptr<Plan>, KeyHash>;
  Key key = key_of(p, x, y);
  std::lock_guard lock(mutex);
  auto known = plans->find(key);
  if (known == plans->end()) {
    if (plans->size() >= plans_max) plans->clear();
    known = plans->emplace(key, make_plan(p, x, y, key)).first;
  }
  Plan& plan = *known->second;
  if (!plan.candidates.empty() && ++plan.uses > uses_before_timing) {
    choose_fastest(plan, p, stream);
    plan.candidates.clear();
  }
  return {known->second, plan.chosen};
}

}  // namespace

bool has_blas() { return lt().found; }

bool blas_reads(const MatrixPlace& matrix, int64_t rows, int64_t columns) {
  Reading reading;
  return find_reading(matrix, rows, columns, reading);
}

bool blas_multiply(int stream, const MatrixProduct& p) {
  constexpr int64_t extent_max = std::numeric_limits<int32_t>::max();
  Reading x, y;
  bool fits = has_blas() && find_reading(p.x, p.m, p.k, x) && find_reading(p.y, p.k, p.n, y) &&
              std::max({p.m, p.n, p.k, p.batches}) <= extent_max;
  if (!fits) return false;
  gpu();
  auto [plan, algorithm] = choose(stream, p, x, y);
  if (!plan->possible) return false;
  size_t bytes = algorithm.workspace_bytes;
  std::optional<Scratch> workspace;
  if (bytes) workspace.emplace(stream, bytes);
  check_lt(multiply_by(algorithm, *plan, p, workspace ? workspace->data() : nullptr,
                       queue_of(stream).stream()),
           "cublasLtMatmul");
  return true;
}

}  // namespace lazuli::cuda
