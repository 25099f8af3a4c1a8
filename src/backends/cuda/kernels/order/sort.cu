// sort, argsort along the last axis of a dense array: ascending, NaN last, indices stable.
//
// Short rows: one or more rows in a block's shared memory, a bitonic network over keys, or over
// pairs of a key and an index, which makes it stable. Long rows: a radix sort from the lowest
// digit of 8 bits, one launch a digit (after Adinets and Merrill, "Onesweep", 2022): a block ranks
// its tile with warp votes, finds where its digits go by looking back over the tiles before,
// orders the tile in shared memory and writes runs. One launch before counts all digits.
//
// Floor: one read and one write for each digit, and the indices likewise.
#include "block_sums.cuh"
#include "indexing.cuh"
#include "sort_keys.cuh"

template <bool Indexed, class Bits>
__device__ __forceinline__ void order_pair(Bits* keys, uint32_t* indices, int low, int high) {
  const Bits a = keys[low], b = keys[high];
  bool swap = a > b;
  if constexpr (Indexed) {
    const uint32_t i = indices[low], j = indices[high];
    swap = swap || (a == b && i > j);
    if (swap) indices[low] = j, indices[high] = i;
  }
  if (swap) keys[low] = b, keys[high] = a;
}

// Sorts each `padded` (a power of two) neighbours among `count`.
template <bool Indexed, class Bits>
__device__ __forceinline__ void bitonic_sort(Bits* keys, uint32_t* indices, int padded, int count) {
  for (int size = 2; size <= padded; size *= 2) {
    __syncthreads();
    // Two ascending halves, the second one read backwards, are a bitonic sequence.
    for (int pair = threadIdx.x; pair < count / 2; pair += blockDim.x) {
      const int inside = pair & (size / 2 - 1), start = (pair - inside) * 2;
      order_pair<Indexed>(keys, indices, start + inside, start + size - 1 - inside);
    }
    for (int step = size / 4; step > 0; step /= 2) {
      __syncthreads();
      for (int pair = threadIdx.x; pair < count / 2; pair += blockDim.x) {
        const int inside = pair & (step - 1), low = (pair - inside) * 2 + inside;
        order_pair<Indexed>(keys, indices, low, low + step);
      }
    }
  }
  __syncthreads();
}

// A block sorts `count` / `padded` rows.
template <class T, Sorted output>
__global__ void __launch_bounds__(512)
    sort_rows(const T* x, typename SortPlan<T, output>::Result* out, int64_t rows, int length,
              int padded, int count) {
  start_after_earlier();
  typedef SortPlan<T, output> Plan;
  extern __shared__ uint64_t memory[];
  Key<T>* keys = reinterpret_cast<Key<T>*>(memory);
  uint32_t* indices = reinterpret_cast<uint32_t*>(memory + (count * sizeof(T) + 7) / 8);
  const int64_t first_row = static_cast<int64_t>(blockIdx.x) * (count / padded);
  for (int i = threadIdx.x; i < count; i += blockDim.x) {
    const int column = i & (padded - 1);
    const int64_t row = first_row + i / padded;
    const bool inside = row < rows && column < length;
    keys[i] = inside ? Plan::key(x[row * length + column]) : static_cast<Key<T>>(~Key<T>(0));
    if (Plan::indexed) indices[i] = column;
  }
  bitonic_sort<Plan::indexed>(keys, indices, padded, count);
  for (int i = threadIdx.x; i < count; i += blockDim.x) {
    const int column = i & (padded - 1);
    const int64_t row = first_row + i / padded;
    if (row >= rows || column >= length) continue;
    const uint32_t index = Plan::indexed ? indices[i] : 0;
    out[row * length + column] = Plan::result(keys[i], index, x + row * length);
  }
}

constexpr int digits = 256, radix_threads = 256, radix_warps = radix_threads / 32;
template <class T>
constexpr int radix_items = sizeof(T) == 8 ? 8 : 16;
template <class T>
constexpr int radix_tile = radix_items<T> * radix_threads;

