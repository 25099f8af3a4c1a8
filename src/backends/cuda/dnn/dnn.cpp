#include "backends/cuda/dnn/dnn.h"

#include <string>
#include <vector>

#include "backends/cuda/blas.h"
#include "backends/cuda/gpu.h"
#include "backends/cuda/library.h"
#include "lazuli/error.h"

namespace lazuli::cuda {
namespace {

constexpr size_t version_min = 91900;

bool open(Dnn& dnn) {
  gpu();
  // cuDNN ends the process where it does not find cuBLASLt.
  if (!has_blas()) return false;
  std::string tried;
  void* library = open_library("libcudnn.so.9", tried);
  if (!library) return false;
#define DNN(name, result, parameters)                                           \
  dnn.name = reinterpret_cast<decltype(dnn.name)>(find_symbol(library, #name)); \
  if (!dnn.name) return false;
#include "backends/cuda/dnn/dnn_api.def"
#undef DNN
  return dnn.cudnnGetVersion() >= version_min && dnn.cudnnCreate(&dnn.handle) == 0;
}

}  // namespace

const Dnn* find_dnn() {
  static const Dnn* once = [] {
    auto* made = new Dnn;
    return open(*made) ? made : nullptr;
  }();
  return once;
}

void check_dnn(int status, const char* call) {
  if (status == 0) return;
  char last[1024] = "";
  find_dnn()->cudnnGetLastErrorString(last, sizeof last);
  throw DeviceError("[scaled_dot_product_attention] " + std::string(call) + " reports " +
                    find_dnn()->cudnnGetErrorString(status) + (last[0] ? ": " : "") + last + ".");
}

DnnDescriptor::DnnDescriptor(DnnKind kind) {
  check_dnn(find_dnn()->cudnnBackendCreateDescriptor(static_cast<int>(kind), &raw_),
            "cudnnBackendCreateDescriptor");
}

DnnDescriptor::~DnnDescriptor() {
  if (raw_) find_dnn()->cudnnBackendDestroyDescriptor(raw_);
}

void DnnDescriptor::set(int attribute, DnnType type, const void* values, size_t count) {
  check_dnn(find_dnn()->cudnnBackendSetAttribute(raw_, attribute, static_cast<int>(type),
                                                 static_cast<int64_t>(count), values),
            "cudnnBackendSetAttribute");
}

void DnnDescriptor::finalize() {
  check_dnn(find_dnn()->cudnnBackendFinalize(raw_), "cudnnBackendFinalize");
}

int64_t DnnDescriptor::get(int attribute, DnnType type, int64_t wanted, void* values) const {
  int64_t count = 0;
  check_dnn(find_dnn()->cudnnBackendGetAttribute(raw_, attribute, static_cast<int>(type), wanted,
                                                 &count, values),
            "cudnnBackendGetAttribute");
  return count;
}

int64_t DnnDescriptor::get_int64(int attribute) const {
  int64_t value = 0;
  get(attribute, DnnType::int64, 1, &value);
  return value;
}

std::string DnnDescriptor::get_text(int attribute) const {
  std::string text(static_cast<size_t>(get(attribute, DnnType::text, 0, nullptr)), 0);
  get(attribute, DnnType::text, static_cast<int64_t>(text.size()), text.data());
  return text;
}

size_t DnnDescriptor::get(int attribute, std::span<const DnnDescriptor> values) const {
  std::vector<void*> places;
  for (const DnnDescriptor& value : values) places.push_back(value.raw_);
  return static_cast<size_t>(
      get(attribute, DnnType::descriptor, static_cast<int64_t>(places.size()), places.data()));
}

}  // namespace lazuli::cuda
