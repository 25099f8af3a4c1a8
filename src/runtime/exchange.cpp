#include "lazuli/exchange.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "core/node.h"
#include "ops/table/op.h"
#include "runtime/registry.h"
#include "runtime/residency.h"
#include "runtime/run.h"

namespace lazuli {
namespace {

Backend& backend_with_memory(const Device& device) {
  Backend& backend = backend_at(device, "dlpack");
  if (backend.shares_host_memory) {
    throw DeviceError("[dlpack] " + to_string(device) +
                      " has no memory of its own: share the host's.");
  }
  return backend;
}

// The array, pinned on the device, or a copy if others have the host's memory of it.
array pinned_on_device(const array& shared, const Device& device) {
  Backend& backend = backend_with_memory(device);
  const Layout& layout = submitted_layout(shared);
  int stream = default_stream(device).index;
  if (pin_on_device(layout.buffer, backend, stream)) return shared;
  Layout copy(copy_on_device(layout.buffer, backend, stream), layout.offset, layout.strides,
              layout.dense);
  pin_on_device(copy.buffer, backend, stream);
  return array(make_leaf(shared.dtype(), shared.shape(), std::move(copy)));
}

}  // namespace

bool may_overlap(const Shape& shape, const Strides& strides) {
  std::vector<std::pair<int64_t, int64_t>> axes;  // stride, extent
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0) return false;
    if (shape[d] > 1) axes.emplace_back(std::abs(strides[d]), shape[d]);
  }
  // From the narrowest axis on: each must step over all that those before it reach.
  std::sort(axes.begin(), axes.end());
  int64_t reach = 0;
  for (auto [stride, extent] : axes) {
    if (stride <= reach) return true;
    reach += stride * (extent - 1);
  }
  return false;
}

int dlpack_type(const Device& device) { return backend_at(device, "dlpack").dlpack_type(); }

Device device_of(const array& a) {
  const Buffer* buffer = submitted_layout(a).buffer;
  uint8_t current = buffer->current.load();
  if (!(current & Buffer::on_device)) return Device::cpu;
  bool on_both = current & Buffer::on_host;
  return on_both ? a.stream().device : buffer->place->device;
}

std::uintptr_t native_stream(const Stream& stream) {
  return backend_of(stream.index).native_stream(stream.index);
}

array import_memory(void* data, Shape shape, Dtype dtype, const Stream& stream,
                    const Deleter& deleter) {
  Backend& backend = backend_with_memory(stream.device);
  size_t bytes = static_cast<size_t>(element_count(shape)) * dtype.size();
  Buffer* buffer = wrap_device_buffer(data, bytes, backend, stream.index, deleter);
  return array(make_leaf(dtype, std::move(shape), Layout(buffer, 0, {}, true)));
}

DeviceExport::DeviceExport(const array& shared, const Device& device)
    : array_(pinned_on_device(shared, device)) {}

DeviceExport::~DeviceExport() {
  Buffer* buffer = array_.node()->value->layout.buffer;
  unpin_on_device(buffer, default_stream(buffer->place->device).index, native_);
}

void DeviceExport::order_before(std::uintptr_t native) {
  const Buffer* buffer = array_.node()->value->layout.buffer;
  buffer->place->order_native_after(native, buffer->written.load());
  native_ = native;
}

void* DeviceExport::data() const {
  const Layout& layout = array_.node()->value->layout;
  return static_cast<char*>(layout.buffer->device) + layout.offset;
}

Strides DeviceExport::strides() const {
  const Layout& layout = array_.node()->value->layout;
  return layout.dense ? dense_strides(array_.shape()) : layout.strides;
}

}  // namespace lazuli
