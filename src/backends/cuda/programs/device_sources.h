// The text of device code, which the library carries.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lazuli::cuda {

// A named text: a file of device code that `#include` finds.
struct DeviceSource {
  std::string_view name, text;
};

// Everything under device/ and kernels/ that device code is made of. Defined by the build.
std::vector<DeviceSource> device_sources();
std::string_view device_source(std::string_view name);

// 128 bits, as digits, of all the device code that `source` includes, directly or not.
std::string digest_of_includes(std::string_view source);

std::string digest(std::string_view text);
uint64_t hash_text(std::string_view text, uint64_t seed);

}  // namespace lazuli::cuda