// counts[row, pass, digit] of all digits; zero at first. Grid: (parts of a row, rows).
template <class T, Sorted output>
__global__ void __launch_bounds__(radix_threads)
    count_digits(const T* x, uint64_t* counts, int64_t length, int64_t part) {
  start_after_earlier();
  constexpr int passes = sizeof(T);
  __shared__ uint32_t own[passes * digits];
  for (int i = threadIdx.x; i < passes * digits; i += radix_threads) own[i] = 0;
  __syncthreads();
  x += static_cast<int64_t>(blockIdx.y) * length;
  const int64_t begin = blockIdx.x * part, end = begin + part < length ? begin + part : length;
  for (int64_t i = begin + threadIdx.x; i < end; i += radix_threads) {
    const Key<T> key = SortPlan<T, output>::key(x[i]);
#pragma unroll
    for (int pass = 0; pass < passes; ++pass) {
      atomicAdd(own + pass * digits + static_cast<int>(key >> pass * 8 & 255), 1u);
    }
  }
  __syncthreads();
  counts += static_cast<int64_t>(blockIdx.y) * passes * digits;
  for (int i = threadIdx.x; i < passes * digits; i += radix_threads) {
    if (own[i]) atomicAdd(counts + i, static_cast<uint64_t>(own[i]));
  }
}

// Counts become places of the first of each digit. Grid: rows * passes.
__global__ void __launch_bounds__(radix_threads) place_digits(uint64_t* counts) {
  start_after_earlier();
  counts += static_cast<int64_t>(blockIdx.x) * digits;
  counts[threadIdx.x] = exclusive_sum<radix_warps>(counts[threadIdx.x]);
}

// What a tile knows of one digit: a count in the lower bits; above, 2 * pass + 1 if it is of the
// tile alone, 2 * pass + 2 if it is of all tiles so far. Words of passes before count as empty.
constexpr int status_shift = 56;

__device__ __forceinline__ uint64_t count_before(uint64_t* status, int64_t row_tiles, int64_t tile,
                                                 uint64_t own, int pass) {
  // `status` points at this thread's digit in the first tile of the row.
  const uint64_t alone = static_cast<uint64_t>(2 * pass + 1), all = alone + 1;
  volatile uint64_t* mine = status + tile * digits;
  *mine = (tile == 0 ? all : alone) << status_shift | own;
  uint64_t before = 0;
  for (int64_t other = tile - 1; other >= 0;) {
    const uint64_t word = *static_cast<volatile uint64_t*>(status + other * digits);
    const uint64_t state = word >> status_shift;
    if (state < alone) continue;
    before += word & ((uint64_t(1) << status_shift) - 1);
    if (state == all) break;
    --other;
  }
  if (tile > 0) *mine = all << status_shift | (before + own);
  return before;
}

template <class T>
struct RadixMemory {
  Key<T> keys[radix_tile<T>];
  uint32_t indices[radix_tile<T>];
  uint32_t warp_counts[radix_warps][digits];
  int64_t places[digits];  // of a digit's first key, less its place in the tile
};

// Ranks the keys of a tile among those of the same digit in their warp, and leaves how many a warp
// has of each digit.
template <class T, int Items>
__device__ __forceinline__ void rank_keys(const Key<T> (&keys)[Items], int shift, int64_t left,
                                          uint32_t (&warp_counts)[digits],
                                          uint32_t (&ranks)[Items]) {
#pragma unroll
  for (int r = 0; r < Items; ++r) {
    const bool inside = r * 32 + lane_index() < left;
    const int digit = inside ? static_cast<int>(keys[r] >> shift & 255) : digits;
    const uint32_t same = __match_any_sync(all_lanes, digit);
    const uint32_t below = same & ((1u << lane_index()) - 1);
    if (inside) ranks[r] = warp_counts[digit] + __popc(below);
    __syncwarp();
    if (inside && below == 0) warp_counts[digit] += __popc(same);
    __syncwarp();
  }
}

