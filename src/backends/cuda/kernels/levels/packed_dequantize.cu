// Packed weights to floats: all of a matrix, or rows of it by index.
//
// Four lanes make the 256 elements of a chunk (packed_formats.cuh), straight from memory.
//
// Floor: the bytes read and written.
#include "level_products.cuh"
#include "packed_formats.cuh"

// Where values go: as elements of T, or as the first two planes of bfloats whose sum they are,
// `plane` elements apart.
template <class T>
struct Values {
  T* to;
  __device__ __forceinline__ void store(int64_t at, const float (&values)[4]) const {
    Vector<T, 4> four;
    for (int j = 0; j < 4; ++j) four[j] = T(values[j]);
    store_vector(to + at, four);
  }
};
struct PlaneValues {
  bfloat_t* to;
  int64_t plane;
  __device__ __forceinline__ void store(int64_t at, const float (&values)[4]) const {
    Vector<bfloat_t, 4> first, second;
    for (int j = 0; j < 4; ++j) {
      float planes[3];
      planes_of(values[j], planes);
      first[j] = bfloat_t(planes[0]);
      second[j] = bfloat_t(planes[1]);
    }
    store_vector(to + at, first);
    store_vector(to + plane + at, second);
  }
};

// Chunk `chunk` of `elements` values that follow each other at `from` becomes those at `to`.
template <class F, class To>
__device__ __forceinline__ void dequantize_chunk(const uint8_t* from, int64_t chunk,
                                                 int64_t elements, const To& to, int t) {
  using Bytes = GlobalBytes;
  typename F::template Reader<Bytes> reader(Bytes{from + chunk * F::chunk_bytes}, t);
  int runs = static_cast<int>(min((elements - chunk * 256) / 32, int64_t(8)));
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    if (r >= runs) break;
    Run run = reader.run(r);
    for (int i = 0; i < 2; ++i) {
      float values[4];
      for (int j = 0; j < 4; ++j) {
        values[j] = run.scale[i] * level_of<F>(run.levels[i], j) - run.minimum[i];
      }
      int at = F::order == Order::wide ? 8 * t + 4 * i : 16 * i + 4 * t;
      to.store(chunk * 256 + r * 32 + at, values);
    }
  }
}

template <class F, class T>
__global__ void __launch_bounds__(256)
    packed_dequantize(const uint8_t* w, int64_t elements, T* out) {
  start_after_earlier();
  int64_t chunks = (elements + 255) / 256;
  for (int64_t i = (blockIdx.x * int64_t(256) + threadIdx.x) / 4; i < chunks;
       i += int64_t(gridDim.x) * 64) {
    dequantize_chunk<F>(w, i, elements, Values<T>{out}, threadIdx.x % 4);
  }
}

template <class F>
__global__ void __launch_bounds__(256)
    packed_planes(const uint8_t* w, int64_t elements, bfloat_t* out) {
  start_after_earlier();
  int64_t chunks = (elements + 255) / 256;
  for (int64_t i = (blockIdx.x * int64_t(256) + threadIdx.x) / 4; i < chunks;
       i += int64_t(gridDim.x) * 64) {
    dequantize_chunk<F>(w, i, elements, PlaneValues{out, elements}, threadIdx.x % 4);
  }
}

// An index outside [-rows, rows) is reported at `fault` and makes a row of zeros.
template <class F, class T>
__global__ void __launch_bounds__(256)
    packed_take(const uint8_t* w, int64_t rows, int64_t row_bytes, int64_t columns,
                const int64_t* indices, int64_t count, T* out, uint32_t* fault, uint32_t reason) {
  start_after_earlier();
  int64_t chunks = (columns + 255) / 256;
  for (int64_t i = (blockIdx.x * int64_t(256) + threadIdx.x) / 4; i < count * chunks;
       i += int64_t(gridDim.x) * 64) {
    int64_t row = i / chunks, chunk = i % chunks, index = indices[row];
    if (index < 0) index += rows;
    T* to = out + row * columns;
    if (index >= 0 && index < rows) {
      dequantize_chunk<F>(w + index * row_bytes, chunk, columns, Values<T>{to}, threadIdx.x % 4);
      continue;
    }
    *fault = reason;
    for (int64_t j = chunk * 256 + threadIdx.x % 4; j < min(columns, chunk * 256 + 256); j += 4) {
      to[j] = T(0.0f);
    }
  }
}
