#include "common/weights.h"

namespace lazuli::models {
namespace {

[[noreturn]] void refuse(const gguf::File& file, const gguf::Tensor& tensor, const char* wanted) {
  throw IoError(file.path() + ": tensor '" + std::string(tensor.name) + "' has type " +
                tensor.type.name + "; " + wanted + ".");
}

}  // namespace

array Weight::operator()(const array& x) const {
  if (format_) return packed_matmul(x, values_, *format_);
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

JoinedWeight::JoinedWeight(std::vector<Weight> parts) : parts_(std::move(parts)) {
  for (const Weight& part : parts_) {
    if (auto matrix = part.packed()) packed_.push_back(*matrix);
  }
  if (packed_.size() != parts_.size()) packed_.clear();
}

array JoinedWeight::operator()(const array& x) const {
  if (!packed_.empty()) return packed_matmul(x, packed_);
  std::vector<array> products;
  for (const Weight& part : parts_) products.push_back(part(x));
  return concatenate(products, -1);
}

Weight weight(const gguf::File& file, const std::string& name) {
  const gguf::Tensor& tensor = file.tensor(name);
  if (tensor.shape.size() != 2) refuse(file, tensor, "a matrix is needed");
  return Weight(gguf::tensor_array(file, tensor), tensor.type.packed);
}

array vector(const gguf::File& file, const std::string& name) {
  const gguf::Tensor& tensor = file.tensor(name);
  if (tensor.shape.size() != 1 || !tensor.type.dtype)
    refuse(file, tensor, "a plain vector is needed");
  return astype(gguf::tensor_array(file, tensor), float32);
}

}  // namespace lazuli::models
