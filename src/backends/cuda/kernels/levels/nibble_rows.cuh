// out[i, j] = sum over k of x[i, k] * w[j, k] for up to eight rows of x and rows w [N, K] of levels
// of four bits; K counts whole chunks of 256. Matrices and x as in level_rows.cuh.
//
// A warp takes Halves * 16 rows of w, warps of a block share out their chunks. Levels come straight
// into the registers that tensor cores read, a chunk ahead: as soon as a span of 64 columns has
// been multiplied, the same span of the next chunk is asked for. One shift, one mask with an `or`
// make two levels a pair of halves; the order of x follows from that. Sums of x, which biases and
// the magic number of such pairs are multiplied with, come from a product with a constant.
//
// Floor: the bytes of w.
#pragma once

#include "level_rows.cuh"
#include "packed_formats.cuh"

constexpr int spans = 4, nibble_warps = 16;

// A few bytes that are read once.
__device__ __forceinline__ uint2 load_eight_once(const void* from) {
#ifdef LAZULI_EMULATED_GPU
  return *static_cast<const uint2*>(from);
#else
  uint2 to;
  asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v2.u32 {%0, %1}, [%2];"
               : "=r"(to.x), "=r"(to.y)
               : "l"(from));
  return to;
#endif
}
// Four bytes; neighbours will ask for those beside them.
__device__ __forceinline__ uint32_t load_word(const void* from) {
#ifdef LAZULI_EMULATED_GPU
  return *static_cast<const uint32_t*>(from);
#else
  uint32_t to;
  asm volatile("ld.global.nc.L2::128B.u32 %0, [%1];" : "=r"(to) : "l"(from));
  return to;
#endif
}
// Has the line of an address in the first cache soon.
__device__ __forceinline__ void touch_line(const void* from) {
#ifndef LAZULI_EMULATED_GPU
  asm volatile("prefetch.global.L1 [%0];" ::"l"(from));
#endif
}

// Affine levels in groups of 64 or 128. A lane's eight bytes of a span: elements 16t..16t+15.
template <int Group, class S>
struct AffineNibbles {
  static constexpr int chunk_bytes = 128, first_byte = 0, groups = 256 / Group;
  static constexpr int runs = 1, run_spans = Group / 64;  // of a span; spans that share a scale

  // Pairs of groups; those of the next chunk are asked for as soon as these have been used.
  struct Scales {
    uint32_t scale[groups / 2], bias[groups / 2], at;
    __device__ __forceinline__ void place(const LevelRows& p, uint32_t row, int chunk) {
      at = row * static_cast<uint32_t>(p.k / Group) + chunk * groups;
    }
    __device__ __forceinline__ void ask(const LevelRows& p, int m, const uint8_t*, int s) {
      if ((s + 1) * 64 % (2 * Group)) return;
      int pair = s * 64 / (2 * Group);
      scale[pair] = load_word(static_cast<const S*>(p.matrices.scales[m]) + at + 2 * pair);
      bias[pair] = load_word(static_cast<const S*>(p.matrices.biases[m]) + at + 2 * pair);
    }
    // Of a run that ends with span `s`: what a level and what a one stand for.
    __device__ __forceinline__ void of(int s, int, float& level, float& one) const {
      int group = s * 64 / Group;
      uint32_t a = scale[group / 2], b = bias[group / 2];
      level = group % 2 ? second_of_pair<S>(a) : first_of_pair<S>(a);
      one = group % 2 ? second_of_pair<S>(b) : first_of_pair<S>(b);
    }
  };

  // A lane's elements of a span: eight from here on for each t, and as many so much later.
  static constexpr int x_each = 16, x_later = 8;
  // Product i of a run: a word of levels, which of its four shifts, and two words of x.
  static constexpr int products = 4;
  __device__ __forceinline__ static constexpr int word(int, int i) { return i / 2; }
  __device__ __forceinline__ static constexpr int first(int, int i) { return i % 2 * 2; }
  __device__ __forceinline__ static constexpr int second(int, int i) { return i % 2 * 2 + 1; }
  __device__ __forceinline__ static constexpr int x_low(int, int i) { return i / 2 * 4 + i % 2; }
  __device__ __forceinline__ static constexpr int x_high(int, int i) { return x_low(0, i) + 2; }
};

