// Streams and events.
#include "emulated_cuda/libcuda/api.h"

namespace emulated {
namespace {

Handles<Stream>& streams() {
  static auto* all = new Handles<Stream>;
  return *all;
}
Handles<Event>& events() {
  static auto* all = new Handles<Event>;
  return *all;
}

std::shared_ptr<Recording> latest_of(Event& event) {
  std::lock_guard lock(event.mutex);
  return event.latest;
}

}  // namespace

Stream* stream_of(CUstream handle) {
  if (handle) return streams().find(handle);
  static Stream* standard = streams().add(new Stream);
  return standard;
}

void synchronize_streams() {
  streams().each([](Stream& stream) { stream.synchronize(); });
}

CUresult cuStreamCreate(CUstream* stream, unsigned) {
  EMULATED_ENTER();
  *stream = reinterpret_cast<CUstream>(streams().add(new Stream));
  return error_success;
}

CUresult cuStreamSynchronize(CUstream handle) {
  EMULATED_ENTER();
  Stream* stream = stream_of(handle);
  if (!stream) return error_invalid_handle;
  stream->synchronize();
  return context_error();
}

CUresult cuStreamWaitEvent(CUstream handle, CUevent event_handle, unsigned) {
  EMULATED_ENTER();
  Stream* stream = stream_of(handle);
  Event* event = events().find(event_handle);
  if (!stream || !event) return error_invalid_handle;
  if (auto recording = latest_of(*event)) stream->wait_for(recording);
  return error_success;
}

CUresult cuEventCreate(CUevent* event, unsigned flags) {
  EMULATED_ENTER();
  bool timed = !(flags & event_without_timing);
  *event = reinterpret_cast<CUevent>(events().add(new Event(timed)));
  return error_success;
}

CUresult cuEventDestroy_v2(CUevent handle) {
  EMULATED_ENTER();
  Event* event = events().find(handle);
  if (!event) return error_invalid_handle;
  events().remove(event);
  delete event;
  return error_success;
}

CUresult cuEventRecord(CUevent event_handle, CUstream handle) {
  EMULATED_ENTER();
  Stream* stream = stream_of(handle);
  Event* event = events().find(event_handle);
  if (!stream || !event) return error_invalid_handle;
  auto recording = std::make_shared<Recording>();
  {
    std::lock_guard lock(event->mutex);
    event->latest = recording;
  }
  stream->record(recording);
  return error_success;
}

CUresult cuEventQuery(CUevent handle) {
  EMULATED_ENTER();
  Event* event = events().find(handle);
  if (!event) return error_invalid_handle;
  auto recording = latest_of(*event);
  return !recording || recording->is_reached() ? error_success : error_not_ready;
}

CUresult cuEventSynchronize(CUevent handle) {
  EMULATED_ENTER();
  Event* event = events().find(handle);
  if (!event) return error_invalid_handle;
  if (auto recording = latest_of(*event)) recording->wait();
  return context_error();
}

CUresult cuEventElapsedTime(float* milliseconds, CUevent start_handle, CUevent end_handle) {
  EMULATED_ENTER();
  Event *start = events().find(start_handle), *end = events().find(end_handle);
  if (!start || !end || !start->timed || !end->timed) return error_invalid_handle;
  auto from = latest_of(*start), to = latest_of(*end);
  if (!from || !to) return error_invalid_handle;
  if (!from->is_reached() || !to->is_reached()) return error_not_ready;
  *milliseconds = std::chrono::duration<float, std::milli>(to->time() - from->time()).count();
  return error_success;
}

}  // namespace emulated
