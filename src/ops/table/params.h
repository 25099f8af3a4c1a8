// Parameters of each op that has any, as fields of their own types.
//
// A struct names its fields once, in the order of their words: those that shape the plan, then
// those that are read when a plan is bound (words.h). Both ways follow from that:
//   encode(CumulativeParams{axis, mode, reverse, inclusive})    the words that recording takes
//   params<CumulativeParams>(node).reverse                      read back
// A double is kept by its bits, all else as the same number. Lists take the words that the other
// fields leave, an equal share each; they are read in place, so they live as long as the words.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "ops/table/op.h"
#include "ops/table/words.h"

namespace lazuli {

enum class PackedFormat : uint8_t;
enum class Precision : uint8_t;

// What an identity is for.
enum class IdentityKind : uint8_t {
  plain,  // the same value, for instance of a traced argument
  stop,  // derivatives end here
  gate,  // an output of a function with rules of its own: transforms/custom.h
};

// How the scores of an attention are masked.
enum class MaskKind : uint8_t { none, causal, boolean, additive };

// ---- Leaves and identities ----
struct ConstantParams {
  uint64_t bits;  // the value in its dtype's own format, in the low bytes
  constexpr void fields(auto& io) { io.bound(bits); }
};

struct IdentityParams {
  IdentityKind kind;
  constexpr void fields(auto& io) { io.structural(kind); }
};
// An identity that is like no other of the same value.
struct UniqueIdentityParams {
  IdentityKind kind;
  int64_t number;
  constexpr void fields(auto& io) {
    io.structural(kind);
    io.bound(number);
  }
};
// A gate: its rules, which of the call's outputs it is, how many those are, and the call.
struct GateParams {
  IdentityKind kind;
  int64_t rules;
  size_t output, count;
  int64_t call;
  constexpr void fields(auto& io) {
    io.structural(kind);
    io.bound(rules, output, count, call);
  }
};

// ---- Axes ----
// squeeze, expand_dims, transpose, gather and the reductions.
struct AxesParams {
  Words axes;
  constexpr void fields(auto& io) { io.structural(axes); }
};
// argmax, argmin, concatenate, gather_axis.
struct AxisParams {
  int axis;
  constexpr void fields(auto& io) { io.structural(axis); }
};
struct CumulativeParams {
  int axis;
  ScatterMode mode;
  bool reverse, inclusive;
  constexpr void fields(auto& io) { io.structural(axis, mode, reverse, inclusive); }
};

// ---- Places ----
// slice and slice_update: a start and a stride for each axis.
struct SliceParams {
  Words starts, strides;
  constexpr void fields(auto& io) { io.bound(starts, strides); }
};
struct AsStridedParams {
  int64_t offset;
  Words strides;
  constexpr void fields(auto& io) { io.bound(offset, strides); }
};
struct ScatterParams {
  ScatterMode mode;
  Words axes;
  constexpr void fields(auto& io) { io.structural(mode, axes); }
};
struct ScatterAxisParams {
  int axis;
  ScatterMode mode;
  constexpr void fields(auto& io) { io.structural(axis, mode); }
};
// sort, argsort, partition, argpartition: the place that a partition settles.
struct OrderParams {
  int64_t kth;
  constexpr void fields(auto& io) { io.bound(kth); }
};
// Of floats as doubles, of integers as int64_t.
template <class T>
struct ArangeParams {
  T start, step;
  constexpr void fields(auto& io) { io.bound(start, step); }
};

// ---- Weights in few bits ----
// packed_take, packed_dequantize.
struct PackedParams {
  PackedFormat format;
  constexpr void fields(auto& io) { io.structural(format); }
};
struct PackedMatmulParams {
  Words formats;  // of each matrix
  Precision precision;
  constexpr void fields(auto& io) { io.structural(formats, precision); }
  PackedFormat format(size_t matrix) const { return static_cast<PackedFormat>(formats[matrix]); }
};
struct AffineQuantizeParams {
  int part;  // 0 levels, 1 scales, 2 biases
  int group, bits;
  constexpr void fields(auto& io) { io.structural(part, group, bits); }
};
struct AffineDequantizeParams {
  int group, bits;
  constexpr void fields(auto& io) { io.structural(group, bits); }
};
struct QuantizedMatmulParams {
  int group, bits;
  bool transpose;
  constexpr void fields(auto& io) { io.structural(group, bits, transpose); }
};

// ---- Transformers ----
struct RopeParams {
  int64_t dims;
  bool traditional;
  double scale, base;
  constexpr void fields(auto& io) {
    io.structural(dims, traditional);
    io.bound(scale, base);
  }
};
struct AttentionParams {
  MaskKind mask;
  bool sinks;
  double scale;
  constexpr void fields(auto& io) {
    io.structural(mask, sinks);
    io.bound(scale);
  }
  bool has_array() const { return mask == MaskKind::boolean || mask == MaskKind::additive; }
};

// ---- Words and fields ----
struct FieldCounter {
  size_t scalars = 0, lists = 0, listed = 0;

  constexpr void structural(auto&... fields) { (count(fields), ...); }
  constexpr void bound(auto&... fields) { (count(fields), ...); }

 private:
  constexpr void count(const Words& list) {
    ++lists;
    listed += list.size();
  }
  template <class T>
  constexpr void count(const T&) {
    ++scalars;
  }
};

class WordWriter {
 public:
  WordWriter(Params& made, size_t count) : made_(made) { made.words.reserve(count); }

  void structural(auto&... fields) {
    (write(fields), ...);
    made_.structural = static_cast<uint16_t>(made_.words.size());
  }
  void bound(auto&... fields) { (write(fields), ...); }

 private:
  void write(const Words& list) {
    for (int64_t word : list) made_.words.push_back(word);
  }
  void write(double value) { made_.words.push_back(std::bit_cast<int64_t>(value)); }
  template <class T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  void write(T value) {
    made_.words.push_back(static_cast<int64_t>(value));
  }

  Params& made_;
};

class WordReader {
 public:
  WordReader(Words words, size_t list_length) : next_(words.data()), list_length_(list_length) {}

  void structural(auto&... fields) { (read(fields), ...); }
  void bound(auto&... fields) { (read(fields), ...); }

 private:
  void read(Words& list) {
    list = Words(next_, list_length_);
    next_ += list_length_;
  }
  void read(double& value) { value = std::bit_cast<double>(*next_++); }
  void read(bool& value) { value = *next_++ != 0; }
  template <class T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  void read(T& value) {
    value = static_cast<T>(*next_++);
  }

  const int64_t* next_;
  size_t list_length_;
};

template <class P>
constexpr FieldCounter fields_of(P params) {
  FieldCounter counter;
  params.fields(counter);
  return counter;
}

template <class P>
Params encode(P params) {
  FieldCounter count = fields_of(params);
  Params made;
  WordWriter writer(made, count.scalars + count.listed);
  params.fields(writer);
  return made;
}

template <class P>
P params(Words words) {
  constexpr FieldCounter count = fields_of(P{});
  size_t list_length = 0;
  if constexpr (count.lists > 0) list_length = (words.size() - count.scalars) / count.lists;
  WordReader reader(words, list_length);
  P read{};
  read.fields(reader);
  return read;
}

// Of a node, or of whatever else keeps its words as `params`.
template <class P, class Holder>
  requires requires(const Holder& holder) {
    { holder.params.data() } -> std::convertible_to<const int64_t*>;
  }
P params(const Holder* holder) {
  return params<P>(Words(holder->params.data(), holder->params.size()));
}

}  // namespace lazuli
