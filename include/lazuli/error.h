// Errors. Every failure is one exception that carries its kind and derives from the standard class
// a C++ user expects for it, so both `catch (const std::invalid_argument&)` and
// `catch (const lazuli::Error&)` work.
#pragma once

#include <stdexcept>
#include <string>

namespace lazuli {

enum class ErrorKind {
  argument,     // a value, shape or combination the operation cannot take
  type,         // a dtype the operation cannot take
  index,        // an index or axis out of range
  memory,       // an allocation that cannot be served
  io,           // a file that cannot be read, written or understood
  device,       // a device that is missing or failed
  not_found,    // a name or key that does not exist
  interrupted,  // the user asked to stop
  runtime,      // anything else that went wrong while running
};

// The kind of every error thrown by the library.
class Error {
 public:
  explicit Error(ErrorKind kind) noexcept : kind_(kind) {}
  virtual ~Error() = default;
  ErrorKind kind() const noexcept { return kind_; }
  virtual const char* message() const noexcept = 0;

 private:
  ErrorKind kind_;
};

// An Error that is also the standard exception `Standard`.
template <ErrorKind K, class Standard>
class ErrorOf : public Standard, public Error {
 public:
  explicit ErrorOf(const std::string& message) : Standard(message), Error(K) {}
  const char* message() const noexcept override { return Standard::what(); }
};

using ArgumentError = ErrorOf<ErrorKind::argument, std::invalid_argument>;
using TypeError = ErrorOf<ErrorKind::type, std::invalid_argument>;
using IndexError = ErrorOf<ErrorKind::index, std::out_of_range>;
using MemoryError = ErrorOf<ErrorKind::memory, std::runtime_error>;
using IoError = ErrorOf<ErrorKind::io, std::runtime_error>;
using DeviceError = ErrorOf<ErrorKind::device, std::runtime_error>;
using NotFoundError = ErrorOf<ErrorKind::not_found, std::runtime_error>;
using InterruptedError = ErrorOf<ErrorKind::interrupted, std::runtime_error>;
using RuntimeError = ErrorOf<ErrorKind::runtime, std::runtime_error>;

}  // namespace lazuli