// Q4_K: a lane's eight bytes of a span are elements 8t..8t+7 of a run of 32 in their low halves, of
// the next one in their high halves.
struct KNibbles {
  static constexpr int chunk_bytes = 144, first_byte = 16, runs = 2, run_spans = 1;

  struct Scales {
    uint4 head;
    __device__ __forceinline__ void place(const LevelRows&, uint32_t, int) {}
    // Close by when its turn comes: the levels asked for before lie in the same sector.
    __device__ __forceinline__ void ask(const LevelRows&, int, const uint8_t* levels, int s) {
      if (s + 1 == spans) head = load_once(levels - first_byte - lane_index() % 4 * 8);
    }
    __device__ __forceinline__ void of(int s, int run, float& level, float& one) const {
      SixBits six(head.y, head.z, head.w);
      // With the bits of 128 small numbers are bfloats, exactly; bfloats are floats' upper halves.
      uint32_t select = s % 2 ? 0x4342 : 0x4140;
      uint32_t scales = without_magic(__byte_perm(six.scales[s / 2], 0x43434343u, select));
      uint32_t minima = without_magic(__byte_perm(six.minima[s / 2], 0x43434343u, select));
      float scale = run ? second_of_pair<bfloat_t>(scales) : first_of_pair<bfloat_t>(scales);
      float less = run ? second_of_pair<bfloat_t>(minima) : first_of_pair<bfloat_t>(minima);
      level = scale * first_of_pair<half_t>(head.x);
      one = less * -second_of_pair<half_t>(head.x);
    }
    __device__ __forceinline__ static uint32_t without_magic(uint32_t pair) {
      return fma_pair<bfloat_t>(pair, pair_of<bfloat_t>(1), pair_of<bfloat_t>(-128));
    }
  };

  static constexpr int x_each = 8, x_later = 32;
  static constexpr int products = 2;
  __device__ __forceinline__ static constexpr int word(int, int i) { return i; }
  __device__ __forceinline__ static constexpr int first(int run, int) { return run; }
  __device__ __forceinline__ static constexpr int second(int run, int) { return 2 + run; }
  __device__ __forceinline__ static constexpr int x_low(int run, int i) { return 4 * run + 2 * i; }
  __device__ __forceinline__ static constexpr int x_high(int run, int i) {
    return x_low(run, i) + 1;
  }
};

// Levels as halves; bfloats keep the magic number, which is taken from the sums beforehand.
template <class T>
constexpr bool keeps_magic = is_same<T, bfloat_t>::value;
template <class T>
__device__ __forceinline__ uint32_t nibble_pair(uint32_t word, int which) {
  if constexpr (keeps_magic<T>) {
    return masked_with<0x000f000fu, 0x43004300u>(word >> (4 * which));
  } else {
    // A half has room for a level that is 16 times as large.
    uint32_t shifted = which < 2 ? word : word >> 8;
    uint32_t sixteen = masked_with<0x00f000f0u, 0x64006400u>(shifted);
    uint32_t one = masked_with<0x000f000fu, 0x64006400u>(shifted);
    return which % 2 ? fma_pair<T>(sixteen, pair_of<T>(0.0625f), pair_of<T>(-64))
                     : fma_pair<T>(one, pair_of<T>(1), pair_of<T>(-1024));
  }
}
// Four words from shared memory, each time anew: a product wants them side by side, and words known
// to be equal the compiler would put there one by one.
__device__ __forceinline__ uint4 load_shared(const uint4* from) {
#ifdef LAZULI_EMULATED_GPU
  return *from;
#else
  uint4 to;
  uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(from));
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(to.x), "=r"(to.y), "=r"(to.z), "=r"(to.w)
               : "r"(address));
  return to;
#endif
}

// Where a warp is: a chunk of the rows of a tile, and those rows' bytes of a lane.
template <class F, int Halves>
struct NibblePlace {
  int tile, chunk, g, t, matrix = 0;
  const uint8_t* levels[2 * Halves];

