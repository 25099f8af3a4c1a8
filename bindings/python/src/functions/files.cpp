// save, load, savez, save_safetensors, save_gguf.
//
// Objects like files are read whole before anything is parsed, and written at once.
#include <cstring>
#include <memory>
#include <string>

#include "array/casters.h"
#include "array/evaluate.h"
#include "generated/documentation.h"
#include "lazuli/io.h"
#include "registry.h"

namespace lazuli::python {
namespace {

class MemoryReader : public io::Reader {
 public:
  explicit MemoryReader(nb::bytes bytes)
      : bytes_(static_cast<const char*>(bytes.data()), bytes.size()) {}
  bool is_open() const override { return true; }
  bool good() const override { return position_ <= bytes_.size(); }
  size_t tell() override { return position_; }
  void seek(int64_t offset, std::ios_base::seekdir way) override {
    int64_t from = way == std::ios_base::beg   ? 0
                   : way == std::ios_base::cur ? static_cast<int64_t>(position_)
                                               : static_cast<int64_t>(bytes_.size());
    position_ = static_cast<size_t>(from + offset);
  }
  void read(char* data, size_t n) override {
    read(data, n, position_);
    position_ += n;
  }
  void read(char* data, size_t n, size_t offset) override {
    if (offset > bytes_.size() || n > bytes_.size() - offset) {
      throw IoError(label() + ": " + std::to_string(n) + " bytes are needed at byte " +
                    std::to_string(offset) + " of " + std::to_string(bytes_.size()));
    }
    std::memcpy(data, bytes_.data() + offset, n);
  }
  std::string label() const override { return "a file-like object"; }

 private:
  std::string bytes_;
  size_t position_ = 0;
};

class MemoryWriter : public io::Writer {
 public:
  bool is_open() const override { return true; }
  bool good() const override { return true; }
  size_t tell() override { return bytes.size(); }
  void seek(int64_t, std::ios_base::seekdir) override {
    throw IoError("A file-like object is written in order.");
  }
  void write(const char* data, size_t n) override { bytes.append(data, n); }
  std::string label() const override { return "a file-like object"; }

  std::string bytes;
};

// The path that a str, bytes or an object with __fspath__ names; nothing for objects like files.
// ValueError for a name with a NUL, which no file has.
std::optional<std::string> path_of(nb::handle file) {
  bool is_path =
      PyUnicode_Check(file.ptr()) || PyBytes_Check(file.ptr()) || nb::hasattr(file, "__fspath__");
  if (!is_path) return std::nullopt;
  PyObject* encoded = nullptr;
  if (!PyUnicode_FSConverter(file.ptr(), &encoded)) throw nb::python_error();
  nb::bytes bytes = nb::steal<nb::bytes>(encoded);
  return std::string(bytes.c_str(), bytes.size());
}

// Names in files may hold any character, NUL too.
nb::str text_of(const std::string& text) { return nb::str(text.data(), text.size()); }
nb::str path_text(const std::string& path) {
  return nb::steal<nb::str>(
      PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size())));
}

void check_file(nb::handle file, const char* op, const char* method) {
  if (!nb::hasattr(file, method)) {
    raise(PyExc_ValueError, std::string("[") + op + "] A file is a path or an object with " +
                                method + "(), not " + Py_TYPE(file.ptr())->tp_name + ".");
  }
}

std::shared_ptr<MemoryReader> reader_over(nb::handle content) {
  return std::make_shared<MemoryReader>(load_argument<nb::bytes>(content, "load", "file.read()"));
}

std::shared_ptr<MemoryReader> reader_of(nb::handle file) {
  check_file(file, "load", "read");
  return reader_over(file.attr("read")());
}

std::shared_ptr<const io::MappedFile> read_whole(nb::handle file) {
  check_file(file, "load", "read");
  auto content = load_argument<nb::bytes>(file.attr("read")(), "load", "file.read()");
  auto* first = static_cast<const std::byte*>(content.data());
  return io::MappedFile::copy("a file-like object", {first, content.size()});
}

template <class Write>
void write_to(nb::handle file, const char* op, Write write) {
  check_file(file, op, "write");
  auto writer = std::make_shared<MemoryWriter>();
  write(writer);
  file.attr("write")(nb::bytes(writer->bytes.data(), writer->bytes.size()));
}

using Arrays = std::unordered_map<std::string, array>;

Arrays load_dict(nb::handle dict) {
  Arrays arrays;
  std::vector<array> values;
  for (auto [key, value] : load_argument<nb::dict>(dict, "save", "arrays")) {
    if (!is_array(value.ptr())) {
      raise(PyExc_TypeError, std::string("The values of the dictionary are arrays, not ") +
                                 Py_TYPE(value.ptr())->tp_name + ".");
    }
    std::string name = load_argument<std::string>(key, "save", "the name of an array");
    arrays.emplace(std::move(name), value_of(value.ptr()));
    values.push_back(value_of(value.ptr()));
  }
  evaluate(std::move(values));  // here, where other threads may run meanwhile
  return arrays;
}

