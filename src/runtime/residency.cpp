#include "runtime/residency.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <vector>

#include "runtime/allocator.h"
#include "runtime/registry.h"

namespace lazuli {
namespace {

// One lock for many buffers: copies are rare and long. Recursive, because making room for one
// buffer moves others away, some of which have the same lock.
std::recursive_mutex& mutex_of(const Buffer* buffer) {
  static std::array<std::recursive_mutex, 64> mutexes;
  return mutexes[reinterpret_cast<uintptr_t>(buffer) / sizeof(Buffer) % mutexes.size()];
}

std::atomic<uint64_t> uploads{0}, downloads{0}, moved_away{0}, bytes_up{0}, bytes_down{0};
std::atomic<uint64_t> clock_of_use{0};

bool is_on(const Buffer* buffer, uint8_t where) {
  return buffer->current.load(std::memory_order_seq_cst) & where;
}

// ---- The buffers that have a block on a device ----
std::mutex list_mutex;
Buffer* first_listed = nullptr;

void enlist(Buffer* buffer) {
  std::lock_guard lock(list_mutex);
  buffer->next = first_listed;
  if (first_listed) first_listed->previous = buffer;
  first_listed = buffer;
}

// The caller holds `list_mutex`.
void delist(Buffer* buffer) {
  if (buffer->previous) buffer->previous->next = buffer->next;
  if (buffer->next) buffer->next->previous = buffer->previous;
  if (first_listed == buffer) first_listed = buffer->next;
  buffer->previous = buffer->next = nullptr;
}

// ---- Work ----
Work current_work(const Backend& backend, int stream) {
  return Work(stream, backend.open_ticket(stream));
}

// All the work that touches the device's copy, as one: whoever reads it waits for it to be written.
Work all_work(const Buffer* buffer) {
  Work read = buffer->read.load();
  return read.is_none() ? buffer->written.load() : read;
}

void download(Buffer* buffer) {
  if (!buffer->host) {
    buffer->host = allocator_of(host_backend()).take(buffer->bytes, buffer->capacity);
  }
  buffer->place->download(buffer->host, buffer->device, buffer->bytes, buffer->written.load());
  // Others may write to the device's block at any time: the copy serves this use alone.
  if (buffer->device_pins.load() == 0) {
    buffer->current.fetch_or(Buffer::on_host, std::memory_order_acq_rel);
  }
  ++downloads;
  bytes_down += buffer->bytes;
}

void give_device_block(Buffer* buffer) {
  allocator_of(*buffer->place).give(buffer->device, buffer->device_capacity, all_work(buffer));
  buffer->device = nullptr;
  buffer->device_capacity = 0;
  buffer->written.store({});
  buffer->read.store({});
}

void take_device_block(Buffer* buffer, Backend& backend, int stream) {
  buffer->device = allocator_of(backend).take(buffer->bytes, buffer->device_capacity, stream);
  buffer->place = &backend;
  enlist(buffer);
}

// Whether the buffer's block could be given back. The caller holds `list_mutex`.
bool move_to_host(Buffer* buffer) {
  std::unique_lock lock(mutex_of(buffer), std::try_to_lock);
  if (!lock || buffer->busy.load() != 0 || !buffer->device) return false;
  if (is_on(buffer, Buffer::on_device)) {
    if (!is_on(buffer, Buffer::on_host)) download(buffer);
    buffer->current.fetch_and(static_cast<uint8_t>(~Buffer::on_device), std::memory_order_seq_cst);
    if (buffer->busy.load(std::memory_order_seq_cst) != 0) {
      buffer->current.fetch_or(Buffer::on_device);
      return false;
    }
    ++moved_away;
  }
  delist(buffer);
  give_device_block(buffer);
  return true;
}

}  // namespace

Buffer* allocate_buffer(size_t bytes, Backend& backend, int stream) {
  if (backend.shares_host_memory) return allocate_buffer(bytes);
  size_t capacity = 0;
  void* block = allocator_of(backend).take(bytes, capacity, stream);
  Buffer* buffer = new Buffer(bytes);
  buffer->device = block;
  buffer->device_capacity = capacity;
  buffer->place = &backend;
  buffer->busy.store(1, std::memory_order_relaxed);
  buffer->written.store(current_work(backend, stream), std::memory_order_relaxed);
  buffer->touched.store(++clock_of_use, std::memory_order_relaxed);
  buffer->current.store(Buffer::on_device, std::memory_order_relaxed);
  enlist(buffer);
  return buffer;
}

void fetch_to_host(Buffer* buffer, bool for_writing) {
  if (!is_on(buffer, Buffer::on_host)) {
    std::lock_guard lock(mutex_of(buffer));
    if (!is_on(buffer, Buffer::on_host)) download(buffer);
  }
  if (for_writing) mark_written(buffer, host_backend(), 0);
}

bool pin_on_host(Buffer* buffer) {
  std::lock_guard lock(mutex_of(buffer));
  if (buffer->device_pins.load() != 0) return false;
  fetch_to_host(buffer, true);
  buffer->pins.fetch_add(1);
  return true;
}

Buffer* copy_on_host(Buffer* buffer) {
  std::lock_guard lock(mutex_of(buffer));
  fetch_to_host(buffer, false);
  Buffer* copy = allocate_buffer(buffer->bytes);
  std::memcpy(copy->host, buffer->host, buffer->bytes);
  return copy;
}

bool pin_on_device(Buffer* buffer, Backend& backend, int stream) {
  std::lock_guard lock(mutex_of(buffer));
  bool of_others = buffer->host && buffer->capacity == 0;
  if (buffer->pins.load() != 0 || of_others) return false;
  make_current(buffer, backend, stream);
  buffer->device_pins.fetch_add(1);
  buffer->current.store(Buffer::on_device, std::memory_order_seq_cst);
  return true;
}

void unpin_on_device(Buffer* buffer, int stream, uintptr_t native) noexcept {
  Backend& backend = *buffer->place;
  try {
    std::lock_guard lock(mutex_of(buffer));
    Work written = buffer->written.load();
    if (!written.is_none() && !written.is_of(stream)) backend.wait_on_stream(stream, written);
    backend.wait_on_native(stream, native);
    buffer->written.store(current_work(backend, stream));
  } catch (...) {
    // A device that has failed does no work to be waited for.
  }
  buffer->device_pins.fetch_sub(1);  // before it may be moved away
  end_use(buffer, backend);
}

Buffer* copy_on_device(Buffer* buffer, Backend& backend, int stream) {
  std::lock_guard lock(mutex_of(buffer));
  fetch_to_host(buffer, false);
  Buffer* copy = allocate_buffer(buffer->bytes, backend, stream);
  backend.upload(copy->device, buffer->host, buffer->bytes, stream);
  end_use(copy, backend);
  return copy;
}

Buffer* wrap_device_buffer(void* memory, size_t bytes, Backend& backend, int stream,
                           std::function<void(void*)> deleter) {
  Buffer* buffer = new Buffer(bytes);
  buffer->device = memory;
  buffer->place = &backend;
  buffer->written.store(current_work(backend, stream));
  buffer->current.store(Buffer::on_device);
  buffer->device_pins.store(1);
  buffer->read_only = true;
  buffer->deleter = [memory, deleter = std::move(deleter)](void*) { deleter(memory); };
  return buffer;
}

void order_read(Buffer* buffer, Backend& backend, int stream) {
  Work written = buffer->written.load(), now = current_work(backend, stream);
  if (!written.is_none() && !written.is_of(stream)) backend.wait_on_stream(stream, written);
  Work before = buffer->read.load();
  do {
    if (before.is_of_many()) return;
    bool alone = before.is_none() || before.is_of(stream) || backend.is_done(before);
    if (!alone) now = Work::of_many();
  } while (!buffer->read.compare_exchange_weak(before, now));
}

void order_write(Buffer* buffer, Backend& backend, int stream) {
  Work all = all_work(buffer);
  if (!all.is_none() && !all.is_of(stream)) backend.wait_on_stream(stream, all);
  buffer->read.store({});
}

void prepare_write(Buffer* buffer, Backend& backend, int stream) {
  if (!backend.shares_host_memory) order_write(buffer, backend, stream);
}

void fetch_to_device(Buffer* buffer, Backend& backend, int stream) {
  buffer->touched.store(clock_of_use.fetch_add(1, std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
  if (is_on(buffer, Buffer::on_device) && buffer->place == &backend) {
    return order_read(buffer, backend, stream);
  }
  std::lock_guard lock(mutex_of(buffer));
  if (is_on(buffer, Buffer::on_device)) {
    if (buffer->place == &backend) return order_read(buffer, backend, stream);
    if (!is_on(buffer, Buffer::on_host)) download(buffer);  // from another device
  }
  if (buffer->device && buffer->place != &backend) forget_device_copy(buffer);
  int upload = backend.upload_stream(stream, buffer->bytes);
  if (!buffer->device) take_device_block(buffer, backend, upload);
  order_write(buffer, backend, upload);
  backend.upload(buffer->device, buffer->host, buffer->bytes, upload);
  buffer->written.store(current_work(backend, upload));
  if (upload != stream) {
    backend.seal(upload);
    order_read(buffer, backend, stream);
  }
  ++uploads;
  bytes_up += buffer->bytes;
  if (buffer->device_pins.load() != 0) {
    buffer->current.store(Buffer::on_device);
  } else if (buffer->pins.load() == 0 || buffer->read_only) {
    // Else an export may be written through at any time: the copy serves this step alone.
    buffer->current.fetch_or(Buffer::on_device);
  }
}

void wait_until_written(const Buffer* buffer) {
  if (!buffer->place || !is_on(buffer, Buffer::on_device)) return;
  Work written = buffer->written.load();
  if (!written.is_none()) buffer->place->wait_on_host(written);
}

bool is_written(const Buffer* buffer) {
  if (!buffer->place || !is_on(buffer, Buffer::on_device)) return true;
  Work written = buffer->written.load();
  return written.is_none() || buffer->place->is_done(written);
}

size_t move_away(Backend& backend, size_t bytes) {
  std::lock_guard lock(list_mutex);
  std::vector<std::pair<uint64_t, Buffer*>> candidates;
  for (Buffer* b = first_listed; b; b = b->next) {
    if (b->place == &backend && b->busy.load() == 0) candidates.push_back({b->touched.load(), b});
  }
  std::sort(candidates.begin(), candidates.end());
  size_t freed = 0;
  for (auto [time, buffer] : candidates) {
    if (freed >= bytes) break;
    size_t capacity = buffer->device_capacity;
    if (move_to_host(buffer)) freed += capacity;
  }
  return freed;
}

void forget_device_copy(Buffer* buffer) noexcept {
  if (!buffer->device) return;
  if (buffer->device_capacity == 0) {  // somebody else's
    buffer->place->settle(all_work(buffer));
    buffer->device = nullptr;
    return;
  }
  {
    std::lock_guard lock(list_mutex);
    delist(buffer);
  }
  give_device_block(buffer);
}

ResidencyStatistics residency_statistics() {
  return {uploads.load(), downloads.load(), moved_away.load(), bytes_up.load(), bytes_down.load()};
}

}  // namespace lazuli
