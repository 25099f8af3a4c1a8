// gather: slices of x at the places that index arrays name -> dense [indices..., slice...].
// gather_rows: the same for one index array, whose slices lie densely.
// gather_axis: out[o, p, i] = x[o, index[o, p, i], i].
//
// A unit is what can be moved at once: up to 16 bytes where slices lie densely. A thread moves four
// units (of rows two), a block's width apart: it reads their indices, then them, then writes.
//
// Floor: each byte taken read and written once, and the indices.
#include "index_places.cuh"

template <class Unit>
__global__ void __launch_bounds__(256)
    gather(const Unit* x, Unit* out, const __grid_constant__ IndexedShape shape,
           FaultReport report) {
  start_after_earlier();
  const int64_t first = static_cast<int64_t>(blockIdx.x) * 1024 + threadIdx.x;
  int64_t places[4];
  Unit units[4];
  bool valid[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    int64_t unit = first + i * 256;
    valid[i] = unit < shape.count;
    if (!valid[i]) continue;
    const int64_t row = divide(unit, shape.block, shape.wide);
    const NamedPlace named = named_place(shape, row, report);
    valid[i] = named.valid;
    places[i] = named.offset + place_of(shape.slice, unit).from;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (valid[i]) units[i] = x[places[i]];
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (valid[i]) out[first + i * 256] = units[i];
  }
}

constexpr int row_units = 2;

template <class Unit>
__global__ void __launch_bounds__(256)
    gather_rows(const Unit* x, Unit* out, const __grid_constant__ RowsShape shape,
                FaultReport report) {
  start_after_earlier();
  const int64_t first = static_cast<int64_t>(blockIdx.x) * (256 * row_units) + threadIdx.x;
  int64_t index[row_units], places[row_units];
  Unit units[row_units];
  bool valid[row_units];
#pragma unroll
  for (int i = 0; i < row_units; ++i) {
    places[i] = first + i * 256;
    valid[i] = places[i] < shape.count;
    if (valid[i]) index[i] = shape.indices[divide(places[i], shape.row, shape.wide) * shape.step];
  }
#pragma unroll
  for (int i = 0; i < row_units; ++i) {
    valid[i] = valid[i] && wrap_index(index[i], shape.rows, report);
  }
#pragma unroll
  for (int i = 0; i < row_units; ++i) {
    if (valid[i]) units[i] = x[index[i] * shape.between + places[i]];
  }
#pragma unroll
  for (int i = 0; i < row_units; ++i) {
    if (valid[i]) out[first + i * 256] = units[i];
  }
}

template <class Unit>
__global__ void __launch_bounds__(256)
    gather_axis(const Unit* x, const int64_t* indices, Unit* out,
                const __grid_constant__ AlongShape shape, FaultReport report) {
  start_after_earlier();
  const int64_t first = static_cast<int64_t>(blockIdx.x) * 1024 + threadIdx.x;
  int64_t index[4];
  Unit units[4];
  bool valid[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    valid[i] = first + i * 256 < shape.walk.count;
    if (valid[i]) index[i] = indices[first + i * 256];
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    valid[i] = valid[i] && wrap_index(index[i], shape.extent, report);
    if (!valid[i]) continue;
    units[i] = x[place_of(shape.walk, first + i * 256).from + index[i] * shape.inner];
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (valid[i]) out[first + i * 256] = units[i];
  }
}
