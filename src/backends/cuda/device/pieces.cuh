// What the kernels of move.cu copy. Host code includes this file too.
#pragma once

template <int RankMax>
struct Piece {
  const char* from;
  char* to;
  int64_t first_block;  // of the launch
  Axes<RankMax> axes;   // steps in units
};

// Copied by one launch, in turn; what follows the last piece starts at block `blocks`.
template <int RankMax, int Count>
struct Pieces {
  int32_t count;
  Piece<RankMax> piece[Count];
};
