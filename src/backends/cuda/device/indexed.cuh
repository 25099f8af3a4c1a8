// Places that index arrays name: what gather.cu and scatter.cu walk over. Host code includes this
// file too.
#pragma once

constexpr int index_arrays_max = 8;

struct IndexArray {
  const int64_t* data;
  int64_t room;  // how many positions there are
  int64_t step;  // between positions, in units
  int64_t key;   // between positions, among the rows that indices name
  int64_t steps[8];  // along the axes of `lead`
};

// Rows of `block` units, each at the place that the indices of its row name.
struct IndexedShape {
  Axes<8> lead;   // of the index arrays; from: of the updates, in units
  Axes<8> slice;  // from, to: of a row's units
  Axis block;     // extent: units of a row
  int64_t count;  // of all units
  int32_t wide;   // there are 2^31 or more
  int32_t arrays;
  IndexArray array[index_arrays_max];
};

// Rows of units that lie together, by one index each.
struct RowsShape {
  const int64_t* indices;
  int64_t step;     // between indices
  int64_t rows;     // that there are
  int64_t between;  // their beginnings, in units
  Axis row;         // extent: units of a row
  int64_t count;    // of all units
  int32_t wide;     // there are 2^31 or more
};

// Indices along one axis, elementwise: a dense [outer, extent, inner] and picks of it
// [outer, picks, inner].
struct AlongShape {
  Axes<3> walk;  // over the picks; from: in the dense array, without the index
  int64_t extent, inner;
};
