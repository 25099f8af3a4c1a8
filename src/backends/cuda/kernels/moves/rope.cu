// Rotary positions: x [examples, heads..., length, width], the first 2 * half features of each row
// rotated in pairs: neighbours (traditional) or i and i + half. Any steps -> dense.
//
// A thread has `V` neighbouring pairs of one position, forms their turns (offset + t) * frequency
// in double, reduces them to a fraction of a turn and takes sine and cosine in float32, then
// rotates these pairs in a group of heads. Further threads of a row copy what lies behind the
// pairs.
//
// Floor: one read and one write of x.
#include "indexing.cuh"
// (indexing first)
#include "rope_shape.cuh"

// Sine and cosine of `fraction` turns, |fraction| <= 1/2: an octant, and Taylor series to terms
// below 3e-8 of the result.
__device__ __forceinline__ void sines(float fraction, float& sine, float& cosine) {
  const float quarter = rintf(fraction * 4.0f);
  const float angle = fmaf(quarter, -0.25f, fraction) * 6.283185307179586f;
  const float square = angle * angle;
  float s = fmaf(2.7557319e-6f, square, -1.9841270e-4f);
  s = fmaf(s, square, 8.3333333e-3f);
  s = fmaf(s, square, -1.6666667e-1f);
  s = fmaf(s * square, angle, angle);
  float c = fmaf(-2.7557319e-7f, square, 2.4801587e-5f);
  c = fmaf(c, square, -1.3888889e-3f);
  c = fmaf(c, square, 4.1666667e-2f);
  c = fmaf(c, square, -0.5f);
  c = fmaf(c, square, 1.0f);
  const int quadrant = static_cast<int>(quarter);
  const bool swap = quadrant & 1;
  sine = swap ? c : s;
  cosine = swap ? s : c;
  if (quadrant & 2) sine = -sine;
  if ((quadrant + 1) & 2) cosine = -cosine;
}

__device__ __forceinline__ double offset_of(const RopeShape& shape, const void* offsets,
                                            int64_t example) {
  const int64_t at = example * shape.offset_step;
  switch (shape.offset_kind) {
    case 0: return shape.offset;
    case 1: return static_cast<const int32_t*>(offsets)[at];
    case 2: return static_cast<double>(static_cast<const int64_t*>(offsets)[at]);
    default: return static_cast<const float*>(offsets)[at];
  }
}

// Turns that one position adds for pair i.
__device__ __forceinline__ double turn_of(const RopeShape& shape, const float* freqs, int64_t i) {
  constexpr double inverse_two_pi = 0.15915494309189533577;
  const double turn = shape.scale * inverse_two_pi;
  if (freqs) return turn / freqs[i * shape.freqs_step];
  return turn * exp2(-shape.log2_base * static_cast<double>(i) / static_cast<double>(shape.half));
}

// The V elements from `from`, `step` apart.
template <class T, int V, bool Dense>
__device__ __forceinline__ Vector<T, V> load_features(const T* from, int64_t step) {
  if constexpr (Dense) {
    return load_vector<V>(from);
  } else {
    Vector<T, V> values;
#pragma unroll
    for (int j = 0; j < V; ++j) values[j] = from[j * step];
    return values;
  }
}

// `Dense`: features lie side by side in x, and rows start where vectors of V may. Grid: (threads of
// all rows of a head, groups of heads).
template <class T, int V, bool Traditional, bool Dense>
__global__ void __launch_bounds__(128)
    rope(const T* x, T* out, const void* offsets, const float* freqs,
         const __grid_constant__ RopeShape shape) {
  start_after_earlier();
  int64_t slot = static_cast<int64_t>(blockIdx.x) * 128 + threadIdx.x;
  if (slot >= shape.count) return;
  int64_t t = divide(slot, shape.slot, shape.wide);
  const int64_t example = divide(t, shape.row, shape.wide);
  const int64_t heads = shape.heads.count,
                first_head = static_cast<int64_t>(blockIdx.y) * shape.group;
  const int64_t last_head = first_head + shape.group < heads ? first_head + shape.group : heads;
  const T* row = x + example * shape.example_step + t * shape.row_step;
  T* to = out + (example * heads * shape.length + t) * shape.width;
  const int64_t head_width = shape.length * shape.width;
  const int64_t pair = slot * V;
  if (pair >= shape.half) {
    const int64_t feature = 2 * shape.half + (pair - shape.half);
    for (int64_t h = first_head; h < last_head; ++h) {
      const T* from = row + place_of(shape.heads, h).from + feature * shape.step;
      store_vector(to + h * head_width + feature, load_features<T, V, Dense>(from, shape.step));
    }
    return;
  }
  const double position = offset_of(shape, offsets, example) + static_cast<double>(t);
  float sine[V], cosine[V];
#pragma unroll
  for (int j = 0; j < V; ++j) {
    const double turn = position * turn_of(shape, freqs, pair + j);
    sines(static_cast<float>(turn - rint(turn)), sine[j], cosine[j]);
  }
  const int64_t first = Traditional ? 2 * pair : pair,
                second = Traditional ? 2 * pair + V : pair + shape.half;
#pragma unroll 4
  for (int64_t h = first_head; h < last_head; ++h) {
    const T* from = row + place_of(shape.heads, h).from;
    Vector<T, V> a = load_features<T, V, Dense>(from + first * shape.step, shape.step);
    Vector<T, V> b = load_features<T, V, Dense>(from + second * shape.step, shape.step);
    // Neighbours: a and b are 2 V features in a row, of which each two are a pair.
    T flat[2 * V];
#pragma unroll
    for (int j = 0; j < V; ++j) flat[j] = a[j], flat[V + j] = b[j];
#pragma unroll
    for (int j = 0; j < V; ++j) {
      T& p = flat[Traditional ? 2 * j : j];
      T& q = flat[Traditional ? 2 * j + 1 : V + j];
      const float u = static_cast<float>(p), v = static_cast<float>(q);
      p = T(u * cosine[j] - v * sine[j]);
      q = T(u * sine[j] + v * cosine[j]);
    }
#pragma unroll
    for (int j = 0; j < V; ++j) a[j] = flat[j], b[j] = flat[V + j];
    store_vector(to + h * head_width + first, a);
    store_vector(to + h * head_width + second, b);
  }
}
