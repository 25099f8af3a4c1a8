// DLPack: memory shared with other libraries, on the host and on the GPU.
//
// The consumer of an export passes its stream: that one waits on the device for what makes the
// value, the host does not. For an import we are the consumer.
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "array/casters.h"
#include "array/convert.h"
#include "array/dtypes.h"
#include "array/evaluate.h"
#include "generated/documentation.h"
#include "lazuli/exchange.h"
#include "lazuli/ops.h"

namespace lazuli::python {
namespace {

using Tensor = nb::ndarray<nb::ro>;
using TypeAndIndex = std::pair<int, int>;  // of a device, as DLPack has them
constexpr long legacy_stream = 1, no_stream = -1;

Dtype dtype_of_dlpack(const nb::dlpack::dtype& dtype) {
  using Code = nb::dlpack::dtype_code;
  static const struct {
    Code code;
    int bits;
    Dtype dtype;
  } rows[] = {
      {Code::Bool, 8, bool_},       {Code::UInt, 8, uint8},        {Code::UInt, 16, uint16},
      {Code::UInt, 32, uint32},     {Code::UInt, 64, uint64},      {Code::Int, 8, int8},
      {Code::Int, 16, int16},       {Code::Int, 32, int32},        {Code::Int, 64, int64},
      {Code::Float, 16, float16},   {Code::Float, 32, float32},    {Code::Float, 64, float64},
      {Code::Bfloat, 16, bfloat16}, {Code::Complex, 64, complex64}};
  for (const auto& row : rows) {
    if (static_cast<uint8_t>(row.code) == dtype.code && row.bits == dtype.bits &&
        dtype.lanes == 1) {
      return row.dtype;
    }
  }
  throw ArgumentError("A DLPack tensor of the dtype code " + std::to_string(dtype.code) + " with " +
                      std::to_string(dtype.bits) + " bits is no array.");
}

nb::dlpack::dtype dlpack_dtype(Dtype dtype) {
  using Code = nb::dlpack::dtype_code;
  Code code;
  switch (kind_of(dtype)) {
    case Kind::boolean: code = Code::Bool; break;
    case Kind::integer: code = issubdtype(dtype, unsignedinteger) ? Code::UInt : Code::Int; break;
    case Kind::real: code = dtype == bfloat16 ? Code::Bfloat : Code::Float; break;
    default: code = Code::Complex;
  }
  return {static_cast<uint8_t>(code), static_cast<uint8_t>(8 * dtype.size()), 1};
}

// ---- Exports ------------------------------------------------------------------------------------
TypeAndIndex numbers_of(const Device& device) { return {dlpack_type(device), device.index}; }

// The device with these numbers; nothing if it is not here.
std::optional<Device> device_with(const TypeAndIndex& numbers) {
  for (Device device : {Device(Device::cpu), Device(Device::gpu)}) {
    if (is_available(device) && numbers_of(device) == numbers) return device;
  }
  return std::nullopt;
}

Device place_of(const array& a) {
  Device place = Device::cpu;
  run_unlocked([&] { place = device_of(a); });
  return place;
}

Device wanted_device(const array& a, const std::optional<TypeAndIndex>& wanted,
                     std::optional<bool> copy) {
  Device place = place_of(a);
  if (!wanted) return place;
  std::optional<Device> device = device_with(*wanted);
  if (!device) {
    raise(PyExc_BufferError, "There is no device (" + std::to_string(wanted->first) + ", " +
                                 std::to_string(wanted->second) + ") to export an array to.");
  }
  if (*device != place && copy && !*copy) {
    raise(PyExc_BufferError, "The array lies on " + to_string(place) + ": an export to " +
                                 to_string(*device) + " needs copy=True or None.");
  }
  return *device;
}

// Consumers write where they like and know nothing of negative strides, whatever the memory says.
bool suits_consumers(const Shape& shape, const Strides& strides) {
  bool backwards = std::any_of(strides.begin(), strides.end(), [](int64_t s) { return s < 0; });
  return !backwards && !may_overlap(shape, strides);
}

// What is exported instead.
array dense_copy(const array& a, const Device& device, bool may_copy) {
  if (!may_copy) {
    raise(PyExc_BufferError,
          "Elements of the array share their places or lie backwards: an export needs copy=True or "
          "None.");
  }
  return contiguous(a, false, device);
}

template <class Memory>
nb::object tensor_of(std::unique_ptr<Memory> memory, const array& a, const Strides& own,
                     const TypeAndIndex& device) {
  Strides strides = exported_strides(a.shape(), own);
  std::vector<size_t> extents(a.shape().begin(), a.shape().end());
  std::vector<int64_t> steps(strides.begin(), strides.end());
  void* data = memory->data();
  nb::capsule owner(memory.release(),
                    [](void* held) noexcept { delete static_cast<Memory*>(held); });
  return nb::cast(nb::ndarray<nb::array_api>(data, extents.size(), extents.data(), owner,
                                             steps.data(), dlpack_dtype(a.dtype()), device.first,
                                             device.second));
}

nb::object export_from_host(array& a, bool may_copy) {
  unfold_constant(a);
  Strides strides = exported_strides(a.shape(), a.strides());
  array value = suits_consumers(a.shape(), strides) ? a : dense_copy(a, Device::cpu, may_copy);
  evaluate(value);
  return tensor_of(std::make_unique<HostExport>(value), value, value.strides(),
                   numbers_of(Device::cpu));
}

nb::object export_from_device(array& a, const Device& device, nb::handle stream, bool may_copy) {
  long native = legacy_stream;
  if (!stream.is_none()) native = load_argument<long>(stream, "__dlpack__", "stream");
  if (native == 0 || native < no_stream) {
    throw ArgumentError("A stream of " + std::to_string(native) +
                        " says too little: 1 is CUDA's default one, 2 the thread's own, -1 none.");
  }
  array value = a;
  std::unique_ptr<DeviceExport> memory;
  auto share = [&] { memory = std::make_unique<DeviceExport>(value, device); };
  run_unlocked(share);
  Strides strides = exported_strides(value.shape(), memory->strides());
  if (!suits_consumers(value.shape(), strides)) {
    bool constant = is_constant(value.shape(), strides);
    value = dense_copy(a, device, may_copy || constant);
    if (constant) a = value;
    run_unlocked(share);
    strides = memory->strides();
  }
  if (native != no_stream) memory->order_before(static_cast<std::uintptr_t>(native));
  return tensor_of(std::move(memory), value, strides, numbers_of(device));
}

nb::object to_dlpack(array& a, nb::handle stream, nb::handle version,
                     std::optional<TypeAndIndex> wanted, std::optional<bool> copy) {
  Device device = wanted_device(a, wanted, copy);
  array copied = a;
  if (copy.value_or(false)) copied = lazuli::copy(a, device);
  array& value = copy.value_or(false) ? copied : a;
  bool may_copy = copy.value_or(true);
  nb::object tensor = device == Device::cpu ? export_from_host(value, may_copy)
                                            : export_from_device(value, device, stream, may_copy);
  nb::dict keywords;
  keywords["max_version"] = version;
  return tensor.attr("__dlpack__")(**keywords);
}

// ---- Imports ------------------------------------------------------------------------------------
// The memory of a tensor from its first element to its last; the stream is the one that it was
// asked for on, none for the host.
array memory_of(const Tensor& tensor, int64_t count, Dtype dtype,
                const std::optional<Stream>& stream) {
  nb::capsule held(new Tensor(tensor), [](void* t) noexcept { delete static_cast<Tensor*>(t); });
  PyObject* owner = held.release().ptr();
  Deleter deleter = [owner](void*) { release_later(owner); };
  void* data = const_cast<void*>(static_cast<const void*>(tensor.data()));
  if (stream) return import_memory(data, {count}, dtype, *stream, deleter);
  return array(data, {count}, dtype, deleter);
}

bool is_complex128(const Tensor& tensor) {
  return tensor.dtype().code == static_cast<uint8_t>(nb::dlpack::dtype_code::Complex) &&
         tensor.dtype().bits == 128 && tensor.dtype().lanes == 1;
}

// The pairs of doubles as complex64; the view has an axis for the parts of a number.
array narrowed(const array& parts, const StreamOrDevice& s) {
  array values = contiguous(astype(parts, float32, s), false, s);
  evaluate(values);
  Shape shape(parts.shape().begin(), parts.shape().end() - 1);
  return array::from_memory(std::as_const(values).data<float>(), shape, complex64, complex64);
}

array from_tensor(const Tensor& tensor, std::optional<Dtype> wanted, bool copy,
                  const std::optional<Stream>& stream) {
  bool by_parts = is_complex128(tensor);
  Dtype dtype = by_parts ? float64 : dtype_of_dlpack(tensor.dtype());
  if (!copy && (by_parts || (wanted && *wanted != dtype))) refuse_sharing("the dtype differs");
  Shape shape;
  Strides strides;
  int64_t last = 0;
  for (size_t d = 0; d < tensor.ndim(); ++d) {
    shape.push_back(static_cast<int64_t>(tensor.shape(d)));
    strides.push_back(tensor.stride(d));
    if (strides[d] < 0) throw ArgumentError("A DLPack tensor with a negative stride is no array.");
    last += strides[d] * (shape[d] - 1);
  }
  if (tensor.size() == 0) return zeros(shape, wanted.value_or(by_parts ? complex64 : dtype));
  if (by_parts) {
    for (int64_t& step : strides) step *= 2;
    shape.push_back(2);
    strides.push_back(1);
    last = 2 * last + 1;
  }
  StreamOrDevice s;
  if (stream) s = *stream;
  array memory = memory_of(tensor, last + 1, dtype, stream);
  // The copy keeps the strides, as MLX's does, where few gaps are copied with the elements.
  bool whole = last < 2 * static_cast<int64_t>(tensor.size());
  if (copy && whole && !by_parts) memory = lazuli::copy(memory, s);
  array view = as_strided(memory, shape, strides, 0, s);
  if (!copy) return view;
  array result = by_parts ? narrowed(view, s) : whole ? view : lazuli::copy(view, s);
  if (wanted) result = astype(result, *wanted, s);
  evaluate(result);  // the tensor may change from here on
  return result;
}

[[noreturn]] void refuse_device(const TypeAndIndex& numbers) {
  throw ArgumentError("A DLPack tensor of the device (" + std::to_string(numbers.first) + ", " +
                      std::to_string(numbers.second) + ") is no array: it is not used here.");
}

// The GPU that the object's memory is on; nothing for the host.
std::optional<Device> device_of_object(nb::handle object) {
  if (!nb::hasattr(object, "__dlpack_device__")) return std::nullopt;
  auto numbers = nb::cast<TypeAndIndex>(object.attr("__dlpack_device__")());
  if (numbers.first == nb::device::cpu::value) return std::nullopt;
  std::optional<Device> device = device_with(numbers);
  if (!device) refuse_device(numbers);
  return device;
}

// A capsule whose memory holds the value for work that the stream is given later.
nb::object ask_for_capsule(nb::handle object, const Stream& stream) {
  std::uintptr_t native = 0;
  run_unlocked([&] { native = native_stream(stream); });
  nb::object ask = object.attr("__dlpack__");
  try {
    return ask(nb::arg("stream") = native, nb::arg("max_version") = nb::make_tuple(1, 0));
  } catch (nb::python_error& error) {
    if (!error.matches(PyExc_TypeError)) throw;
  }
  return ask(nb::arg("stream") = native);  // from before there were versions
}

}  // namespace

void refuse_sharing(const char* why) {
  throw ArgumentError(std::string("An array without a copy is not possible: ") + why + ".");
}

array from_dlpack(PyObject* object, std::optional<Dtype> dtype, std::optional<bool> copy) {
  nb::object source = nb::borrow(object);
  std::optional<Stream> stream;
  if (std::optional<Device> device = device_of_object(source)) {
    stream = default_stream(*device);
    source = ask_for_capsule(source, *stream);
  }
  Tensor tensor;
  if (!nb::try_cast(source, tensor)) {
    throw ArgumentError(std::string("The object of the type ") + Py_TYPE(object)->tp_name +
                        " gives no DLPack tensor.");
  }
  TypeAndIndex expected = numbers_of(stream ? stream->device : Device(Device::cpu));
  if (tensor.device_type() != expected.first) refuse_device({tensor.device_type(), 0});
  return from_tensor(tensor, dtype, copy.value_or(!stream.has_value()), stream);
}

void register_dlpack(nb::module_& module) {
  nb::handle type(reinterpret_cast<PyObject*>(array_type));
  auto method = [&](const char* name, auto function, const auto&... extra) {
    nb::cpp_function_def(function, nb::scope(type), nb::name(name), nb::is_method(), extra...);
  };
  method("__dlpack__", to_dlpack, nb::kw_only(), nb::arg("stream") = nb::none(),
         nb::arg("max_version") = nb::none(), nb::arg("dl_device") = nb::none(),
         nb::arg("copy") = nb::none());
  method("__dlpack_device__", [](const array& a) { return numbers_of(place_of(a)); });
  module.def(
      "from_dlpack",
      [](nb::handle x, std::optional<bool> copy) {
        if (copy && !*copy) return asarray(x, std::nullopt, copy);
        return nb::cast(from_dlpack(x.ptr(), std::nullopt, copy));
      },
      nb::arg("x"), nb::kw_only(), nb::arg("copy") = nb::none(), documentation::from_dlpack);
}

}  // namespace lazuli::python
