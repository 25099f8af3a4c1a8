// Products of a few rows of x with rows of affine levels: level_rows.cuh with the formats of
// affine_formats.cuh.
#include "affine_formats.cuh"
#include "level_tiles.cuh"
#include "nibble_groups.cuh"
#include "nibble_tiles.cuh"
#include "slab_rows.cuh"
