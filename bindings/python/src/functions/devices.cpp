// Devices, streams, memory.
#include <nanobind/stl/string.h>

#include <memory>

#include "array/casters.h"
#include "generated/documentation.h"
#include "lazuli/memory.h"
#include "registry.h"

namespace lazuli::python {
namespace {

Device load_device(nb::handle object) {
  if (nb::isinstance<Device>(object)) return nb::cast<Device>(object);
  if (nb::isinstance<Device::DeviceType>(object)) {
    return Device(nb::cast<Device::DeviceType>(object));
  }
  raise(PyExc_TypeError, std::string("A Device or DeviceType is expected, not ") +
                             Py_TYPE(object.ptr())->tp_name + ".");
}

std::string describe(const Device& d) {
  const char* type = d.type == Device::cpu ? "cpu" : "gpu";
  return std::string("Device(") + type + ", " + std::to_string(d.index) + ")";
}

// `with stream(s):` makes s the default for the block.
struct Context {
  StreamOrDevice stream;
  std::unique_ptr<StreamContext> active;
};

void register_types(nb::module_& module) {
  nb::enum_<Device::DeviceType>(module, "DeviceType", "The kinds of devices.")
      .value("cpu", Device::cpu)
      .value("gpu", Device::gpu);
  module.attr("cpu") = module.attr("DeviceType").attr("cpu");
  module.attr("gpu") = module.attr("DeviceType").attr("gpu");
  nb::class_<Device>(module, "Device", "A device that runs operations.")
      .def(nb::init<Device::DeviceType, int>(), nb::arg("type"), nb::arg("index") = 0)
      .def_ro("type", &Device::type)
      .def("__repr__", &describe)
      .def("__eq__", [](const Device& d, nb::handle other) {
        bool known = nb::isinstance<Device>(other) || nb::isinstance<Device::DeviceType>(other);
        return known && d == load_device(other);
      });
  nb::class_<Stream>(module, "Stream", "A sequence of work on a device.")
      .def_ro("device", &Stream::device)
      .def("__repr__",
           [](const Stream& s) {
             return "Stream(" + describe(s.device) + ", " + std::to_string(s.index) + ")";
           })
      .def("__eq__", [](const Stream& s, nb::handle other) {
        return nb::isinstance<Stream>(other) && s == nb::cast<Stream>(other);
      });
  nb::class_<Context>(module, "StreamContext", "Makes a stream the default one for a block.")
      .def(
          "__init__", [](Context* self, StreamOrDevice s) { new (self) Context{s, nullptr}; },
          nb::arg("s"))
      .def("__enter__", [](Context& c) { c.active = std::make_unique<StreamContext>(c.stream); })
      .def("__exit__", [](Context& c, nb::args) { c.active.reset(); });
}

void register_functions(nb::module_& module) {
  module.def("default_device", [] { return default_device(); }, documentation::default_device);
  module.def(
      "set_default_device", [](nb::handle device) { set_default_device(load_device(device)); },
      nb::arg("device"), documentation::set_default_device);
  module.def(
      "is_available", [](nb::handle device) { return is_available(load_device(device)); },
      nb::arg("device"), documentation::is_available);
  module.def(
      "device_info",
      [](nb::handle device) {
        DeviceInfo info = device_info(device.is_none() ? default_device() : load_device(device));
        nb::dict result;
        for (const auto& [name, fact] : info) {
          std::visit([&](const auto& value) { result[name.c_str()] = value; }, fact);
        }
        return result;
      },
      nb::arg("d") = nb::none(), documentation::device_info);
  module.def(
      "why_unavailable", [](nb::handle device) { return why_unavailable(load_device(device)); },
      nb::arg("device"), documentation::why_unavailable);
  module.def("device_count", &device_count, nb::arg("device_type"), documentation::device_count);
  module.def(
      "default_stream", [](nb::handle device) { return default_stream(load_device(device)); },
      nb::arg("device"), documentation::default_stream);
  module.def("set_default_stream", &set_default_stream, nb::arg("stream"),
             documentation::set_default_stream);
  module.def(
      "new_stream", [](nb::handle device) { return new_stream(load_device(device)); },
      nb::arg("device"), documentation::new_stream);
  module.def(
      "stream", [](StreamOrDevice s) { return Context{s, nullptr}; }, nb::arg("s"),
      documentation::stream);
}

Device load_or_default(nb::handle device) {
  return device.is_none() ? default_device() : load_device(device);
}

// A function of a device's memory, the default device's where none is given.
template <class F>
void define_of_memory(nb::module_& module, const char* name, F function, const char* text) {
  module.def(
      name, [function](nb::handle device) { return function(load_or_default(device)); },
      nb::arg("device") = nb::none(), text);
}
template <class F>
void define_limit(nb::module_& module, const char* name, F function, const char* text) {
  module.def(
      name,
      [function](size_t limit, nb::handle device) {
        return function(limit, load_or_default(device));
      },
      nb::arg("limit"), nb::arg("device") = nb::none(), text);
}

void register_memory(nb::module_& module) {
  define_of_memory(module, "get_active_memory", &get_active_memory,
                   documentation::get_active_memory);
  define_of_memory(module, "get_peak_memory", &get_peak_memory, documentation::get_peak_memory);
  define_of_memory(module, "reset_peak_memory", &reset_peak_memory,
                   documentation::reset_peak_memory);
  define_of_memory(module, "get_cache_memory", &get_cache_memory, documentation::get_cache_memory);
  define_of_memory(module, "clear_cache", &clear_cache, documentation::clear_cache);
  define_of_memory(module, "get_memory_limit", &get_memory_limit, documentation::get_memory_limit);
  define_limit(module, "set_memory_limit", &set_memory_limit, documentation::set_memory_limit);
  define_limit(module, "set_cache_limit", &set_cache_limit, documentation::set_cache_limit);
}

}  // namespace

bool load_stream(PyObject* object, StreamOrDevice& stream) {
  nb::handle handle(object);
  if (nb::isinstance<Stream>(handle)) {
    stream = nb::cast<Stream>(handle);
  } else if (nb::isinstance<Device>(handle)) {
    stream = nb::cast<Device>(handle);
  } else if (nb::isinstance<Device::DeviceType>(handle)) {
    stream = Device(nb::cast<Device::DeviceType>(handle));
  } else {
    return false;
  }
  return true;
}

void register_devices(nb::module_& module) {
  register_types(module);
  register_functions(module);
  register_memory(module);
}

}  // namespace lazuli::python
