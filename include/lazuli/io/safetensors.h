// Safetensors files: named tensors as they lie in the file, nothing converted.
//
// Source: the safetensors format description. Eight bytes give the length of a JSON header, which
// gives for each tensor its dtype, shape and place in the bytes that follow; the tensors fill those
// bytes without overlap or hole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lazuli/dtype.h"
#include "lazuli/io/mapped_file.h"

namespace lazuli::safetensors {

// "F32", "BF16", ...: how the format spells a dtype.
const char* format_name(Dtype dtype);

struct Tensor {
  std::string name;
  std::optional<Dtype> dtype;  // none where Lazuli has no such dtype: the bytes are all there is
  std::string dtype_name;  // as the file spells it
  std::vector<int64_t> shape;  // row-major
  uint64_t offset;  // of the first byte, from the start of the file
  std::span<const std::byte> bytes;  // a view into the file; may be unaligned
};

// An open file. Copies share the storage, in which the tensors' bytes live.
class File {
 public:
  const std::string& path() const noexcept { return storage_->path(); }
  const std::shared_ptr<const io::MappedFile>& storage() const noexcept { return storage_; }
  const std::vector<Tensor>& tensors() const noexcept { return tensors_; }
  const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }

  // The tensor of that name, or null.
  const Tensor* find(std::string_view name) const;
  // The same; NotFoundError, naming the file, if there is none.
  const Tensor& tensor(std::string_view name) const;

 private:
  friend class Reader;
  File() = default;

  std::shared_ptr<const io::MappedFile> storage_;
  std::vector<Tensor> tensors_;  // by place in the file
  std::map<std::string, std::string> metadata_;
  std::map<std::string, size_t, std::less<>> index_;
};

// Opens and checks the file. IoError, naming the file, the field and the offset, if it is damaged
// or if its header is longer than 100 MB. Floats of 8 bits (F8_E4M3, F8_E5M2, F8_E8M0 ...) are read
// as their bytes, uint8; a tensor of another dtype that Lazuli has not is there without a dtype.
// Fields of a tensor that are not the format's are ignored.
File open(const std::string& path, io::FileAccess access = io::FileAccess::map);
File open(std::shared_ptr<const io::MappedFile> storage);

// A tensor to write.
struct Source {
  std::string name;
  Dtype dtype;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;  // must live until `save` returns
};

// Writes the file under a temporary name beside `path` and renames it. The widest dtypes lie first,
// so that every tensor is aligned; of one width, they lie in the order of their names.
// ArgumentError if a name is there twice, is "__metadata__" or is no UTF-8, or if the bytes are not
// those of the dtype and shape; IoError as usual.
void save(const std::string& path, std::vector<Source> tensors,
          const std::map<std::string, std::string>& metadata = {});
// The same into anything that takes bytes, part by part.
void write(const std::function<void(std::span<const std::byte>)>& sink, std::vector<Source> tensors,
           const std::map<std::string, std::string>& metadata = {});

}  // namespace lazuli::safetensors
