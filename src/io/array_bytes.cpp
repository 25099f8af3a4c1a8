#include "io/array_bytes.h"

#include <algorithm>
#include <cstring>

#include "base/atomic_file.h"
#include "lazuli/error.h"
#include "lazuli/ops.h"

namespace lazuli::io {

array array_over(const std::shared_ptr<const MappedFile>& storage, std::span<const std::byte> bytes,
                 const std::vector<int64_t>& shape, Dtype dtype) {
  auto is_no_bool = [](std::byte byte) { return byte > std::byte{1}; };
  if (dtype == bool_ && std::any_of(bytes.begin(), bytes.end(), is_no_bool)) {
    std::vector<std::byte> truth(bytes.size());
    std::transform(bytes.begin(), bytes.end(), truth.begin(),
                   [](std::byte byte) { return std::byte{byte != std::byte{0}}; });
    return copy_of(truth, shape, bool_);
  }
  size_t alignment = dtype == complex64 ? sizeof(float) : dtype.size();
  bool aligned = reinterpret_cast<uintptr_t>(bytes.data()) % alignment == 0;
  if (bytes.empty() || !aligned) return copy_of(bytes, shape, dtype);
  // The array only reads: memory that came from outside is never taken over.
  void* memory = const_cast<std::byte*>(bytes.data());
  return array(memory, Shape(shape), dtype, [held = storage](void*) {});
}

array copy_of(std::span<const std::byte> bytes, const std::vector<int64_t>& shape, Dtype dtype) {
  // An empty span may be a null pointer, which memcpy must not get.
  const void* values = bytes.empty() ? static_cast<const void*>("") : bytes.data();
  return array::from_memory(values, Shape(shape), dtype, dtype);
}

array laid_out(const array& a) {
  array result = a;
  result.eval();
  if (!result.is_row_contiguous()) {
    result = contiguous(result);
    result.eval();
  }
  return result;
}

std::span<const std::byte> bytes_of(const array& laid_out) {
  if (laid_out.size() == 0) return {};
  return {reinterpret_cast<const std::byte*>(laid_out.data<uint8_t>()), laid_out.nbytes()};
}

std::vector<int64_t> shape_of(const array& a) { return {a.shape().begin(), a.shape().end()}; }

std::shared_ptr<const MappedFile> read_rest(Reader& reader) {
  if (!reader.is_open() || !reader.good()) throw IoError(reader.label() + ": is not open");
  size_t begin = reader.tell();
  reader.seek(0, std::ios_base::end);
  size_t end = reader.tell();
  reader.seek(static_cast<int64_t>(begin));
  std::vector<std::byte> bytes(end - std::min(begin, end));
  reader.read(reinterpret_cast<char*>(bytes.data()), bytes.size());
  return MappedFile::copy(reader.label(), bytes);
}

std::string with_ending(std::string name, std::string_view ending) {
  if (!name.ends_with(ending)) name += ending;
  return name;
}

void write_file(const std::string& path, const std::function<void(const Sink&)>& produce) {
  AtomicFile file(path);
  produce([&](std::span<const std::byte> bytes) { file.write(bytes); });
  file.commit();
}

void write_stream(Writer& writer, const std::function<void(const Sink&)>& produce) {
  writer.open();
  if (!writer.is_open() || !writer.good()) throw IoError(writer.label() + ": is not open");
  produce([&](std::span<const std::byte> bytes) {
    writer.write(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
}

}  // namespace lazuli::io
