// Allocations and copies. A stream copies when it comes to the copy. From host memory that is not
// pinned the bytes are taken at the call; into it, the call returns after the copy. As CUDA does.
#include <cstring>
#include <vector>

#include "emulated_cuda/libcuda/api.h"
#include "emulated_cuda/libcuda/facts.h"
#include "emulated_cuda/libcuda/memory.h"

namespace emulated {
namespace {

Memory& memory() { return Memory::get(); }
void* host_view(CUdeviceptr address) { return reinterpret_cast<void*>(address); }

}  // namespace

CUresult cuMemGetInfo_v2(size_t* free, size_t* total) {
  EMULATED_ENTER();
  *free = memory().free_bytes();
  *total = memory_bytes();
  return error_success;
}

CUresult cuMemAlloc_v2(CUdeviceptr* address, size_t bytes) {
  EMULATED_ENTER();
  uintptr_t place = 0;
  CUresult result = memory().allocate(bytes, place);
  if (result == error_success) *address = place;
  return result;
}

CUresult cuMemFree_v2(CUdeviceptr address) {
  EMULATED_ENTER();
  synchronize_streams();  // as the driver does
  return memory().free(address);
}

CUresult cuMemHostAlloc(void** address, size_t bytes, unsigned) {
  EMULATED_ENTER();
  return memory().allocate_pinned(bytes, *address);
}

CUresult cuMemFreeHost(void* address) {
  EMULATED_ENTER();
  synchronize_streams();
  return memory().free_pinned(address);
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, CUstream handle) {
  EMULATED_ENTER();
  Stream* stream = stream_of(handle);
  if (!stream) return error_invalid_handle;
  if (bytes == 0) return error_success;
  if (!memory().holds(to, bytes)) return error_invalid_value;
  void* place = host_view(to);
  if (memory().is_pinned(from, bytes)) {
    stream->submit([=] {
      std::memcpy(place, from, bytes);
      return error_success;
    });
  } else {
    const char* first = static_cast<const char*>(from);
    stream->submit([place, staged = std::vector<char>(first, first + bytes)] {
      std::memcpy(place, staged.data(), staged.size());
      return error_success;
    });
  }
  return error_success;
}

CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream handle) {
  EMULATED_ENTER();
  Stream* stream = stream_of(handle);
  if (!stream) return error_invalid_handle;
  if (bytes == 0) return error_success;
  if (!memory().holds(from, bytes)) return error_invalid_value;
  stream->submit([=] {
    std::memcpy(to, host_view(from), bytes);
    return error_success;
  });
  if (memory().is_pinned(to, bytes)) return error_success;
  stream->synchronize();
  return context_error();
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream handle) {
  EMULATED_ENTER();
  Stream* stream = stream_of(handle);
  if (!stream) return error_invalid_handle;
  if (bytes == 0) return error_success;
  if (!memory().holds(from, bytes) || !memory().holds(to, bytes)) return error_invalid_value;
  stream->submit([=] {
    std::memmove(host_view(to), host_view(from), bytes);
    return error_success;
  });
  return error_success;
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream handle) {
  EMULATED_ENTER();
  Stream* stream = stream_of(handle);
  if (!stream) return error_invalid_handle;
  if (count == 0) return error_success;
  if (!memory().holds(to, count)) return error_invalid_value;
  stream->submit([=] {
    std::memset(host_view(to), value, count);
    return error_success;
  });
  return error_success;
}

}  // namespace emulated