  // Row g + 8 i; beyond the end the last one.
  __device__ __forceinline__ uint32_t row(const LevelRows& p, int i) const {
    const LevelMatrices& m = p.matrices;
    int first = (tile - m.first_tile[matrix]) * (16 * Halves) + g;
    return min(first + 8 * i, static_cast<int>(m.rows[matrix]) - 1);
  }
  __device__ __forceinline__ void find(const LevelRows& p) {
    if (p.matrices.count > 1) matrix = matrix_of(p, tile);
    const uint8_t* from = p.matrices.w[matrix] +
                          static_cast<uint32_t>(chunk * F::chunk_bytes + F::first_byte + t * 8);
#pragma unroll
    for (int i = 0; i < 2 * Halves; ++i) {
      levels[i] = from + uint64_t(row(p, i)) * static_cast<uint32_t>(p.row_bytes);
    }
  }
};

template <class F, class T, int Halves>
struct NibbleSums {
  static constexpr int rows = 2 * Halves;
  float sum[Halves][4], c[Halves][4], ones[4];
  const uint4* left;  // a matrix of one number

  __device__ __forceinline__ explicit NibbleSums(const uint4* of_one) : left(of_one) {}
  __device__ __forceinline__ void clear_sums() {
#pragma unroll
    for (int h = 0; h < Halves; ++h) {
      for (int j = 0; j < 4; ++j) sum[h][j] = 0;
    }
  }
  // Before a run's products: its sums of x.
  __device__ __forceinline__ void begin(const uint32_t (&x)[8], int run, bool starts) {
    uint4 one = load_shared(left);
    if (starts) ones[0] = ones[1] = ones[2] = ones[3] = 0;
    float before[2] = {ones[0], ones[1]};
#pragma unroll
    for (int i = 0; i < F::products; ++i) {
      multiply_tile<T>(ones, one.x, one.y, one.z, one.w, x_pair(x, run, i, 0x5410),
                       x_pair(x, run, i, 0x7632));
    }
#pragma unroll
    for (int h = 0; h < Halves; ++h) {
      for (int j = 0; j < 4; ++j) {
        if (starts) c[h][j] = keeps_magic<T> ? ones[j] : 0;
        else if (keeps_magic<T>) c[h][j] += ones[j] - before[j % 2];
      }
    }
  }
  __device__ __forceinline__ static uint32_t x_pair(const uint32_t (&x)[8], int run, int i,
                                                    uint32_t select) {
    return __byte_perm(x[F::x_low(run, i)], x[F::x_high(run, i)], select);
  }
  __device__ __forceinline__ void multiply(const uint2 (&levels)[rows], const uint32_t (&x)[8],
                                           int run) {
#pragma unroll
    for (int i = 0; i < F::products; ++i) {
      uint32_t b0 = x_pair(x, run, i, 0x5410), b1 = x_pair(x, run, i, 0x7632);
#pragma unroll
      for (int h = 0; h < Halves; ++h) {
        uint32_t upper = F::word(run, i) ? levels[2 * h].y : levels[2 * h].x;
        uint32_t lower = F::word(run, i) ? levels[2 * h + 1].y : levels[2 * h + 1].x;
        multiply_tile<T>(c[h], nibble_pair<T>(upper, F::first(run, i)),
                         nibble_pair<T>(lower, F::first(run, i)),
                         nibble_pair<T>(upper, F::second(run, i)),
                         nibble_pair<T>(lower, F::second(run, i)), b0, b1);
      }
    }
  }
  __device__ __forceinline__ void end(const typename F::Scales (&scales)[rows], int s, int run) {
    constexpr float unit = keeps_magic<T> ? -1 / magic_number<T> : 1;
    float x[2] = {ones[0] * unit, ones[1] * unit};
#pragma unroll
    for (int i = 0; i < rows; ++i) {
      float level, one;
      scales[i].of(s, run, level, one);
      for (int j = 0; j < 2; ++j) {
        float& to = sum[i / 2][i % 2 * 2 + j];
        to += level * c[i / 2][i % 2 * 2 + j];
        to += one * x[j];
      }
    }
  }
};

