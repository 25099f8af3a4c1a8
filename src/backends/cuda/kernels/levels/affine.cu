// Affine quantisation of groups of 32, 64 or 128 neighbours to levels of 2, 3, 4, 5, 6 or 8 bits
// (affine_formats.cuh), and back.
//
// affine_quantize: a warp takes a group: its range gives scale and bias, then each element its
// level; the bits of 32 levels are joined word by word. affine_dequantize: a thread takes eight
// levels.
//
// Floor: the bytes read and written.
#include "affine_formats.cuh"
#include "math.cuh"

struct Fit {
  float scale, bias;
};

// The end of the range that is larger in magnitude is kept exact: it gets a level of its own, which
// the scale is adjusted to.
__device__ __forceinline__ Fit fit_group(float low, float high, bool has_nan, int bits) {
  if (has_nan) return {float_of_bits(0x7fc00000u), float_of_bits(0x7fc00000u)};
  bool low_is_edge = fabsf(low) > fabsf(high);
  float scale = fmaxf((high - low) / static_cast<float>((1 << bits) - 1), 1e-7f);
  if (!low_is_edge) scale = -scale;
  float edge = low_is_edge ? low : high, level = rintf(edge / scale);
  if (level == 0) return {scale, 0};
  return {edge / level, edge};
}

// Joins of `part` 0 the levels, of 1 the scales, of 2 the biases. Blocks of 256.
template <int Group, class T>
__global__ void __launch_bounds__(256)
    affine_quantize(const T* w, int64_t groups, int bits, int part, void* out) {
  start_after_earlier();
  constexpr int each = Group / 32;
  int lane = lane_index();
  int64_t first = blockIdx.x * int64_t(8) + threadIdx.x / 32, step = int64_t(gridDim.x) * 8;
  for (int64_t group = first; group < groups; group += step) {
    float values[each], low = op::highest<float>(), high = -op::highest<float>();
    bool nan = false;
#pragma unroll
    for (int i = 0; i < each; ++i) {
      values[i] = static_cast<float>(w[group * Group + i * 32 + lane]);
      low = fminf(low, values[i]);
      high = fmaxf(high, values[i]);
      nan = nan || values[i] != values[i];
    }
    for (int mask = 16; mask > 0; mask /= 2) {
      low = fminf(low, shuffle_xor(low, mask));
      high = fmaxf(high, shuffle_xor(high, mask));
    }
    Fit fit = fit_group(low, high, __any_sync(all_lanes, nan), bits);
    if (part != 0) {
      if (lane == 0) static_cast<T*>(out)[group] = T(part == 1 ? fit.scale : fit.bias);
      continue;
    }
#pragma unroll
    for (int i = 0; i < each; ++i) {
      float scaled = (values[i] - fit.bias) / fit.scale;
      // Zero where it is NaN.
      float level = scaled > 0 ? rintf(fminf(scaled, static_cast<float>((1 << bits) - 1))) : 0;
      uint64_t placed = static_cast<uint64_t>(level) << (lane * bits % 32);
      int word = lane * bits / 32;
      uint32_t own = 0;
      for (int j = 0; j < bits; ++j) {
        uint32_t mine = j == word       ? static_cast<uint32_t>(placed)
                        : j == word + 1 ? static_cast<uint32_t>(placed >> 32)
                                        : 0;
        for (int mask = 16; mask > 0; mask /= 2) mine |= shuffle_xor(mine, mask);
        if (lane == j) own = mine;
      }
      if (lane < bits) static_cast<uint32_t*>(out)[(group * each + i) * bits + lane] = own;
    }
  }
}

// Bits bytes from any address as a number.
template <int Bits>
__device__ __forceinline__ uint64_t eight_of(const uint8_t* from) {
  if constexpr (Bits == 8) return *reinterpret_cast<const uint64_t*>(from);
  else if constexpr (Bits == 4) return *reinterpret_cast<const uint32_t*>(from);
  else if constexpr (Bits == 2) return *reinterpret_cast<const uint16_t*>(from);
  uint64_t all = 0;
#pragma unroll
  for (int i = 0; i < Bits; ++i) all |= static_cast<uint64_t>(from[i]) << (8 * i);
  return all;
}

