// Where arrays are read from and written to: streams of bytes that a program may supply itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ios>
#include <string>

namespace lazuli::io {

// A source of bytes that can be positioned. `read` throws if it cannot give all `n` bytes.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual bool is_open() const = 0;
  virtual bool good() const = 0;
  virtual size_t tell() = 0;
  virtual void seek(int64_t offset, std::ios_base::seekdir way = std::ios_base::beg) = 0;
  virtual void read(char* data, size_t n) = 0;                 // from the position, which moves
  virtual void read(char* data, size_t n, size_t offset) = 0;  // from `offset` of the whole
  virtual std::string label() const = 0;                       // for messages
};

// A sink of bytes. `write` throws if it cannot take all `n` bytes.
class Writer {
 public:
  virtual ~Writer() = default;
  virtual bool is_open() const = 0;
  virtual bool good() const = 0;
  virtual size_t tell() = 0;
  virtual void seek(int64_t offset, std::ios_base::seekdir way = std::ios_base::beg) = 0;
  virtual void write(const char* data, size_t n) = 0;
  virtual std::string label() const = 0;
  // Called once before the first write, when all arrays to be written have been computed.
  virtual void open() {}
};

// A file, read by position. The constructor does not throw: ask `is_open`. `read` is an IoError,
// naming the file and the system's reason, if the bytes are not there. The reads with an offset may
// come from several threads at once.
class ParallelFileReader : public Reader {
 public:
  explicit ParallelFileReader(std::string file_path);
  ~ParallelFileReader() override;
  ParallelFileReader(const ParallelFileReader&) = delete;
  ParallelFileReader& operator=(const ParallelFileReader&) = delete;

  bool is_open() const override;
  bool good() const override { return is_open(); }
  size_t tell() override { return position_; }
  void seek(int64_t offset, std::ios_base::seekdir way = std::ios_base::beg) override;
  void read(char* data, size_t n) override;
  void read(char* data, size_t n, size_t offset) override;
  std::string label() const override { return "file " + path_; }

 private:
  std::string path_;
  int descriptor_;
  size_t position_ = 0;
};

// A file, written in place: `open` empties it. For writing a whole file so that no reader sees half
// of it, give its name to `save` instead.
class FileWriter : public Writer {
 public:
  FileWriter() = default;
  explicit FileWriter(std::string file_path) : path_(std::move(file_path)) {}
  FileWriter(FileWriter&& other) noexcept;
  ~FileWriter() override;
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void open() override;  // IoError if it cannot
  bool is_open() const override { return descriptor_ >= 0; }
  bool good() const override { return is_open(); }
  size_t tell() override { return position_; }
  void seek(int64_t offset, std::ios_base::seekdir way = std::ios_base::beg) override;
  void write(const char* data, size_t n) override;
  std::string label() const override { return "file " + path_; }

 private:
  std::string path_;
  int descriptor_ = -1;
  size_t position_ = 0;
};

}  // namespace lazuli::io
