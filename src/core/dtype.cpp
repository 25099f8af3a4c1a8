#include "lazuli/dtype.h"

#include <array>
#include <iterator>

#include "lazuli/error.h"

namespace lazuli {
namespace {

using Category = Dtype::Category;

struct DtypeRow {
  Dtype dtype;
  const char* name;
  Category category;
};

// In the order of Dtype::Val.
constexpr DtypeRow rows[] = {
    {bool_, "bool", Category::generic},
    {uint8, "uint8", Category::unsignedinteger},
    {uint16, "uint16", Category::unsignedinteger},
    {uint32, "uint32", Category::unsignedinteger},
    {uint64, "uint64", Category::unsignedinteger},
    {int8, "int8", Category::signedinteger},
    {int16, "int16", Category::signedinteger},
    {int32, "int32", Category::signedinteger},
    {int64, "int64", Category::signedinteger},
    {float16, "float16", Category::floating},
    {float32, "float32", Category::floating},
    {float64, "float64", Category::floating},
    {bfloat16, "bfloat16", Category::floating},
    {complex64, "complex64", Category::complexfloating},
};

const DtypeRow& row(Dtype dtype) { return rows[static_cast<int>(dtype.val())]; }

Dtype signed_of(int bytes) {
  return bytes == 1 ? int8 : bytes == 2 ? int16 : bytes == 4 ? int32 : int64;
}

Dtype promote_integers(Dtype a, Dtype b) {
  bool a_signed = row(a).category == Category::signedinteger;
  bool b_signed = row(b).category == Category::signedinteger;
  if (a_signed == b_signed) return a.size() >= b.size() ? a : b;
  Dtype s = a_signed ? a : b;
  Dtype u = a_signed ? b : a;
  if (s.size() > u.size()) return s;
  if (u.size() == 8) return float32;
  return signed_of(u.size() * 2);
}

Category parent(Category c) {
  switch (c) {
    case Category::complexfloating:
    case Category::floating: return Category::inexact;
    case Category::signedinteger:
    case Category::unsignedinteger: return Category::integer;
    case Category::inexact:
    case Category::integer: return Category::number;
    default: return Category::generic;
  }
}

}  // namespace

Dtype promote_types(const Dtype& a, const Dtype& b) {
  if (a == b) return a;
  if (a == complex64 || b == complex64) return complex64;
  bool a_floats = row(a).category == Category::floating;
  bool b_floats = row(b).category == Category::floating;
  if (a_floats && b_floats) {
    if (a.size() == b.size()) return float32;  // float16 with bfloat16
    return a.size() > b.size() ? a : b;
  }
  if (a_floats) return a;
  if (b_floats) return b;
  if (a == bool_) return b;
  if (b == bool_) return a;
  return promote_integers(a, b);
}

bool issubdtype(const Category& a, const Category& b) {
  for (Category c = a;; c = parent(c)) {
    if (c == b) return true;
    if (c == Category::generic) return false;
  }
}
bool issubdtype(const Dtype& a, const Category& b) { return issubdtype(row(a).category, b); }
bool issubdtype(const Dtype& a, const Dtype& b) { return a == b; }

const char* dtype_name(Dtype dtype) { return row(dtype).name; }

Dtype dtype_from_name(const std::string& name) {
  for (const DtypeRow& r : rows) {
    if (name == r.name) return r.dtype;
  }
  throw ArgumentError("There is no dtype named '" + name + "'.");
}

}  // namespace lazuli
