// Arrays from and into npy files.
#include <algorithm>
#include <string_view>

#include "base/message.h"
#include "io/array_bytes.h"
#include "io/npy.h"
#include "lazuli/error.h"
#include "lazuli/io.h"
#include "lazuli/ops.h"

namespace lazuli {

namespace {

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The array that the header describes, of the bytes that follow it.
array build(const npy::Header& header, const std::shared_ptr<const io::MappedFile>& storage,
            std::span<const std::byte> bytes, StreamOrDevice s) {
  std::vector<int64_t> shape = header.shape;
  if (header.column_major) std::reverse(shape.begin(), shape.end());
  array result = [&] {
    if (!header.big_endian || header.dtype.size() == 1) {
      return io::array_over(storage, bytes, shape, header.dtype);
    }
    // Complex numbers are swapped part by part.
    size_t width = header.dtype == complex64 ? sizeof(float) : header.dtype.size();
    std::vector<std::byte> swapped(bytes.begin(), bytes.end());
    for (size_t i = 0; i < swapped.size(); i += width) {
      std::reverse(swapped.begin() + i, swapped.begin() + i + width);
    }
    return io::copy_of(swapped, shape, header.dtype);
  }();
  return header.column_major && shape.size() > 1 ? transpose(result, s) : result;
}

// Where a file's data begins, and what it is.
struct Layout {
  npy::Header header;
  size_t data_offset;
};

Layout parse(const std::string& label, std::span<const std::byte> bytes) {
  std::string_view text = text_of(bytes);
  npy::Prefix prefix = npy::parse_prefix(label, text.substr(0, npy::prefix_bytes_max));
  text.remove_prefix(prefix.prefix_bytes);
  if (text.size() < prefix.text_bytes) {
    throw IoError("npy file " + printable(label, 1000) +
                  ": header length at byte 8: " + std::to_string(prefix.text_bytes) +
                  " bytes are needed and " + std::to_string(text.size()) + " are left in the file");
  }
  text = text.substr(0, prefix.text_bytes);
  return {npy::parse_header(label, text, prefix.prefix_bytes),
          prefix.prefix_bytes + prefix.text_bytes};
}

void write(const array& a, const io::Sink& sink) {
  std::string header = npy::header_text(a.dtype(), io::shape_of(a));
  sink(std::as_bytes(std::span(header)));
  sink(io::bytes_of(a));
}

}  // namespace

array load(std::string file, StreamOrDevice s, io::FileAccess access) {
  std::shared_ptr<const io::MappedFile> storage = io::MappedFile::open(file, access);
  std::span<const std::byte> bytes = storage->bytes();
  Layout layout = parse(file, bytes);
  bytes = bytes.subspan(layout.data_offset);
  uint64_t needed = npy::data_bytes(layout.header);
  if (bytes.size() < needed) {
    throw IoError("npy file " + printable(file, 1000) + ": data at byte " +
                  std::to_string(layout.data_offset) + ": " + std::to_string(needed) +
                  " bytes are needed and " + std::to_string(bytes.size()) +
                  " are left in the file");
  }
  return build(layout.header, storage, bytes.first(needed), s);
}

// Reads no further than the array's end, since in an archive other things follow.
array load(std::shared_ptr<io::Reader> in_stream, StreamOrDevice s) {
  io::Reader& reader = *in_stream;
  if (!reader.is_open() || !reader.good()) throw IoError(reader.label() + ": is not open");
  std::string text(npy::prefix_bytes_min, '\0');
  reader.read(text.data(), text.size());
  bool is_longer = text.starts_with("\x93NUMPY") && text[6] != 1;
  if (is_longer) {
    text.resize(npy::prefix_bytes_max);
    reader.read(text.data() + npy::prefix_bytes_min, npy::prefix_bytes_max - npy::prefix_bytes_min);
  }
  npy::Prefix prefix = npy::parse_prefix(reader.label(), text);
  text.resize(prefix.text_bytes);
  reader.read(text.data(), text.size());
  npy::Header header = npy::parse_header(reader.label(), text, prefix.prefix_bytes);
  uint64_t needed = npy::data_bytes(header);
  size_t begin = reader.tell();
  reader.seek(0, std::ios_base::end);
  size_t end = reader.tell();
  if (end < begin || end - begin < needed) {
    throw IoError("npy file " + printable(reader.label(), 1000) + ": data at byte " +
                  std::to_string(begin) + ": " + std::to_string(needed) + " bytes are needed and " +
                  std::to_string(end - std::min(begin, end)) + " are left in the file");
  }
  reader.seek(static_cast<int64_t>(begin));
  std::vector<std::byte> bytes(needed);
  reader.read(reinterpret_cast<char*>(bytes.data()), bytes.size());
  auto storage = io::MappedFile::copy(reader.label(), bytes);
  return build(header, storage, storage->bytes(), s);
}

void save(std::string file, array a) {
  array values = io::laid_out(a);
  io::write_file(io::with_ending(std::move(file), ".npy"),
                 [&](const io::Sink& sink) { write(values, sink); });
}

void save(std::shared_ptr<io::Writer> out_stream, array a) {
  array values = io::laid_out(a);
  io::write_stream(*out_stream, [&](const io::Sink& sink) { write(values, sink); });
}

}  // namespace lazuli
