// Any bytes as an npy file: it loads, or it is an IoError. What loaded is computed, and saved again
// it loads as the same array.
#include <algorithm>
#include <cstring>
#include <string>

#include "fuzz/require.h"
#include "lazuli/io.h"
#include "lazuli/lazuli.h"

using namespace lazuli;

namespace {

// A stream in memory.
class Memory : public io::Reader, public io::Writer {
 public:
  explicit Memory(std::string bytes) : bytes_(std::move(bytes)) {}

  bool is_open() const override { return true; }
  bool good() const override { return true; }
  std::string label() const override { return "memory"; }
  size_t tell() override { return position_; }
  void seek(int64_t offset, std::ios_base::seekdir way) override {
    position_ = static_cast<size_t>(offset) + (way == std::ios_base::end ? bytes_.size() : 0);
  }
  void read(char* data, size_t n) override {
    read(data, n, position_);
    position_ += n;
  }
  void read(char* data, size_t n, size_t offset) override {
    if (offset > bytes_.size() || n > bytes_.size() - offset) throw IoError("memory: too short");
    std::copy_n(bytes_.data() + offset, n, data);
  }
  void write(const char* data, size_t n) override { bytes_.append(data, n); }

 private:
  std::string bytes_;
  size_t position_ = 0;
};

std::string bytes_of(array a) {
  a = contiguous(a);
  a.eval();
  return {reinterpret_cast<const char*>(a.data<uint8_t>()), a.nbytes()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    array loaded = load(std::make_shared<Memory>(std::string(data, data + size)));
    auto stream = std::make_shared<Memory>("");
    save(std::static_pointer_cast<io::Writer>(stream), loaded);
    array again = load(std::static_pointer_cast<io::Reader>(stream));
    require(again.dtype() == loaded.dtype(), "the dtype stays");
    require(again.shape() == loaded.shape(), "the shape stays");
    require(bytes_of(again) == bytes_of(loaded), "the values stay");
  } catch (const IoError&) {
  }
  return 0;
}
