#include "backends/cuda/kernels/function_table.h"

#include <set>

#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

std::vector<const InstanceList*>& all_lists() {
  static auto* lists = new std::vector<const InstanceList*>;
  return *lists;
}

}  // namespace

InstanceList::InstanceList(const char* file, size_t count, Name name, int shared_percent)
    : file_(file), count_(count), name_(name), shared_percent_(shared_percent) {
  all_lists().push_back(this);
}

const Function& InstanceList::load(size_t slot) const {
  std::string instance = name_(slot);
  if (instance.empty()) {
    throw RuntimeError(std::string("[cuda] The table of ") + file_ + " has no instance for slot " +
                       std::to_string(slot) + ".");
  }
  const Function& function = fixed_function(file_, instance);
  if (shared_percent_ != any_percent) function.prefer_shared_percent(shared_percent_);
  return function;
}

std::string instance_name(const char* kernel, std::initializer_list<std::string> arguments) {
  std::string name = kernel;
  for (const std::string& argument : arguments) {
    name += (&argument == arguments.begin() ? "<" : ", ") + argument;
  }
  return name + ">";
}

std::vector<FixedInstance> fixed_instances() {
  std::set<FixedInstance> found;
  for (const InstanceList* list : all_lists()) {
    for (size_t slot = 0; slot < list->count(); ++slot) {
      std::string name = list->name(slot);
      if (!name.empty()) found.insert({list->file(), name});
    }
  }
  return {found.begin(), found.end()};
}

uint32_t* counters_of(int stream) {
  static std::array<std::atomic<uint32_t*>, streams_max> table{};
  std::atomic<uint32_t*>& place = table[static_cast<size_t>(stream)];
  uint32_t* counters = place.load(std::memory_order_acquire);
  if (counters) return counters;
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  counters = place.load(std::memory_order_acquire);
  if (counters) return counters;
  CUdeviceptr address = 0;
  constexpr size_t bytes = counters_max * sizeof(uint32_t);
  LAZULI_CUDA(cuMemAlloc, &address, bytes);
  LAZULI_CUDA(cuMemsetD8Async, address, 0, bytes, queue_of(stream).stream());
  counters = reinterpret_cast<uint32_t*>(address);
  place.store(counters, std::memory_order_release);
  return counters;
}

}  // namespace lazuli::cuda
