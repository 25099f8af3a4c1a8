// What rope.cu rotates and copies. Host code includes this file too.
#pragma once

constexpr int rope_jobs_max = 3, rope_turns_max = 128, rope_axes_max = 6;

// Rows of features of one array. Steps are in elements; the features of an output lie side by side.
struct RopeJob {
  const void* x;
  void* out;
  void* also;  // gets the rotated rows too, unless it is null; then there is one axis of heads
  Axes<rope_axes_max> heads;  // all leading axes but the first; from: of x, to: of out
  int64_t example_from, example_to, example_also;
  int64_t row_from, row_to, row_also;  // along positions
  int64_t head_also;
  int64_t step;           // along features of x
  int64_t length, width;  // positions, features
  int64_t half;           // pairs that are rotated; 0: a copy
  int64_t slots;    // threads of a row: groups of pairs, then of the features behind them
  Axis slot, row;   // extents: slots of a row, positions
  int64_t count;    // threads along x: examples * length * slots
  int32_t wide;     // there are 2^31 or more
  int32_t group;    // heads of a thread
  int32_t columns;  // blocks for all rows of a head; there are so many for each group of heads
  int32_t first_block;
};

// How far each position turns each pair.
struct RopeTurns {
  int64_t half;
  int32_t offset_kind;  // 0: `offset` holds it; else behind the pointer: 1 int32, 2 int64, 3 float
  int32_t known;        // `turn` holds turns a position for each pair; else worked out from these:
  const void* offsets;
  int64_t offset_step;  // between examples
  double offset;
  double scale, log2_base;
  const float* freqs;  // instead of the base, unless it is null
  int64_t freqs_step;
  double turn[rope_turns_max];
};

struct RopeJobs {
  int32_t count;
  RopeJob job[rope_jobs_max];
  RopeTurns turns;
};