nb::dict as_dict(const Arrays& arrays) {
  nb::dict result;
  for (const auto& [name, value] : arrays) result[text_of(name)] = value;
  return result;
}

nb::object as_object(const GGUFMetaData& value) {
  return std::visit(
      [](const auto& v) -> nb::object {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::monostate>) {
          return nb::none();
        } else {
          return nb::cast(v);
        }
      },
      value);
}

GGUFMetaData metadata_value(nb::handle value) {
  if (is_array(value.ptr())) return value_of(value.ptr());
  if (PyUnicode_Check(value.ptr())) return nb::cast<std::string>(value);
  std::vector<std::string> texts;
  if (PyList_Check(value.ptr()) && nb::try_cast(value, texts)) return texts;
  raise(PyExc_TypeError, std::string("[save_gguf] A value of the metadata is an array, a string or "
                                     "a list of strings, not ") +
                             Py_TYPE(value.ptr())->tp_name + ".");
}

template <class Value, class Convert>
std::unordered_map<std::string, Value> load_metadata(const std::optional<nb::dict>& metadata,
                                                     const char* op, Convert convert) {
  std::unordered_map<std::string, Value> values;
  if (!metadata) return values;
  for (auto [key, value] : *metadata) {
    values.emplace(load_argument<std::string>(key, op, "a key of metadata"), convert(value));
  }
  return values;
}

// ---- Archives -----------------------------------------------------------------------------------
nb::object open_archive(nb::handle file, const char* mode, bool compressed) {
  nb::module_ zipfile = nb::module_::import_("zipfile");
  nb::object method = zipfile.attr(compressed ? "ZIP_DEFLATED" : "ZIP_STORED");
  return zipfile.attr("ZipFile")(file, mode, method);
}

void save_archive(nb::handle file, const nb::args& args, const nb::kwargs& kwargs,
                  bool compressed) {
  nb::dict named;
  for (auto [key, value] : kwargs) named[key] = value;
  for (size_t i = 0; i < args.size(); ++i) {
    std::string name = "arr_" + std::to_string(i);
    if (named.contains(name.c_str())) {
      throw ArgumentError("[savez] The name " + name + " is both given and taken by position.");
    }
    named[name.c_str()] = args[i];
  }
  Arrays arrays = load_dict(named);
  nb::object target = nb::borrow(file);
  if (auto path = path_of(file))
    target = path_text(path->ends_with(".npz") ? *path : *path + ".npz");
  nb::object archive = open_archive(target, "w", compressed);
  for (auto [key, unused] : named) {
    std::string name = nb::cast<std::string>(key);
    if (name.find('\0') != std::string::npos) {
      throw ArgumentError("[savez] A name in an archive cannot hold a NUL.");
    }
    auto writer = std::make_shared<MemoryWriter>();
    save(writer, arrays.at(name));
    archive.attr("writestr")(text_of(name + ".npy"),
                             nb::bytes(writer->bytes.data(), writer->bytes.size()));
  }
  archive.attr("close")();
}

nb::dict load_archive(nb::handle file, StreamOrDevice s) {
  nb::object archive;
  try {
    archive = open_archive(file, "r", false);
  } catch (nb::python_error& error) {
    throw ArgumentError(std::string("[load] The file is no zip archive: ") + error.what());
  }
  nb::dict result;
  for (nb::handle item : archive.attr("namelist")()) {
    std::string name = nb::cast<std::string>(item);
    auto reader = reader_over(archive.attr("read")(item));
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    result[text_of(name)] = load(reader, s);
  }
  archive.attr("close")();
  return result;
}

// ---- load ---------------------------------------------------------------------------------------
// Of a path, or of the name that an open file has.
std::string format_of(nb::handle file, const std::optional<std::string>& path) {
  nb::object known = nb::getattr(file, "name", nb::none());
  std::optional<std::string> name_of_file = path;
  if (!path && nb::isinstance<nb::str>(known)) name_of_file = path_of(known);
  std::string name = name_of_file.value_or("");
  name = name.substr(name.find_last_of('/') + 1);  // npos + 1 is the start
  size_t dot = name.find_last_of('.');
  if (dot == std::string::npos) {
    throw ArgumentError("[load] The name has no ending that tells the format; give `format`.");
  }
  return name.substr(dot + 1);
}

