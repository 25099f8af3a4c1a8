// scatter: updates [indices..., slice...] meet x in the slices that index arrays name.
// scatter_axis: x[o, index[o, p, i], i] meets updates[o, p, i].
//
// Updates that meet in one place: `add` and the others merge atomically, in any order. For
// `replace` the last one in row-major order wins, as on the CPU: a first pass notes for each place
// (a row of slices, or an element where slices may overlap) the last row that names it, and only
// that one is written.
//
// Floor: each update read, its place written, for merges also read; and the indices.
#include "index_places.cuh"
#include "merges.cuh"

struct Unit {
  int64_t row, inside;
  NamedPlace named;
};

__device__ __forceinline__ Unit unit_at(const IndexedShape& shape, int64_t index,
                                        const FaultReport& report) {
  Unit unit;
  unit.inside = index;
  unit.row = divide(unit.inside, shape.block, shape.wide);
  unit.named = named_place(shape, unit.row, report);
  return unit;
}

// owners[row that indices name] = the last row of updates for it, counted from 1.
__global__ void __launch_bounds__(256)
    claim_rows(uint32_t* owners, const __grid_constant__ IndexedShape shape, FaultReport report) {
  start_after_earlier();
  const int64_t row = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x;
  if (row >= shape.lead.count) return;
  const NamedPlace named = named_place(shape, row, report);
  if (named.valid) atomicMax(owners + named.key, static_cast<uint32_t>(row + 1));
}

// The same for each element of the output.
__global__ void __launch_bounds__(256)
    claim_elements(uint32_t* owners, const __grid_constant__ IndexedShape shape,
                   FaultReport report) {
  start_after_earlier();
  const int64_t index = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x;
  if (index >= shape.count) return;
  const Unit unit = unit_at(shape, index, report);
  if (!unit.named.valid) return;
  const int64_t place = unit.named.offset + place_of(shape.slice, unit.inside).to;
  atomicMax(owners + place, static_cast<uint32_t>(unit.row + 1));
}

// `owners` is null where no two rows of updates can meet.
template <class Word, bool ByElement>
__global__ void __launch_bounds__(256)
    scatter_replace(const Word* updates, Word* out, const uint32_t* owners,
                    const __grid_constant__ IndexedShape shape, FaultReport report) {
  start_after_earlier();
  const int64_t first = static_cast<int64_t>(blockIdx.x) * 512 + threadIdx.x;
  int64_t places[2];
  Word words[2];
  bool valid[2];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int64_t index = first + i * 256;
    valid[i] = index < shape.count;
    if (!valid[i]) continue;
    const Unit unit = unit_at(shape, index, report);
    const Place inside = place_of(shape.slice, unit.inside);
    places[i] = unit.named.offset + inside.to;
    valid[i] = unit.named.valid;
    if (valid[i] && owners) {
      valid[i] = owners[ByElement ? places[i] : unit.named.key] == unit.row + 1;
    }
    if (valid[i]) words[i] = updates[unit.named.updates + inside.from];
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    if (valid[i]) out[places[i]] = words[i];
  }
}

template <class T, Merge mode>
__global__ void __launch_bounds__(256)
    scatter_merge(const T* updates, T* out, const __grid_constant__ IndexedShape shape,
                  FaultReport report) {
  start_after_earlier();
  const int64_t index = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x;
  if (index >= shape.count) return;
  const Unit unit = unit_at(shape, index, report);
  if (!unit.named.valid) return;
  const Place inside = place_of(shape.slice, unit.inside);
  merge_into<mode>(out + unit.named.offset + inside.to, updates[unit.named.updates + inside.from]);
}

// Where pick `pick` of a scatter_axis goes; -1 if its index is out of range.
__device__ __forceinline__ int64_t along_place(const AlongShape& shape, const int64_t* indices,
                                               int64_t pick, const FaultReport& report) {
  int64_t index = indices[pick];
  if (!wrap_index(index, shape.extent, report)) return -1;
  return place_of(shape.walk, pick).from + index * shape.inner;
}

__global__ void __launch_bounds__(256)
    claim_along(const int64_t* indices, uint32_t* owners, const __grid_constant__ AlongShape shape,
                FaultReport report) {
  start_after_earlier();
  const int64_t pick = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x;
  if (pick >= shape.walk.count) return;
  const int64_t place = along_place(shape, indices, pick, report);
  if (place >= 0) atomicMax(owners + place, static_cast<uint32_t>(pick + 1));
}

template <class T, Merge mode>
__global__ void __launch_bounds__(256)
    scatter_along(const int64_t* indices, const T* updates, T* out, const uint32_t* owners,
                  const __grid_constant__ AlongShape shape, FaultReport report) {
  start_after_earlier();
  const int64_t pick = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x;
  if (pick >= shape.walk.count) return;
  const int64_t place = along_place(shape, indices, pick, report);
  if (place < 0) return;
  if constexpr (mode == Merge::replace) {
    if (owners[place] == pick + 1) out[place] = updates[pick];
  } else {
    merge_into<mode>(out + place, updates[pick]);
  }
}
