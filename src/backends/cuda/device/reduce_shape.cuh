// What the kernels of reductions.cuh reduce. Host code includes this file too.
#pragma once

struct ReduceShape {
  Axes<8> kept;     // from: of the input; to: of the output
  Axes<8> reduced;  // from: of the input
  int64_t length;       // elements reduced into one
  int64_t column_step;  // between neighbouring columns of a unit, in the output
  int32_t lanes;        // threads of a row, or beside each other on columns
};
