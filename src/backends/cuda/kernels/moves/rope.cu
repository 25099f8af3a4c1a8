// Rotary positions: x [examples, heads..., length, width], the first 2 * half features of each row
// rotated in pairs: neighbours (traditional) or i and i + half. Any steps -> rows of features. One
// launch does this for several arrays, may write results to a second place (a cache), and copies
// where nothing is to be rotated.
//
// A thread has `V` neighbouring pairs of one position, forms their turns (offset + t) * frequency
// in double, reduces them to a fraction of a turn and takes sine and cosine in float32, then
// rotates these pairs in a group of heads. Further threads of a row copy what lies behind the
// pairs. The sines need nothing of earlier kernels where turns and offset are known.
//
// Floor: one read and one write of x.
#include "indexing.cuh"
// (indexing first)
#include "rope_jobs.cuh"

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

__device__ __forceinline__ double offset_of(const RopeTurns& turns, int64_t example) {
  const int64_t at = example * turns.offset_step;
  switch (turns.offset_kind) {
    case 0: return turns.offset;
    case 1: return static_cast<const int32_t*>(turns.offsets)[at];
    case 2: return static_cast<double>(static_cast<const int64_t*>(turns.offsets)[at]);
    default: return static_cast<const float*>(turns.offsets)[at];
  }
}

// Turns that one position adds for pair i, where no table has them. Rare, and long: a call.
__device__ __noinline__ double turn_of(const RopeTurns& turns, int64_t i) {
  constexpr double inverse_two_pi = 0.15915494309189533577;
  const double turn = turns.scale * inverse_two_pi;
  if (turns.freqs) return turn / turns.freqs[i * turns.freqs_step];
  return turn * exp2(-turns.log2_base * static_cast<double>(i) / static_cast<double>(turns.half));
}

// Of V pairs from `pair` on, at position t of an example.
template <int V>
__device__ __forceinline__ void find_sines(const RopeTurns& turns, int64_t example, int64_t t,
                                           int64_t pair, float (&sine)[V], float (&cosine)[V]) {
  const double position = offset_of(turns, example) + static_cast<double>(t);
#pragma unroll
  for (int j = 0; j < V; ++j) {
    const double turn = position * (turns.known ? turns.turn[pair + j] : turn_of(turns, pair + j));
    sines(static_cast<float>(turn - rint(turn)), sine[j], cosine[j]);
  }
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

// Pairs (a[j], b[j]), or neighbours among the 2 V features of a and then b.
template <bool Traditional, class T, int V>
__device__ __forceinline__ void rotate(Vector<T, V>& a, Vector<T, V>& b, const float (&sine)[V],
                                       const float (&cosine)[V]) {
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
}

// `Dense`: features lie side by side in every x, and rows start where vectors of V may. Blocks of a
// job: those for all rows of a head, then the same for the next group of heads.
template <class T, int V, bool Traditional, bool Dense>
__global__ void __launch_bounds__(128) rope(const __grid_constant__ RopeJobs p) {
  let_later_start();
  int which = 0;
  while (which + 1 < p.count && static_cast<int>(blockIdx.x) >= p.job[which + 1].first_block) {
    ++which;
  }
  const RopeJob& job = p.job[which];
  const uint32_t block = blockIdx.x - job.first_block, group = block / job.columns;
  int64_t slot = static_cast<int64_t>(block - group * job.columns) * 128 + threadIdx.x;
  const bool present = slot < job.count;
  if (!present) slot = 0;
  int64_t t = divide(slot, job.slot, job.wide);
  const int64_t example = divide(t, job.row, job.wide);
  const int64_t heads = job.heads.count, first_head = static_cast<int64_t>(group) * job.group;
  const int64_t last_head = first_head + job.group < heads ? first_head + job.group : heads;
  const int64_t pair = slot * V;
  const bool rotates = pair < job.half;
  const bool early = p.turns.known && p.turns.offset_kind == 0;
  float sine[V], cosine[V];
  if (!early) wait_for_earlier();
  if (rotates) find_sines(p.turns, example, t, pair, sine, cosine);
  if (early) wait_for_earlier();
  if (!present) return;
  const T* row = static_cast<const T*>(job.x) + example * job.example_from + t * job.row_from;
  T* to = static_cast<T*>(job.out) + example * job.example_to + t * job.row_to;
  T* also = static_cast<T*>(job.also) + example * job.example_also + t * job.row_also;
  int64_t first = Traditional ? 2 * pair : pair;
  int64_t second = Traditional ? 2 * pair + V : pair + job.half;
  if (!rotates) first = second = job.half + pair;
#pragma unroll 4
  for (int64_t h = first_head; h < last_head; ++h) {
    const Place at = place_of(job.heads, h);
    const T* from = row + at.from;
    Vector<T, V> a = load_features<T, V, Dense>(from + first * job.step, job.step), b = a;
    if (rotates) {
      b = load_features<T, V, Dense>(from + second * job.step, job.step);
      rotate<Traditional>(a, b, sine, cosine);
    }
    store_vector(to + at.to + first, a);
    if (rotates) store_vector(to + at.to + second, b);
    if (!job.also) continue;
    store_vector(also + h * job.head_also + first, a);
    if (rotates) store_vector(also + h * job.head_also + second, b);
  }
}