// The warps' sums of a tile, [warps][8][Halves * 16], become elements of the output.
template <class Out, int Halves>
__device__ __forceinline__ void store_nibble_tile(const LevelRows& p, const float* sums, int tile,
                                                  int matrix) {
  constexpr int height = 16 * Halves;
  int threads = blockDim.y * 32;
  int first = (tile - p.matrices.first_tile[matrix]) * height;
  for (int i = threadIdx.y * 32 + threadIdx.x; i < p.columns * height; i += threads) {
    int row = i % height, column = i / height;
    if (first + row >= p.matrices.rows[matrix]) continue;
    float sum = 0;
#pragma unroll 4
    for (int warp = 0; warp < blockDim.y; ++warp) sum += sums[warp * 8 * height + i];
    Out* out = static_cast<Out*>(p.out) + column * p.out_stride + p.matrices.out[matrix];
    out[first + row] = Out(sum);
  }
}

// Blocks (32, warps), at most one warp for each chunk of a row; they take tiles in turn.
template <class F, class T, int Halves>
__global__ void __launch_bounds__(32 * nibble_warps)
    nibble_rows(__grid_constant__ const LevelRows p) {
  start_after_earlier();
  constexpr int rows = 2 * Halves, height = 16 * Halves;
  __shared__ uint4 one;
  __shared__ float sums[2][nibble_warps][8][height];
  int warp = threadIdx.y, warps = blockDim.y, g = threadIdx.x / 4, t = threadIdx.x % 4;
  int chunks = p.k / 256, parity = 0;
  // Lanes of columns that are not there read the first: nobody looks at their products.
  const T* columns = static_cast<const T*>(p.x) + (g < p.columns ? g : 0) * p.x_stride;
  NibblePlace<F, Halves> next{static_cast<int>(blockIdx.x), warp, g, t};
  typename F::Scales scales[rows];
  uint2 levels[spans][rows];
  auto find_next = [&] {
    next.find(p);
    touch_line(columns + static_cast<uint32_t>(next.chunk) * 256 + t * 64);
#pragma unroll
    for (int i = 0; i < rows; ++i) scales[i].place(p, next.row(p, i), next.chunk);
  };
  auto ask = [&](int s) {
#pragma unroll
    for (int i = 0; i < rows; ++i) {
      levels[s][i] = load_eight_once(next.levels[i] + s * 32);
      scales[i].ask(p, next.matrix, next.levels[i], s);
    }
  };
  find_next();
#pragma unroll
  for (int s = 0; s < spans; ++s) ask(s);
  if (threadIdx.y == 0 && threadIdx.x < 4) {
    reinterpret_cast<uint32_t*>(&one)[threadIdx.x] =
        pair_of<T>(keeps_magic<T> ? -magic_number<T> : 1);
  }
  __syncthreads();
  const T* x_of_lane = columns + F::x_each * t;
  for (int tile = blockIdx.x; tile < p.tiles; tile += gridDim.x, parity ^= 1) {
    NibbleSums<F, T, Halves> sum(&one);
    sum.clear_sums();
    int matrix = next.matrix;
    for (int chunk = warp; chunk < chunks; chunk += warps) {
      next.chunk += warps;
      if (next.chunk >= chunks) {
        next.chunk = warp;
        next.tile += gridDim.x;
      }
      bool more = next.tile < p.tiles;
      if (more) find_next();
      const T* from = x_of_lane + static_cast<uint32_t>(chunk) * 256;
#pragma unroll
      for (int s = 0; s < spans; ++s) {
        uint4 low = *reinterpret_cast<const uint4*>(from + s * 64);
        uint4 high = *reinterpret_cast<const uint4*>(from + s * 64 + F::x_later);
        uint32_t x[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
        for (int run = 0; run < F::runs; ++run) {
          sum.begin(x, run, s % F::run_spans == 0);
          sum.multiply(levels[s], x, run);
          if (s % F::run_spans == F::run_spans - 1) sum.end(scales, s, run);
        }
        if (more) ask(s);
      }
    }
#pragma unroll
    for (int h = 0; h < Halves; ++h) {
      for (int j = 0; j < 4; ++j) {
        sums[parity][warp][2 * t + j % 2][h * 16 + g + j / 2 * 8] = sum.sum[h][j];
      }
    }
    __syncthreads();
    store_nibble_tile<T, Halves>(p, &sums[parity][0][0][0], tile, matrix);
  }
}
