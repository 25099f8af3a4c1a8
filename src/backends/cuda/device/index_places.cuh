// Reading index arrays: negative indices wrap once, what is out of range is reported and skipped.
#pragma once

#include "indexing.cuh"
// (indexing first)
#include "indexed.cuh"

struct FaultReport {
  uint32_t* word;
  uint32_t fault;
};

// Whether `index` is one of `room` positions, once wrapped.
__device__ __forceinline__ bool wrap_index(int64_t& index, int64_t room,
                                           const FaultReport& report) {
  if (index < 0) index += room;
  if (index >= 0 && index < room) return true;
  report_fault(report.word, report.fault);
  return false;
}

struct NamedPlace {
  bool valid;
  int64_t offset;   // of the indexed side, in units
  int64_t updates;  // of the row in the updates, in units
  int64_t key;      // of the named row
};

// Where the indices of a row of the index arrays point.
__device__ __forceinline__ NamedPlace named_place(const IndexedShape& shape, int64_t row,
                                                  const FaultReport& report) {
  NamedPlace place = {true, 0, 0, 0};
  int64_t at[index_arrays_max];
#pragma unroll
  for (int k = 0; k < index_arrays_max; ++k) at[k] = 0;
  for (int d = shape.lead.rank - 1; d >= 0; --d) {
    int64_t step = row;
    if (d > 0) {
      row = divide(step, shape.lead.axis[d], shape.lead.wide);
    }
    place.updates += step * shape.lead.axis[d].from;
#pragma unroll
    for (int k = 0; k < index_arrays_max; ++k) {
      if (k < shape.arrays) at[k] += step * shape.array[k].steps[d];
    }
  }
#pragma unroll
  for (int k = 0; k < index_arrays_max; ++k) {
    if (k >= shape.arrays) break;
    int64_t index = shape.array[k].data[at[k]];
    place.valid = wrap_index(index, shape.array[k].room, report) && place.valid;
    place.offset += index * shape.array[k].step;
    place.key += index * shape.array[k].key;
  }
  return place;
}
