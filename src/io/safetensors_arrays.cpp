// Arrays from and into safetensors files.
#include "base/message.h"
#include "io/array_bytes.h"
#include "lazuli/error.h"
#include "lazuli/io.h"

namespace lazuli {

namespace {

SafetensorsLoad arrays_of(const safetensors::File& file) {
  SafetensorsLoad result;
  for (const safetensors::Tensor& tensor : file.tensors()) {
    if (tensor.dtype) result.first.emplace(tensor.name, safetensors::tensor_array(file, tensor));
  }
  result.second.insert(file.metadata().begin(), file.metadata().end());
  return result;
}

// The arrays computed, and what the format needs to know of them.
struct Prepared {
  std::vector<array> arrays;  // hold the bytes
  std::vector<safetensors::Source> sources;
  std::map<std::string, std::string> metadata;
};

Prepared prepare(const std::unordered_map<std::string, array>& arrays,
                 const std::unordered_map<std::string, std::string>& metadata) {
  Prepared prepared;
  for (const auto& [name, value] : arrays) {
    prepared.arrays.push_back(io::laid_out(value));
    const array& a = prepared.arrays.back();
    prepared.sources.push_back({name, a.dtype(), io::shape_of(a), io::bytes_of(a)});
  }
  prepared.metadata.insert(metadata.begin(), metadata.end());
  return prepared;
}

}  // namespace

array safetensors::tensor_array(const File& file, const Tensor& tensor) {
  if (tensor.dtype) {
    return io::array_over(file.storage(), tensor.bytes, tensor.shape, *tensor.dtype);
  }
  throw IoError("safetensors file " + printable(file.path(), 1000) + ": tensor " +
                printable(tensor.name) + " is of dtype " + printable(tensor.dtype_name) +
                ", which is not supported; convert it to another");
}

SafetensorsLoad load_safetensors(const std::string& file, StreamOrDevice, io::FileAccess access) {
  return arrays_of(safetensors::open(file, access));
}

SafetensorsLoad load_safetensors(std::shared_ptr<io::Reader> in_stream, StreamOrDevice) {
  return arrays_of(safetensors::open(io::read_rest(*in_stream)));
}

void save_safetensors(std::string file, std::unordered_map<std::string, array> arrays,
                      std::unordered_map<std::string, std::string> metadata) {
  Prepared prepared = prepare(arrays, metadata);
  safetensors::save(io::with_ending(std::move(file), ".safetensors"), prepared.sources,
                    prepared.metadata);
}

void save_safetensors(std::shared_ptr<io::Writer> out_stream,
                      std::unordered_map<std::string, array> arrays,
                      std::unordered_map<std::string, std::string> metadata) {
  Prepared prepared = prepare(arrays, metadata);
  io::write_stream(*out_stream, [&](const io::Sink& sink) {
    safetensors::write(sink, prepared.sources, prepared.metadata);
  });
}

}  // namespace lazuli
