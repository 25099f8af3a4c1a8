// cuDNN, opened at run time, and its descriptors: everything it does is a graph of operations
// between tensors, described attribute by attribute. Numbers follow the cuDNN backend API
// reference, version 9.19.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "backends/cuda/driver.h"

namespace lazuli::cuda {

extern "C" {
typedef struct cudnnContext* DnnHandle;
}

struct Dnn {
#define DNN(name, result, parameters) result(*name) parameters = nullptr;
#include "backends/cuda/dnn/dnn_api.def"
#undef DNN
  DnnHandle handle = nullptr;  // for one thread at a time
};

// cuDNN; nullptr where it is missing, older than 9.19, or does not start on this GPU.
const Dnn* find_dnn();

// DeviceError, naming the call and what cuDNN says, if it has failed.
void check_dnn(int status, const char* call);

// What a descriptor describes.
enum class DnnKind : int {
  pointwise = 0,
  engine_configuration = 3,
  heuristics = 4,
  plan = 5,
  pointwise_operation = 13,
  graph = 15,
  arguments = 16,
  tensor = 17,
  product = 18,
  product_operation = 19,
  reduction = 21,
  reduction_operation = 22,
};

// The types of attributes.
enum class DnnType : int {
  handle = 0,
  data_type = 1,
  boolean = 2,
  int64 = 3,
  pointer = 6,
  heuristics_mode = 8,
  pointwise_mode = 14,
  descriptor = 15,
  reduction_operator = 18,
  text = 24,
};

class DnnDescriptor {
 public:
  explicit DnnDescriptor(DnnKind kind);
  ~DnnDescriptor();
  DnnDescriptor(DnnDescriptor&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  DnnDescriptor& operator=(DnnDescriptor&&) = delete;
  void* raw() const { return raw_; }

  void set(int attribute, DnnType type, const void* values, size_t count);
  void set(int attribute, std::span<const int64_t> values) {
    set(attribute, DnnType::int64, values.data(), values.size());
  }
  void set(int attribute, int64_t value) { set(attribute, DnnType::int64, &value, 1); }
  void set(int attribute, DnnType type, int value) { set(attribute, type, &value, 1); }
  void set(int attribute, bool value) { set(attribute, DnnType::boolean, &value, 1); }
  void set(int attribute, const DnnDescriptor& value) {
    set(attribute, DnnType::descriptor, &value.raw_, 1);
  }
  // After which nothing may be set.
  void finalize();

  int64_t get_int64(int attribute) const;
  std::string get_text(int attribute) const;
  // Fills the first descriptors of `values`; returns how many.
  size_t get(int attribute, std::span<const DnnDescriptor> values) const;

 private:
  int64_t get(int attribute, DnnType type, int64_t wanted, void* values) const;

  void* raw_ = nullptr;
};

}  // namespace lazuli::cuda
