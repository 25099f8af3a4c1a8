#include "common/weights.h"

#include <limits>

#include "lazuli/printable.h"

namespace lazuli::models {
namespace {

[[noreturn]] void refuse(const gguf::File& file, const gguf::Tensor& tensor,
                         const std::string& problem) {
  throw IoError("gguf file " + printable(file.path(), 1000) + ": tensor " + printable(tensor.name) +
                " " + problem + ".");
}

std::string text(const std::vector<int64_t>& shape) {
  std::string result = "[";
  for (int64_t extent : shape) {
    result += (result.size() > 1 ? ", " : "") + std::to_string(extent);
  }
  return result + "]";
}

void check_shape(const gguf::File& file, const gguf::Tensor& tensor,
                 const std::vector<int64_t>& wanted) {
  if (tensor.shape == wanted) return;
  refuse(file, tensor,
         "has the shape " + text(tensor.shape) + "; by the metadata it is " + text(wanted));
}

}  // namespace

array Weight::operator()(const array& x) const {
  if (format_) return packed_matmul(x, values_, *format_, Precision::reduced);
  return matmul(x, astype(transpose(values_), x.dtype()));
}

array Weight::rows(const array& indices) const {
  if (format_) return packed_take(values_, *format_, indices);
  return astype(take(values_, indices, 0), float32);
}

std::optional<PackedMatrix> Weight::packed() const {
  if (!format_) return std::nullopt;
  return PackedMatrix{values_, *format_};
}

array Linear::operator()(const array& x) const {
  array product = matrix(x);
  return bias ? product + *bias : product;
}

JoinedWeight::JoinedWeight(std::vector<Weight> parts) : parts_(std::move(parts)) {
  for (const Weight& part : parts_) {
    if (auto matrix = part.packed()) packed_.push_back(*matrix);
  }
  if (packed_.size() != parts_.size()) packed_.clear();
}

array JoinedWeight::operator()(const array& x) const {
  if (!packed_.empty()) return packed_matmul(x, packed_, Precision::reduced);
  std::vector<array> products;
  for (const Weight& part : parts_) products.push_back(part(x));
  return concatenate(products, -1);
}

Weight weight(const gguf::File& file, const std::string& name, int64_t rows, int64_t columns) {
  const gguf::Tensor& tensor = file.tensor(name);
  check_shape(file, tensor, {rows, columns});
  return Weight(gguf::tensor_array(file, tensor), tensor.type.packed);
}

array vector(const gguf::File& file, const std::string& name, int64_t size) {
  const gguf::Tensor& tensor = file.tensor(name);
  check_shape(file, tensor, {size});
  if (!tensor.type.dtype) {
    refuse(file, tensor,
           std::string("has the type ") + tensor.type.name + "; plain numbers are needed");
  }
  return astype(gguf::tensor_array(file, tensor), float32);
}

Linear linear(const gguf::File& file, const std::string& name, int64_t rows, int64_t columns) {
  Linear made{weight(file, name + ".weight", rows, columns), std::nullopt};
  if (file.find_tensor(name + ".bias")) made.bias = vector(file, name + ".bias", rows);
  return made;
}

int64_t matrix_rows(const gguf::File& file, const std::string& name) {
  const gguf::Tensor& tensor = file.tensor(name);
  bool sound = tensor.shape.size() == 2 && tensor.shape[0] > 0 &&
               tensor.shape[0] <= std::numeric_limits<int32_t>::max();
  if (!sound) refuse(file, tensor, "has the shape " + text(tensor.shape) + "; a matrix is needed");
  return tensor.shape[0];
}

}  // namespace lazuli::models
