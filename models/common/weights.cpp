#include "common/weights.h"

namespace lazuli::models {
namespace {

// An array over the bytes of the file, which stays mapped as long as the array lives.
array mapped(const gguf::File& file, const gguf::Tensor& tensor, Shape shape, Dtype dtype) {
  auto storage = file.storage();
  void* data = const_cast<std::byte*>(tensor.bytes.data());
  return array(data, std::move(shape), dtype, [storage](void*) mutable { storage.reset(); });
}

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

Weight weight(const gguf::File& file, const std::string& name) {
  const gguf::Tensor& tensor = file.tensor(name);
  if (tensor.shape.size() != 2) refuse(file, tensor, "a matrix is needed");
  int64_t rows = tensor.shape[0], columns = tensor.shape[1];
  if (tensor.type.packed) {
    int64_t bytes = packed_row_bytes(*tensor.type.packed, columns);
    return Weight(mapped(file, tensor, {rows, bytes}, uint8), tensor.type.packed);
  }
  if (!tensor.type.dtype) refuse(file, tensor, "it cannot be multiplied");
  return Weight(mapped(file, tensor, {rows, columns}, *tensor.type.dtype), std::nullopt);
}

array vector(const gguf::File& file, const std::string& name) {
  const gguf::Tensor& tensor = file.tensor(name);
  if (tensor.shape.size() != 1 || !tensor.type.dtype)
    refuse(file, tensor, "a plain vector is needed");
  return astype(mapped(file, tensor, {tensor.shape[0]}, *tensor.type.dtype), float32);
}

}  // namespace lazuli::models