// One digit of a radix sort. The first pass reads values, the last one writes results; between them
// keys and indices. Tiles are taken in order, so that those before are on their way.
template <class T, Sorted output, bool First, bool Last>
__global__ void __launch_bounds__(radix_threads)
    radix_pass(const T* x, const Key<T>* keys_in, const uint32_t* indices_in, Key<T>* keys_out,
               uint32_t* indices_out, typename SortPlan<T, output>::Result* out,
               const uint64_t* places, uint64_t* status, uint32_t* ticket, int64_t length,
               int64_t row_tiles, int pass) {
  start_after_earlier();
  typedef SortPlan<T, output> Plan;
  constexpr int items = radix_items<T>, tile_length = radix_tile<T>;
  extern __shared__ uint64_t memory[];
  RadixMemory<T>& shared = *reinterpret_cast<RadixMemory<T>*>(memory);
  __shared__ uint32_t taken;
  const int warp = threadIdx.x / 32, shift = pass * 8;
  if (threadIdx.x == 0) taken = atomicAdd(ticket, 1u);
  for (int w = 0; w < radix_warps; ++w) shared.warp_counts[w][threadIdx.x] = 0;
  __syncthreads();
  const int64_t row = taken / row_tiles, tile = taken % row_tiles, row_start = row * length;
  const int64_t warp_start = tile * tile_length + warp * items * 32;
  const int64_t left = length - warp_start;
  Key<T> keys[items];
  uint32_t indices[items], ranks[items];
#pragma unroll
  for (int r = 0; r < items; ++r) {
    const int64_t at = warp_start + r * 32 + lane_index();
    if (at >= length) continue;
    if constexpr (First) keys[r] = Plan::key(x[row_start + at]);
    else keys[r] = keys_in[row_start + at];
    if constexpr (Plan::indexed) {
      indices[r] = First ? static_cast<uint32_t>(at) : indices_in[row_start + at];
    }
  }
  rank_keys<T>(keys, shift, left, shared.warp_counts[warp], ranks);
  __syncthreads();
  // Thread d has digit d: what its warps have before each other, the tile's place in the row.
  uint32_t own = 0;
  for (int w = 0; w < radix_warps; ++w) {
    const uint32_t count = shared.warp_counts[w][threadIdx.x];
    shared.warp_counts[w][threadIdx.x] = own;
    own += count;
  }
  const uint32_t first = exclusive_sum<radix_warps>(own);
  for (int w = 0; w < radix_warps; ++w) shared.warp_counts[w][threadIdx.x] += first;
  const uint64_t before =
      count_before(status + row * row_tiles * digits + threadIdx.x, row_tiles, tile, own, pass);
  shared.places[threadIdx.x] =
      static_cast<int64_t>(places[(row * sizeof(T) + pass) * digits + threadIdx.x] + before) -
      first;
  __syncthreads();
#pragma unroll
  for (int r = 0; r < items; ++r) {
    if (r * 32 + lane_index() >= left) continue;
    const uint32_t place =
        shared.warp_counts[warp][static_cast<int>(keys[r] >> shift & 255)] + ranks[r];
    shared.keys[place] = keys[r];
    if constexpr (Plan::indexed) shared.indices[place] = indices[r];
  }
  __syncthreads();
  const int64_t tile_left = length - tile * tile_length;
  for (int i = threadIdx.x; i < tile_length && i < tile_left; i += radix_threads) {
    const Key<T> key = shared.keys[i];
    const int64_t to = row_start + shared.places[static_cast<int>(key >> shift & 255)] + i;
    const uint32_t index = Plan::indexed ? shared.indices[i] : 0;
    if constexpr (Last) {
      out[to] = Plan::result(key, index, x + row_start);
    } else {
      keys_out[to] = key;
      if constexpr (Plan::indexed) indices_out[to] = index;
    }
  }
}
