// partition, argpartition along the last axis of a dense array: the element that sorting would
// bring to position k is there, smaller ones (or equal ones) before it, others behind it, each
// part in the order of the input; NaN are the greatest.
//
// Selection of the k-th key from its highest digit of 11 bits down: a launch a digit counts, among
// the keys that agree so far, in shared memory; the row's last block finds the digit. Then one
// launch counts smaller and equal keys in each part of a row, and one moves every element to its
// place. Nothing depends on timing.
//
// Floor: one read and one write; the reads of further passes come from the cache where a row fits.
#include "block_sums.cuh"
#include "indexing.cuh"
#include "sort_keys.cuh"

constexpr int select_threads = 512, select_warps = select_threads / 32;
constexpr int select_bits = 11, select_digits = 1 << select_bits;

// What is known of a row's k-th key. Zero at first, but for `rank`.
struct Selection {
  uint64_t key;  // its digits so far, in their place
  uint64_t rank;  // how many of the keys that agree so far are before it
  uint32_t blocks_done;
};

// The digit of the k-th key: the one before whose keys, and with them, rank lies. Leaves the counts
// zero for the next launch.
__device__ __forceinline__ void choose_digit(uint64_t* counts, Selection* selection, int shift) {
  constexpr int each = select_digits / select_threads;
  uint64_t own[each], sum = 0, total;
#pragma unroll
  for (int j = 0; j < each; ++j) {
    uint64_t* count = counts + threadIdx.x * each + j;
    own[j] = load_fresh(count);
    *count = 0;
    sum += own[j];
  }
  uint64_t before = exclusive_sum<select_warps>(sum, total);
  const uint64_t rank = load_fresh(&selection->rank);
  __syncthreads();
#pragma unroll
  for (int j = 0; j < each; ++j) {
    if (before <= rank && rank < before + own[j]) {
      selection->key |= static_cast<uint64_t>(threadIdx.x * each + j) << shift;
      selection->rank = rank - before;
    }
    before += own[j];
  }
}

// One digit: `bits` of the key from `shift` up. Grid: (parts of a row, rows).
template <class T>
__global__ void __launch_bounds__(select_threads)
    select_digit(const T* x, Selection* selections, uint64_t* counts, int64_t length, int64_t part,
                 int64_t rank, int shift, int bits, bool first) {
  start_after_earlier();
  __shared__ uint32_t own[select_digits];
  Selection* selection = selections + blockIdx.y;
  counts += static_cast<int64_t>(blockIdx.y) * select_digits;
  for (int i = threadIdx.x; i < select_digits; i += select_threads) own[i] = 0;
  __syncthreads();
  const uint64_t known = first ? 0 : selection->key;
  x += static_cast<int64_t>(blockIdx.y) * length;
  const int64_t begin = blockIdx.x * part, end = begin + part < length ? begin + part : length;
  for (int64_t i = begin + threadIdx.x; i < end; i += select_threads) {
    const Key<T> key = key_of<true>(x[i]);
    const bool agrees = first || (key ^ known) >> (shift + bits) == 0;
    if (agrees) atomicAdd(own + static_cast<int>(key >> shift & ((1u << bits) - 1)), 1u);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < select_digits; i += select_threads) {
    if (own[i]) atomicAdd(counts + i, static_cast<uint64_t>(own[i]));
  }
  if (first && blockIdx.x == 0 && threadIdx.x == 0) selection->rank = static_cast<uint64_t>(rank);
  if (is_last_block(&selection->blocks_done, gridDim.x)) choose_digit(counts, selection, shift);
}

// Smaller and equal keys of each part of each row.
struct PartCounts {
  uint64_t smaller, equal;
};

template <class T>
__global__ void __launch_bounds__(select_threads)
    count_parts(const T* x, const Selection* selections, PartCounts* parts, int64_t length,
                int64_t part) {
  start_after_earlier();
  const Key<T> wanted = static_cast<Key<T>>(selections[blockIdx.y].key);
  x += static_cast<int64_t>(blockIdx.y) * length;
  const int64_t begin = blockIdx.x * part, end = begin + part < length ? begin + part : length;
  PartCounts own = {0, 0};
  for (int64_t i = begin + threadIdx.x; i < end; i += select_threads) {
    const Key<T> key = key_of<true>(x[i]);
    own.smaller += key < wanted;
    own.equal += key == wanted;
  }
  own.smaller = block_reduce<op::Sum>(own.smaller);
  own.equal = block_reduce<op::Sum>(own.equal);
  if (threadIdx.x == 0) parts[static_cast<int64_t>(blockIdx.y) * gridDim.x + blockIdx.x] = own;
}

// Moves a part's elements, or their indices, behind those of the parts before.
template <class T, bool ByIndex>
__global__ void __launch_bounds__(select_threads)
    move_parts(const T* x, typename choose<ByIndex, uint32_t, T>::type* out,
               const Selection* selections, const PartCounts* parts, int64_t length, int64_t part) {
  start_after_earlier();
  const Key<T> wanted = static_cast<Key<T>>(selections[blockIdx.y].key);
  const int64_t row = blockIdx.y;
  x += row * length;
  out += row * length;
  parts += row * gridDim.x;
  PartCounts all = {0, 0}, before = {0, 0};
  for (int k = threadIdx.x; k < gridDim.x; k += select_threads) {
    const PartCounts counts = parts[k];
    all.smaller += counts.smaller;
    all.equal += counts.equal;
    if (k < blockIdx.x) before.smaller += counts.smaller, before.equal += counts.equal;
  }
  const int64_t begin = blockIdx.x * part, end = begin + part < length ? begin + part : length;
  int64_t smaller = block_reduce<op::Sum>(before.smaller);
  int64_t equal = block_reduce<op::Sum>(before.equal);
  int64_t greater = begin - smaller - equal;
  const int64_t equal_start = block_reduce<op::Sum>(all.smaller);
  equal += equal_start;
  greater += equal_start + block_reduce<op::Sum>(all.equal);
  for (int64_t start = begin; start < end; start += select_threads) {
    const int64_t i = start + threadIdx.x;
    const bool inside = i < end;
    T value;
    if (inside) value = x[i];
    const Key<T> key = inside ? key_of<true>(value) : Key<T>(0);
    const bool is_smaller = inside && key < wanted, is_equal = inside && key == wanted;
    // Both counts in one sum: smaller ones in the low half.
    uint32_t total;
    const uint32_t own = (is_smaller ? 1u : 0u) | (is_equal ? 1u << 16 : 0u);
    const uint32_t sums = exclusive_sum<select_warps>(own, total);
    const int64_t smaller_before = sums & 0xffff, equal_before = sums >> 16;
    if (inside) {
      const int64_t to = is_smaller ? smaller + smaller_before
                         : is_equal ? equal + equal_before
                                    : greater + threadIdx.x - smaller_before - equal_before;
      if constexpr (ByIndex) out[to] = static_cast<uint32_t>(i);
      else out[to] = value;
    }
    const int64_t taken = end - start < select_threads ? end - start : select_threads;
    smaller += total & 0xffff;
    equal += total >> 16;
    greater += taken - (total & 0xffff) - (total >> 16);
  }
}
