// What rope.cu rotates. Host code includes this file too.
#pragma once

struct RopeShape {
  Axes<6> heads;         // all leading axes but the first; from: of x
  int64_t example_step;  // along the first axis of x, in elements
  int64_t row_step, step;  // along positions and features of x
  int64_t length, width;   // positions, features; the output is dense
  int64_t half;            // pairs that are rotated
  int64_t slots;     // threads of a row: groups of pairs, then of the features behind them
  Axis slot, row;    // extents: slots of a row, positions
  int64_t count;     // threads along x: examples * length * slots
  int32_t wide;      // there are 2^31 or more
  int32_t group;     // heads of a thread
  int32_t offset_kind;  // 0: `offset` holds it; else behind the pointer: 1 int32, 2 int64, 3 float
  int64_t offset_step;  // between examples
  double offset;
  double scale, log2_base;  // the base is unused where there are frequencies
  int64_t freqs_step;
};
