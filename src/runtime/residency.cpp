#include "runtime/residency.h"

#include <array>
#include <mutex>

#include "runtime/allocator.h"
#include "runtime/registry.h"

namespace lazuli {
namespace {

// One lock for many buffers: copies are rare and long.
std::mutex& mutex_of(const Buffer* buffer) {
  static std::array<std::mutex, 64> mutexes;
  return mutexes[reinterpret_cast<uintptr_t>(buffer) / sizeof(Buffer) % mutexes.size()];
}

std::atomic<uint64_t> uploads{0}, downloads{0}, bytes_up{0}, bytes_down{0};

bool is_on(const Buffer* buffer, uint8_t where) {
  return buffer->current.load(std::memory_order_acquire) & where;
}

void download(Buffer* buffer) {
  if (!buffer->host) {
    buffer->host = allocator_of(host_backend()).take(buffer->bytes, buffer->capacity);
  }
  buffer->place->download(buffer->host, buffer->device, buffer->bytes);
  buffer->current.fetch_or(Buffer::on_host, std::memory_order_acq_rel);
  ++downloads;
  bytes_down += buffer->bytes;
}

}  // namespace

Buffer* allocate_buffer(size_t bytes, Backend& backend) {
  if (backend.shares_host_memory) return allocate_buffer(bytes);
  size_t capacity = 0;
  void* block = allocator_of(backend).take(bytes, capacity);
  Buffer* buffer = new Buffer(bytes);
  buffer->device = block;
  buffer->device_capacity = capacity;
  buffer->place = &backend;
  buffer->current.store(Buffer::on_device, std::memory_order_relaxed);
  return buffer;
}

void fetch_to_host(Buffer* buffer, bool for_writing) {
  if (!is_on(buffer, Buffer::on_host)) {
    std::lock_guard lock(mutex_of(buffer));
    if (!is_on(buffer, Buffer::on_host)) download(buffer);
  }
  if (for_writing) mark_written(buffer, host_backend());
}

void fetch_to_device(Buffer* buffer, Backend& backend) {
  std::lock_guard lock(mutex_of(buffer));
  if (is_on(buffer, Buffer::on_device)) {
    if (buffer->place == &backend) return;
    if (!is_on(buffer, Buffer::on_host)) download(buffer);  // from another device
  }
  if (buffer->device && buffer->place != &backend) {
    allocator_of(*buffer->place).give(buffer->device, buffer->device_capacity);
    buffer->device = nullptr;
  }
  if (!buffer->device) {
    buffer->device = allocator_of(backend).take(buffer->bytes, buffer->device_capacity);
    buffer->place = &backend;
  }
  backend.upload(buffer->device, buffer->host, buffer->bytes);
  ++uploads;
  bytes_up += buffer->bytes;
  // Whoever holds an export may write through it at any time: the copy serves this step alone.
  if (buffer->pins.load() == 0) buffer->current.fetch_or(Buffer::on_device);
}

ResidencyStatistics residency_statistics() {
  return {uploads.load(), downloads.load(), bytes_up.load(), bytes_down.load()};
}

}  // namespace lazuli
