// What cumulative.cu runs over: a dense [outer, extent, inner]. Host code includes this file too.
#pragma once

struct ScanShape {
  int64_t rows;    // outer * inner
  int64_t extent, inner;
  int64_t tiles;   // of a row
  int64_t chunk, chunks;  // of a line of columns
  Axis line, column;  // extents: lines, inner
  int32_t wide;       // lines * chunks are 2^31 or more
  int32_t reverse, inclusive;
};

// Tiles whose totals are joined at once.
constexpr int64_t scan_group = 256;
