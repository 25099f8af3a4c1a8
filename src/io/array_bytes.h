// Arrays over the bytes of a file, and the bytes of arrays.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lazuli/array.h"
#include "lazuli/io/load.h"
#include "lazuli/io/mapped_file.h"

namespace lazuli::io {

// The row-major array whose bytes these are, in the machine's byte order. It keeps the storage
// alive. Bytes that lie unaligned for the dtype, and bools that are neither 0 nor 1, are copied.
array array_over(const std::shared_ptr<const MappedFile>& storage, std::span<const std::byte> bytes,
                 const std::vector<int64_t>& shape, Dtype dtype);

// An array with a copy of the bytes.
array copy_of(std::span<const std::byte> bytes, const std::vector<int64_t>& shape, Dtype dtype);

// The array computed, row-major without gaps: its bytes may be read.
array laid_out(const array& a);
std::span<const std::byte> bytes_of(const array& laid_out);

std::vector<int64_t> shape_of(const array& a);

// All that is left to read.
std::shared_ptr<const MappedFile> read_rest(Reader& reader);

// The name, with the ending appended unless it is there.
std::string with_ending(std::string name, std::string_view ending);

using Sink = std::function<void(std::span<const std::byte>)>;

// Calls `produce` with a sink that writes a whole file, or into the stream, which is opened first.
void write_file(const std::string& path, const std::function<void(const Sink&)>& produce);
void write_stream(Writer& writer, const std::function<void(const Sink&)>& produce);

}  // namespace lazuli::io