// The tensors that MLX's result would not have, or would fail of.
void warn_of_tensors_left_out(const safetensors::File& file) {
  std::string left_out;
  for (const safetensors::Tensor& tensor : file.tensors()) {
    if (!tensor.dtype) left_out += " " + tensor.name + " (" + tensor.dtype_name + ")";
  }
  if (left_out.empty()) return;
  std::string message = "[load] Tensors of dtypes that are not supported are left out:" + left_out;
  nb::module_::import_("warnings").attr("warn")(text_of(message));
}

nb::object load_tensors(nb::handle file, const std::optional<std::string>& path,
                        bool return_metadata, io::FileAccess access) {
  auto storage = path ? io::MappedFile::open(*path, access) : read_whole(file);
  safetensors::File opened = safetensors::open(storage);
  warn_of_tensors_left_out(opened);
  nb::dict arrays, metadata;
  for (const safetensors::Tensor& tensor : opened.tensors()) {
    if (tensor.dtype) arrays[text_of(tensor.name)] = safetensors::tensor_array(opened, tensor);
  }
  for (const auto& [key, value] : opened.metadata()) metadata[text_of(key)] = text_of(value);
  if (return_metadata) return nb::make_tuple(arrays, metadata);
  return arrays;
}

nb::object load_any(nb::handle file, std::optional<std::string> format, bool return_metadata,
                    StreamOrDevice s, bool mmap) {
  io::FileAccess access = mmap ? io::FileAccess::map : io::FileAccess::read;
  std::optional<std::string> path = path_of(file);
  std::string kind = format ? *format : format_of(file, path);
  if (return_metadata && (kind == "npy" || kind == "npz")) {
    throw ArgumentError("[load] Files of the format " + kind + " have no metadata.");
  }
  if (kind == "npy") return nb::cast(path ? load(*path, s, access) : load(reader_of(file), s));
  if (kind == "npz") return load_archive(path ? nb::object(path_text(*path)) : nb::borrow(file), s);
  if (kind == "safetensors") return load_tensors(file, path, return_metadata, access);
  if (kind != "gguf") throw ArgumentError("[load] There is no format '" + kind + "'.");
  if (!path) throw ArgumentError("[load] A GGUF file is loaded by its path.");
  auto [arrays, metadata] = load_gguf(*path, s, access);
  nb::dict values;
  for (const auto& [key, value] : metadata) values[text_of(key)] = as_object(value);
  if (return_metadata) return nb::make_tuple(as_dict(arrays), values);
  return as_dict(arrays);
}

void save_array(nb::handle file, const array& value) {
  array a = value;
  evaluate(a);
  if (auto path = path_of(file)) return save(*path, a);
  write_to(file, "save", [&](std::shared_ptr<io::Writer> writer) { save(writer, a); });
}

void save_tensors(nb::handle file, nb::dict arrays, std::optional<nb::dict> metadata) {
  auto texts = load_metadata<std::string>(metadata, "save_safetensors", [](nb::handle value) {
    return load_argument<std::string>(value, "save_safetensors", "a value of metadata");
  });
  Arrays values = load_dict(arrays);
  if (auto path = path_of(file)) return save_safetensors(*path, values, texts);
  write_to(file, "save_safetensors",
           [&](std::shared_ptr<io::Writer> writer) { save_safetensors(writer, values, texts); });
}

void save_gguf_file(nb::handle file, nb::dict arrays, std::optional<nb::dict> metadata) {
  auto values = load_metadata<GGUFMetaData>(metadata, "save_gguf", metadata_value);
  auto path = path_of(file);
  if (!path) throw ArgumentError("[save_gguf] A GGUF file is saved by its path.");
  save_gguf(*path, load_dict(arrays), values);
}

}  // namespace

void register_files(nb::module_& m) {
  auto stream = nb::arg("stream") = nb::none(), metadata = nb::arg("metadata") = nb::none();
  auto file = nb::arg("file");
  m.def("load", &load_any, file, nb::arg("format") = nb::none(), nb::arg("return_metadata") = false,
        nb::kw_only(), stream, nb::arg("mmap") = true, documentation::load);
  m.def("save", &save_array, file, nb::arg("arr"), documentation::save);
  m.def("save_safetensors", &save_tensors, file, nb::arg("arrays"), metadata,
        documentation::save_safetensors);
  m.def("save_gguf", &save_gguf_file, file, nb::arg("arrays"), metadata, documentation::save_gguf);
  m.def(
      "savez",
      [](nb::handle file, const nb::args& args, const nb::kwargs& kwargs) {
        save_archive(file, args, kwargs, false);
      },
      file, nb::arg("args"), nb::arg("kwargs"), documentation::savez);
  m.def(
      "savez_compressed",
      [](nb::handle file, const nb::args& args, const nb::kwargs& kwargs) {
        save_archive(file, args, kwargs, true);
      },
      file, nb::arg("args"), nb::arg("kwargs"), documentation::savez_compressed);
}

}  // namespace lazuli::python
