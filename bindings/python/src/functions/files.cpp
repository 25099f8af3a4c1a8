// save, load, savez, save_safetensors, save_gguf.
//
// Objects like files are read whole before anything is parsed, and written at once.
#include <cstring>
#include <memory>
#include <string>

#include "array/casters.h"
#include "array/evaluate.h"
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

// The path that a str or an object with __fspath__ names; nothing for objects like files.
std::optional<std::string> path_of(nb::handle file) {
  if (PyUnicode_Check(file.ptr())) return nb::cast<std::string>(file);
  if (!nb::hasattr(file, "__fspath__")) return std::nullopt;
  return nb::cast<std::string>(nb::module_::import_("os").attr("fspath")(file));
}

void check_file(nb::handle file, const char* op, const char* method) {
  if (!nb::hasattr(file, method)) {
    raise(PyExc_ValueError, std::string("[") + op + "] A file is a path or an object with " +
                                method + "(), not " + Py_TYPE(file.ptr())->tp_name + ".");
  }
}

std::shared_ptr<MemoryReader> reader_of(nb::handle file) {
  check_file(file, "load", "read");
  return std::make_shared<MemoryReader>(nb::cast<nb::bytes>(file.attr("read")()));
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
  for (auto [key, value] : nb::cast<nb::dict>(dict)) {
    if (!is_array(value.ptr())) {
      raise(PyExc_TypeError, std::string("The values of the dictionary are arrays, not ") +
                                 Py_TYPE(value.ptr())->tp_name + ".");
    }
    arrays.emplace(nb::cast<std::string>(key), value_of(value.ptr()));
    values.push_back(value_of(value.ptr()));
  }
  evaluate(std::move(values));  // here, where other threads may run meanwhile
  return arrays;
}

nb::dict as_dict(const Arrays& arrays) {
  nb::dict result;
  for (const auto& [name, value] : arrays) result[name.c_str()] = value;
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

GGUFMetaData load_metadata(nb::handle value) {
  if (is_array(value.ptr())) return value_of(value.ptr());
  if (PyUnicode_Check(value.ptr())) return nb::cast<std::string>(value);
  if (PyList_Check(value.ptr())) return nb::cast<std::vector<std::string>>(value);
  raise(PyExc_TypeError, std::string("[save_gguf] A value of the metadata is an array, a string or "
                                     "a list of strings, not ") +
                             Py_TYPE(value.ptr())->tp_name + ".");
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
    target = nb::cast(path->ends_with(".npz") ? *path : *path + ".npz");
  nb::object archive = open_archive(target, "w", compressed);
  for (auto [key, unused] : named) {
    std::string name = nb::cast<std::string>(key);
    auto writer = std::make_shared<MemoryWriter>();
    save(writer, arrays.at(name));
    archive.attr("writestr")(name + ".npy", nb::bytes(writer->bytes.data(), writer->bytes.size()));
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
    auto reader = std::make_shared<MemoryReader>(nb::cast<nb::bytes>(archive.attr("read")(item)));
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    result[name.c_str()] = load(reader, s);
  }
  archive.attr("close")();
  return result;
}

// ---- load ---------------------------------------------------------------------------------------
std::string format_of(const std::optional<std::string>& path) {
  size_t slash = path ? path->find_last_of('/') : std::string::npos;
  std::string name = path ? path->substr(slash == std::string::npos ? 0 : slash + 1) : "";
  size_t dot = name.find_last_of('.');
  if (dot == std::string::npos) {
    throw ArgumentError("[load] The name has no ending that tells the format; give `format`.");
  }
  return name.substr(dot + 1);
}

nb::object load_any(nb::handle file, std::optional<std::string> format, bool return_metadata,
                    StreamOrDevice s) {
  std::optional<std::string> path = path_of(file);
  std::string kind = format ? *format : format_of(path);
  if (return_metadata && (kind == "npy" || kind == "npz")) {
    throw ArgumentError("[load] Files of the format " + kind + " have no metadata.");
  }
  if (kind == "npy") return nb::cast(path ? load(*path, s) : load(reader_of(file), s));
  if (kind == "npz") return load_archive(path ? nb::object(nb::cast(*path)) : nb::borrow(file), s);
  if (kind == "safetensors") {
    auto [arrays, metadata] =
        path ? load_safetensors(*path, s) : load_safetensors(reader_of(file), s);
    nb::dict texts;
    for (const auto& [key, value] : metadata) texts[key.c_str()] = value;
    if (return_metadata) return nb::make_tuple(as_dict(arrays), texts);
    return as_dict(arrays);
  }
  if (kind != "gguf") throw ArgumentError("[load] There is no format '" + kind + "'.");
  if (!path) throw ArgumentError("[load] A GGUF file is loaded by its path.");
  auto [arrays, metadata] = load_gguf(*path, s);
  nb::dict values;
  for (const auto& [key, value] : metadata) values[key.c_str()] = as_object(value);
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
  std::unordered_map<std::string, std::string> texts;
  if (metadata) {
    for (auto [key, value] : *metadata) {
      texts.emplace(nb::cast<std::string>(key), nb::cast<std::string>(value));
    }
  }
  Arrays values = load_dict(arrays);
  if (auto path = path_of(file)) return save_safetensors(*path, values, texts);
  write_to(file, "save_safetensors",
           [&](std::shared_ptr<io::Writer> writer) { save_safetensors(writer, values, texts); });
}

void save_gguf_file(nb::handle file, nb::dict arrays, std::optional<nb::dict> metadata) {
  std::unordered_map<std::string, GGUFMetaData> values;
  if (metadata) {
    for (auto [key, value] : *metadata) {
      values.emplace(nb::cast<std::string>(key), load_metadata(value));
    }
  }
  auto path = path_of(file);
  if (!path) throw ArgumentError("[save_gguf] A GGUF file is saved by its path.");
  save_gguf(*path, load_dict(arrays), values);
}

}  // namespace

void register_files(nb::module_& m) {
  auto stream = nb::arg("stream") = nb::none(), metadata = nb::arg("metadata") = nb::none();
  auto file = nb::arg("file");
  m.def("load", &load_any, file, nb::arg("format") = nb::none(), nb::arg("return_metadata") = false,
        nb::kw_only(), stream, "The array or arrays of a npy, npz, safetensors or GGUF file.");
  m.def("save", &save_array, file, nb::arg("arr"), "Writes an array in NumPy's format.");
  m.def("save_safetensors", &save_tensors, file, nb::arg("arrays"), metadata);
  m.def("save_gguf", &save_gguf_file, file, nb::arg("arrays"), metadata);
  m.def(
      "savez",
      [](nb::handle file, const nb::args& args, const nb::kwargs& kwargs) {
        save_archive(file, args, kwargs, false);
      },
      file, nb::arg("args"), nb::arg("kwargs"), "Writes arrays into one archive.");
  m.def(
      "savez_compressed",
      [](nb::handle file, const nb::args& args, const nb::kwargs& kwargs) {
        save_archive(file, args, kwargs, true);
      },
      file, nb::arg("args"), nb::arg("kwargs"));
}

}  // namespace lazuli::python
