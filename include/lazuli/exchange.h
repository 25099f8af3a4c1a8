// Memory that is shared with other libraries: what they may be given, and devices' memory, which is
// never copied (DLPack).
#pragma once

#include "lazuli/array.h"

namespace lazuli {

// What DLPack calls devices of this kind: 1 the host, 2 CUDA. DeviceError if there is none.
int dlpack_type(const Device& device);

// Whether two elements with these strides may lie in one place, as those of a broadcast view do.
bool may_overlap(const Shape& shape, const Strides& strides);

// Where the value of an array lies, or is going to: the device that computed it, until the host
// writes there. Starts computing it.
Device device_of(const array& a);

// The stream's handle for other libraries on its device, such as a cudaStream_t; 0 on the CPU.
std::uintptr_t native_stream(const Stream& stream);

// Memory on the stream's device that others own until `deleter(data)` is called, when work that
// reads it has ended; row-major. What the native stream has been given so far makes the value. It
// counts for no budget, and never leaves its place; the host reads a copy, made anew each time.
array import_memory(void* data, Shape shape, Dtype dtype, const Stream& stream,
                    const Deleter& deleter);

// The memory of an array on a device, shared with other libraries as long as this lives. Others may
// write there; what they wrote is seen once their work has ended, or this has. Where the host's
// memory of the array is shared already, this is about a copy on the device, and the other way
// round.
class DeviceExport {
 public:
  DeviceExport(const array& shared, const Device& device);  // starts computing it
  ~DeviceExport();
  DeviceExport(const DeviceExport&) = delete;
  DeviceExport& operator=(const DeviceExport&) = delete;

  // Work that the native stream is given later finds the value. When this ends, work on the device
  // that uses the memory waits for what the native stream has been given by then.
  void order_before(std::uintptr_t native);

  void* data() const;
  Strides strides() const;  // in elements

 private:
  array array_;
  std::uintptr_t native_ = 0;
};

}  // namespace lazuli
