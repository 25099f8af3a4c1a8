// Devices and streams. Work on one stream runs in the order it was recorded; streams run side by
// side, and an array made on one stream and used on another orders them by itself.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <variant>

namespace lazuli {

struct Device {
  enum class DeviceType { cpu, gpu };
  static constexpr DeviceType cpu = DeviceType::cpu;
  static constexpr DeviceType gpu = DeviceType::gpu;

  Device(DeviceType kind, int number = 0) : type(kind), index(number) {}

  DeviceType type;
  int index;
};

inline bool operator==(const Device& a, const Device& b) {
  return a.type == b.type && a.index == b.index;
}
inline bool operator!=(const Device& a, const Device& b) { return !(a == b); }

struct Stream {
  int index;
  Device device;
  Stream(int number, Device where) : index(number), device(where) {}
};

inline bool operator==(const Stream& a, const Stream& b) { return a.index == b.index; }
inline bool operator!=(const Stream& a, const Stream& b) { return !(a == b); }

// Where an operation runs: nothing (the default stream of the default device), a stream, a device
// (its default stream).
using StreamOrDevice = std::variant<std::monostate, Stream, Device>;

const Device& default_device();
void set_default_device(const Device& device);  // DeviceError if it does not exist
bool is_available(const Device& device);
int device_count(Device::DeviceType type);
// Empty for a device that is available; else what is missing and how to get it.
std::string why_unavailable(const Device& device);

// Facts about a device: device_name, architecture and memory_size, in bytes; of a CPU also threads,
// how many compute. DeviceError if it does not exist.
using DeviceInfo = std::unordered_map<std::string, std::variant<std::string, size_t>>;
DeviceInfo device_info(const Device& device = default_device());

Stream default_stream(Device device);
void set_default_stream(Stream stream);
Stream new_stream(Device device);
inline Stream new_stream() { return new_stream(default_device()); }
Stream to_stream(StreamOrDevice s);

// Waits until everything recorded and submitted on the stream has run.
void synchronize(Stream stream);
void synchronize();

// Makes a stream the default one for a scope.
class StreamContext {
 public:
  explicit StreamContext(StreamOrDevice s);
  ~StreamContext();
  StreamContext(const StreamContext&) = delete;
  StreamContext& operator=(const StreamContext&) = delete;

 private:
  Stream stream_;  // of the scope's device, as it was before
  Device device_;
};

std::string to_string(const Device& device);
std::string to_string(const Stream& stream);

}  // namespace lazuli
