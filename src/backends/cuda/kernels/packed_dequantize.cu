// Packed weights to floats: all of a matrix, or rows of it by index.
//
// Four lanes make the 256 elements of a chunk (packed_formats.cuh), straight from memory.
//
// Floor: the bytes read and written.
#include "math.cuh"
#include "packed_formats.cuh"

// Chunk `chunk` of `elements` values that follow each other at `from` becomes those at `to`.
template <class F, class T>
__device__ __forceinline__ void dequantize_chunk(const uint8_t* from, int64_t chunk,
                                                 int64_t elements, T* to, int t) {
  using Bytes = GlobalBytes;
  typename F::template Reader<Bytes> reader(Bytes{from + chunk * F::chunk_bytes}, t);
  int runs = static_cast<int>(min((elements - chunk * 256) / 32, int64_t(8)));
  to += chunk * 256;
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    if (r >= runs) break;
    Run run = reader.run(r);
    for (int i = 0; i < 2; ++i) {
      Vector<T, 4> values;
      for (int j = 0; j < 4; ++j) {
        values[j] = T(run.scale[i] * level_of<F>(run.levels[i], j) - run.minimum[i]);
      }
      store_vector(to + r * 32 + (F::order == Order::wide ? 8 * t + 4 * i : 16 * i + 4 * t),
                   values);
    }
  }
}

template <class F, class T>
__global__ void __launch_bounds__(256)
    packed_dequantize(const uint8_t* w, int64_t elements, T* out) {
  int64_t chunks = (elements + 255) / 256;
  for (int64_t i = (blockIdx.x * int64_t(256) + threadIdx.x) / 4; i < chunks;
       i += int64_t(gridDim.x) * 64) {
    dequantize_chunk<F, T>(w, i, elements, out, threadIdx.x % 4);
  }
}

// An index outside [-rows, rows) is reported at `fault` and makes a row of zeros.
template <class F, class T>
__global__ void __launch_bounds__(256)
    packed_take(const uint8_t* w, int64_t rows, int64_t row_bytes, int64_t columns,
                const int64_t* indices, int64_t count, T* out, uint32_t* fault, uint32_t reason) {
  int64_t chunks = (columns + 255) / 256;
  for (int64_t i = (blockIdx.x * int64_t(256) + threadIdx.x) / 4; i < count * chunks;
       i += int64_t(gridDim.x) * 64) {
    int64_t row = i / chunks, chunk = i % chunks, index = indices[row];
    if (index < 0) index += rows;
    T* to = out + row * columns;
    if (index >= 0 && index < rows) {
      dequantize_chunk<F, T>(w + index * row_bytes, chunk, columns, to, threadIdx.x % 4);
      continue;
    }
    *fault = reason;
    for (int64_t j = chunk * 256 + threadIdx.x % 4; j < min(columns, chunk * 256 + 256); j += 4) {
      to[j] = T(0.0f);
    }
  }
}
