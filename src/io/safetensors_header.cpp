#include "io/safetensors_header.h"

#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "base/message.h"

namespace lazuli::safetensors {

namespace {

using lazuli::printable;

constexpr size_t dimensions_max = 64;

// Reads characters and tells how far the parser has come.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** progress) : at_(at), progress_(progress) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *progress_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** progress_;
};

// Takes the parser's events. At each moment it is at one level of the header; whatever does not
// belong there is an error.
class Handler {
 public:
  using Json = nlohmann::json;

  Handler(const char* begin, const char* const* progress) : begin_(begin), progress_(progress) {}

  Header take() { return std::move(header_); }

  bool null() {
    if (level_ == Level::names && key_ == "__metadata__") return true;
    return unexpected("null");
  }
  bool boolean(bool) { return unexpected("a boolean"); }
  bool number_integer(Json::number_integer_t) { return unexpected("a negative number"); }
  bool number_float(Json::number_float_t, const Json::string_t&) {
    return unexpected("a number that is no integer");
  }
  bool binary(Json::binary_t&) { return unexpected("binary data"); }

  bool number_unsigned(Json::number_unsigned_t value) {
    if (level_ != Level::numbers) return unexpected("a number");
    if (numbers_->size() == dimensions_max) {
      fail("has more than " + std::to_string(dimensions_max) + " numbers");
    }
    numbers_->push_back(value);
    return true;
  }

  bool string(Json::string_t& value) {
    if (level_ == Level::metadata) {
      header_.metadata[key_] = std::move(value);
      return true;
    }
    if (level_ != Level::tensor || key_ != "dtype") return unexpected("a string");
    tensor_.dtype = std::move(value);
    return true;
  }

  bool start_object(size_t) {
    switch (level_) {
      case Level::ignored: ++depth_; return true;
      case Level::outside: level_ = Level::names; return true;
      case Level::names:
        level_ = key_ == "__metadata__" ? Level::metadata : Level::tensor;
        tensor_ = {};
        tensor_.name = key_;
        fields_.clear();
        return true;
      default: return unexpected("an object");
    }
  }

  bool key(Json::string_t& value) {
    bool is_new = true;
    if (level_ == Level::ignored) return true;
    if (level_ == Level::tensor && value != "dtype" && value != "shape" &&
        value != "data_offsets") {
      level_ = Level::ignored;  // until its value has ended
      return true;
    }
    if (level_ == Level::names) is_new = names_.insert(value).second;
    if (level_ == Level::tensor) is_new = fields_.insert(value).second;
    if (level_ == Level::metadata) is_new = header_.metadata.emplace(value, "").second;
    key_ = std::move(value);
    if (!is_new) fail("is there twice");
    return true;
  }

  bool end_object() {
    if (level_ == Level::ignored) return leave();
    if (level_ == Level::names) {
      level_ = Level::outside;
      return true;
    }
    if (level_ == Level::tensor) {
      for (const char* field : {"dtype", "shape", "data_offsets"}) {
        key_ = field;
        if (!fields_.contains(field)) fail("is missing");
      }
      if (tensor_.offsets.size() != 2) fail("must have two numbers");
      tensor_.position = position();
      header_.tensors.push_back(std::move(tensor_));
    }
    level_ = Level::names;
    return true;
  }

  bool start_array(size_t) {
    if (level_ == Level::ignored) {
      ++depth_;
      return true;
    }
    if (level_ != Level::tensor || key_ == "dtype") return unexpected("an array");
    numbers_ = key_ == "shape" ? &tensor_.shape : &tensor_.offsets;
    level_ = Level::numbers;
    return true;
  }

  bool end_array() {
    if (level_ == Level::ignored) return leave();
    level_ = Level::tensor;
    return true;
  }

  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) {
    // The library's text ends in what it has read, which is the file's and may be long.
    std::string problem = error.what();
    problem = problem.substr(0, problem.find("; last read"));
    throw HeaderError{"header", "no valid JSON: " + printable(problem, 200), position()};
  }

 private:
  enum class Level { outside, names, metadata, tensor, numbers, ignored };

  // A value of a field that is not the format's, or a part of it.
  bool ignore() {
    if (depth_ == 0) level_ = Level::tensor;
    return true;
  }
  bool leave() {
    --depth_;
    return ignore();
  }

  uint64_t position() const { return static_cast<uint64_t>(*progress_ - begin_); }

  std::string field() const {
    switch (level_) {
      case Level::outside: return "header";
      case Level::names: return "tensor " + printable(key_);
      case Level::metadata: return "metadata key " + printable(key_);
      default: return "field " + printable(key_) + " of tensor " + printable(tensor_.name);
    }
  }

  [[noreturn]] void fail(const std::string& problem) const {
    throw HeaderError{field(), problem, position()};
  }

  bool unexpected(const char* what) {
    if (level_ == Level::ignored) return ignore();
    fail(std::string("is ") + what + ", which does not belong there");
  }

  const char* begin_;
  const char* const* progress_;
  Header header_;
  Level level_ = Level::outside;
  uint64_t depth_ = 0;  // of arrays and objects in a value that is ignored
  std::string key_;
  HeaderTensor tensor_;
  std::vector<uint64_t>* numbers_ = nullptr;
  std::set<std::string> names_;
  std::set<std::string> fields_;
};

}  // namespace

Header parse_header(std::string_view text) {
  const char* progress = text.data();
  const char* end = text.data() + text.size();
  Handler handler(text.data(), &progress);
  nlohmann::json::sax_parse(CountingIterator(text.data(), &progress),
                            CountingIterator(end, &progress), &handler);
  return handler.take();
}

}  // namespace lazuli::safetensors
