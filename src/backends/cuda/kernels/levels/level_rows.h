// Products of a few rows of x with rows of levels (level_rows.cuh).
#pragma once

#include <optional>
#include <string>

#include "backends/cuda/kernel.h"
#include "lazuli/packed_format.h"

namespace lazuli::cuda {

// A format of levels: a GGUF format, or affine levels (scales of the product's dtype).
struct LevelFormat {
  static constexpr int affine_kinds = 36, count = packed_format_count + affine_kinds;
  int id;               // below count, for tables
  bool packed;
  int bits, group;      // of affine levels
  PackedFormat format;  // of GGUF's
  int64_t chunk_bytes;  // of 256 elements
  bool aligned;         // rows are read as if at multiples of 16 bytes
  bool split, long_words;  // as in byte_readers.cuh: the order of a run's elements, bytes at a time

  static LevelFormat at(int id);
  static LevelFormat of(PackedFormat format);
  static LevelFormat affine(int bits, int group, bool aligned);
  // The name of its struct in device code.
  std::string device_name(Dtype::Val dtype) const;
};

// A matrix of a product: w [rows, K], whose columns of the output begin at `column`.
struct LevelPart {
  const void *w, *scales, *biases;
  int64_t rows, column;
  bool settled;  // all of it may be read before earlier work is done
};

// Products of one x [m, k], dense, with several matrices of levels; out [m, columns], all of one
// dtype. x lies at a multiple of 16 bytes.
struct LevelProduct {
  int stream;
  Dtype::Val dtype;
  const void* x;
  int64_t m, k;
  void* out;
  int64_t columns;
  bool exact = false;  // of float32, accurate to it whatever the rows hold
};

// True if the products were queued; false where x has too many rows, or the sums of levels and
// those of biases would cancel in a product that is to be exact.
bool multiply_level_rows(const LevelProduct& product, const LevelFormat& format, int64_t row_bytes,
                         const LevelPart* parts, size_t count);

// The floats of x as planes of bfloats whose sum they are: [m, 3, k].
void split_planes(const LevelProduct& product, void* to);

// An operand's address, or that of a copy where it is not at a multiple of `bytes`.
const void* aligned_data(int stream, const Operand& operand, uintptr_t bytes,
                         std::optional<Scratch>& copy);

// How many rows of `row_bytes` as dense numbers are made at once, where many rows of x are
// multiplied with all of them: even slices of up to about 64 MiB, which start where whole tiles of
// the output do.
int64_t dense_slice_rows(int64_t rows, int64_t row_bytes);

}  // namespace lazuli::cuda