template <int Bits, class T>
__global__ void __launch_bounds__(256)
    affine_dequantize(const uint8_t* w, const T* scales, const T* biases, int group, int64_t eights,
                      T* out) {
  start_after_earlier();
  for (int64_t i = blockIdx.x * int64_t(256) + threadIdx.x; i < eights;
       i += int64_t(gridDim.x) * 256) {
    uint64_t levels = eight_of<Bits>(w + i * Bits);
    int64_t of = i * 8 / group;
    float scale = scales[of], bias = biases[of];
    Vector<T, 8> values;
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      auto level =
          static_cast<float>(static_cast<uint32_t>(levels >> (Bits * j)) & ((1u << Bits) - 1));
      // Two roundings, as on the CPU.
      values[j] = T(__fadd_rn(__fmul_rn(scale, level), bias));
    }
    store_vector(out + i * 8, values);
  }
}

struct QuantizedColumns {
  const void* x;
  const uint8_t* w;
  const void *scales, *biases;
  void* out;
  int m, group;
  int64_t n, k;
};

// out[i, j] = sum over k of x[i, k] * w[k, j] for up to Rows rows of x and w [K, N] with groups
// along N. Blocks (32, 16): 8 lanes take 8 columns each, the others of a block share out K.
// Floor: the bytes of w.
template <int Bits, class T, int Rows>
__global__ void __launch_bounds__(512) quantized_columns(QuantizedColumns p) {
  start_after_earlier();
  constexpr int columns = 64, steps = Rows > 4 ? 2 : 4, apart = 16 * 4;
  __shared__ float sums[16][columns];
  int64_t column = blockIdx.x * int64_t(columns) + threadIdx.x % 8 * 8;
  bool inside = column < p.n;
  const T *scales = static_cast<const T*>(p.scales), *biases = static_cast<const T*>(p.biases);
  const T* x = static_cast<const T*>(p.x);
  int64_t row_groups = p.n / p.group, group = column / p.group;
  float c[Rows][8] = {};
  for (int64_t from = threadIdx.y * 4 + threadIdx.x / 8; from < p.k; from += apart * steps) {
    uint64_t levels[steps];
    float scale[steps], bias[steps];
#pragma unroll
    for (int s = 0; s < steps; ++s) {
      int64_t k = from + s * apart;
      bool here = inside && k < p.k;
      levels[s] = here ? eight_of<Bits>(p.w + (k * p.n + column) / 8 * Bits) : 0;
      scale[s] = here ? static_cast<float>(scales[k * row_groups + group]) : 0;
      bias[s] = here ? static_cast<float>(biases[k * row_groups + group]) : 0;
    }
#pragma unroll
    for (int s = 0; s < steps; ++s) {
      int64_t k = from + s * apart;
      if (k >= p.k) continue;
      // As dequantised: level * scale and bias may cancel.
      float w[8];
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        uint32_t level = static_cast<uint32_t>(levels[s] >> (Bits * j)) & ((1u << Bits) - 1);
        w[j] = __fadd_rn(__fmul_rn(scale[s], static_cast<float>(level)), bias[s]);
      }
#pragma unroll
      for (int i = 0; i < Rows; ++i) {
        if (i >= p.m) continue;
        float v = static_cast<float>(x[i * p.k + k]);
#pragma unroll
        for (int j = 0; j < 8; ++j) c[i][j] += v * w[j];
      }
    }
  }
#pragma unroll
  for (int i = 0; i < Rows; ++i) {
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      float sum = c[i][j];
      sum += shuffle_xor(sum, 8);
      sum += shuffle_xor(sum, 16);
      if (threadIdx.x < 8) sums[threadIdx.y][threadIdx.x * 8 + j] = sum;
    }
    __syncthreads();
    int thread = threadIdx.y * 32 + threadIdx.x;
    int64_t to = blockIdx.x * int64_t(columns) + thread;
    if (thread < columns && to < p.n && i < p.m) {
      float sum = 0;
      for (int warp = 0; warp < 16; ++warp) sum += sums[warp][thread];
      static_cast<T*>(p.out)[i * p.n + to] = T(sum);
    }
    __syncthreads();
  }
}
