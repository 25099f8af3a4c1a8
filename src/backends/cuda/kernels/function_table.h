// Tables of the instances of kernels. A slot finds a function that has been used before, so that a
// launch puts no names together. All tables together say which instances there are: a build
// compiles them ahead, and a test compiles them for every architecture.
#pragma once

#include <array>
#include <atomic>
#include <initializer_list>
#include <string>
#include <vector>

#include "backends/cuda/kernel.h"

namespace lazuli::cuda {

// The slots of dtypes in tables.
constexpr size_t dtype_count = 14;
inline size_t slot_of(Dtype::Val dtype) { return static_cast<size_t>(dtype); }
inline Dtype::Val dtype_at(size_t slot) { return static_cast<Dtype::Val>(slot); }

// The dtypes of kernels that compute in float32 or in halves.
constexpr Dtype::Val float_types[] = {Dtype::Val::float32, Dtype::Val::float16,
                                      Dtype::Val::bfloat16};
constexpr size_t float_count = 3;
inline size_t float_slot(Dtype::Val dtype) {
  return dtype == Dtype::Val::float32 ? 0 : dtype == Dtype::Val::float16 ? 1 : 2;
}

// "kernel<a, b>".
std::string instance_name(const char* kernel, std::initializer_list<std::string> arguments);
inline std::string truth(bool value) { return value ? "true" : "false"; }

// What a table holds.
class InstanceList {
 public:
  // The instance of a slot; empty if no launch asks for the slot.
  using Name = std::string (*)(size_t slot);

  const char* file() const { return file_; }
  size_t count() const { return count_; }
  std::string name(size_t slot) const { return name_(slot); }

 protected:
  InstanceList(const char* file, size_t count, Name name, int shared_percent);
  ~InstanceList() = default;
  const Function& load(size_t slot) const;

 private:
  const char* file_;
  size_t count_;
  Name name_;
  int shared_percent_;
};

// Where the driver is left to choose how much shared memory a multiprocessor has.
constexpr int any_percent = -1;

// A table of `file`'s instances. One for the process, outside of functions, so that it is known
// before anything has been launched. `shared_percent` as in Function::prefer_shared_percent.
template <size_t Count>
class FunctionTable : public InstanceList {
 public:
  FunctionTable(const char* file, Name name, int shared_percent = any_percent)
      : InstanceList(file, Count, name, shared_percent) {}
  FunctionTable(const FunctionTable&) = delete;
  FunctionTable& operator=(const FunctionTable&) = delete;

  const Function& at(size_t slot) {
    const Function* function = functions_[slot].load(std::memory_order_acquire);
    if (!function) {
      function = &load(slot);
      functions_[slot].store(function, std::memory_order_release);
    }
    return *function;
  }
  // Null if no launch has asked for it yet.
  const Function* known(size_t slot) const {
    return functions_[slot].load(std::memory_order_acquire);
  }

 private:
  std::array<std::atomic<const Function*>, Count> functions_{};
};

struct FixedInstance {
  std::string file, instance;
  auto operator<=>(const FixedInstance&) const = default;
};
// Every instance that a launch may ask for, in order, once.
std::vector<FixedInstance> fixed_instances();

// Zeroed words on the GPU by which the blocks of one launch find the last of them; kernels leave
// them zero. One set for each stream.
constexpr int counters_max = 4096;
uint32_t* counters_of(int stream);

}  // namespace lazuli::cuda
