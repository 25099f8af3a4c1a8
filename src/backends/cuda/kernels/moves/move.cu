// concatenate and slice_update: pieces with any steps -> places with any steps.
//
// A unit is what can be moved at once: up to 16 bytes where pieces lie densely. Each block moves
// 1024 units of one piece, each thread four of them, a block's width apart: read all, then written.
// All pieces of a concatenation go in one launch.
//
// Floor: each byte read and written once.
#include "indexing.cuh"
// (types first)
#include "pieces.cuh"

template <class Unit, int RankMax, int Count>
__global__ void __launch_bounds__(256)
    move_pieces(const __grid_constant__ Pieces<RankMax, Count> pieces) {
  start_after_earlier();
  int k = 0;
  while (k + 1 < pieces.count && blockIdx.x >= pieces.piece[k + 1].first_block) ++k;
  const Piece<RankMax>& piece = pieces.piece[k];
  const Unit* from = reinterpret_cast<const Unit*>(piece.from);
  Unit* to = reinterpret_cast<Unit*>(piece.to);
  const int64_t first = (blockIdx.x - piece.first_block) * 1024 + threadIdx.x;
  Unit units[4];
  int64_t places[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int64_t unit = first + i * 256;
    if (unit < piece.axes.count) {
      const Place place = place_of(piece.axes, unit);
      units[i] = from[place.from];
      places[i] = place.to;
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (first + i * 256 < piece.axes.count) to[places[i]] = units[i];
  }
}
