// The printed form of arrays: NumPy's brackets, with long axes shortened to their ends.
#include <cmath>
#include <cstdio>
#include <sstream>

#include "core/node.h"
#include "core/visit.h"

namespace lazuli {
namespace {

constexpr int64_t edge_items = 3;
constexpr int64_t shown_whole = 2 * edge_items;

void print_float(std::ostream& out, double value) {
  if (std::isnan(value)) {
    out << "nan";
  } else if (std::isinf(value)) {
    out << (value > 0 ? "inf" : "-inf");
  } else {
    char text[40];
    std::snprintf(text, sizeof text, "%.6g", value);
    out << text;
  }
}

template <class T>
void print_value(std::ostream& out, T value) {
  if constexpr (std::is_same_v<T, bool>) {
    out << (value ? "True" : "False");
  } else if constexpr (std::is_same_v<T, complex64_t>) {
    print_float(out, value.real());
    if (value.imag() >= 0 || std::isnan(value.imag())) out << "+";
    print_float(out, value.imag());
    out << "j";
  } else if constexpr (std::is_integral_v<T>) {
    out << +value;
  } else {
    print_float(out, static_cast<double>(value));
  }
}

class Printer {
 public:
  Printer(std::ostream& out, const array& a)
      : out_(out),
        shape_(a.shape()),
        strides_(a.strides()),
        dtype_(a.dtype()),
        data_(a.data<char>()) {}

  void print(size_t axis, int64_t offset) {
    if (axis == shape_.size()) {
      visit(dtype_, [&]<class T>() {
        print_value(out_, *reinterpret_cast<const T*>(data_ + offset * dtype_.size()));
      });
      return;
    }
    int64_t extent = shape_[axis];
    bool inner = axis + 1 == shape_.size();
    out_ << "[";
    for (int64_t i = 0; i < extent; ++i) {
      if (i) separate(axis, inner);
      if (extent > shown_whole && i == edge_items) {
        out_ << "...";
        i = extent - edge_items - 1;
        continue;
      }
      print(axis + 1, offset + i * strides_[axis]);
    }
    out_ << "]";
  }

 private:
  void separate(size_t axis, bool inner) {
    if (inner) {
      out_ << ", ";
      return;
    }
    out_ << ",\n" << std::string(7 + axis, ' ');
  }

  std::ostream& out_;
  const Shape& shape_;
  const Strides& strides_;
  Dtype dtype_;
  const char* data_;
};

}  // namespace

std::ostream& operator<<(std::ostream& out, const array& a) {
  out << "array(";
  Printer(out, a).print(0, 0);
  return out << ", dtype=" << dtype_name(a.dtype()) << ")";
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << "(";
  for (size_t i = 0; i < shape.size(); ++i) out << (i ? "," : "") << shape[i];
  return out << ")";
}

std::ostream& operator<<(std::ostream& out, const Dtype& dtype) { return out << dtype_name(dtype); }

}  // namespace lazuli
