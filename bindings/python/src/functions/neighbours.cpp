// What programs ask about their surroundings: other processes, other back-ends.
#include "array/casters.h"
#include "generated/documentation.h"
#include "lazuli/memory.h"
#include "lazuli/ops.h"
#include "registry.h"

namespace lazuli::python {
namespace {

// This process alone: there is no way to others yet.
struct Group {};

constexpr const char* transports[] = {"any", "mpi", "nccl", "jaccl", "ring"};

void check_transport(const std::string& name) {
  for (const char* known : transports) {
    if (name == known) return;
  }
  throw ArgumentError("[distributed] The back-end '" + name +
                      "' is none of 'any', 'mpi', 'nccl', 'jaccl' and 'ring'.");
}

[[noreturn]] void refuse_singleton(const char* what) {
  throw ArgumentError(std::string("[distributed] A group of one process has nobody to ") + what +
                      ".");
}

Group init(bool strict, const std::string& transport, nb::handle) {
  check_transport(transport);
  if (strict) {
    throw RuntimeError(
        "[distributed] No back-end is there: groups of several processes are not supported yet.");
  }
  return {};
}

void register_distributed(nb::module_& module) {
  nb::module_ m = module.def_submodule(
      "distributed", "Groups of processes; this one alone, until there are back-ends.");
  nb::class_<Group>(m, "Group", "Processes that exchange arrays.")
      .def(
          "rank", [](const Group&) { return 0; }, "The number of this process.")
      .def(
          "size", [](const Group&) { return 1; }, "How many processes there are.")
      .def(
          "split",
          [](const Group&, int, int) -> Group {
            throw RuntimeError("[distributed] A group of one process cannot be split.");
          },
          nb::arg("color"), nb::arg("key") = -1, "Raises RuntimeError: the group has one process.");
  m.def(
      "is_available",
      [](const std::string& transport) {
        check_transport(transport);
        return false;
      },
      nb::arg("backend") = "any", documentation::distributed_is_available);
  m.def("init", &init, nb::arg("strict") = false, nb::arg("backend") = "any", nb::kw_only(),
        nb::arg("all_gather_factory") = nb::none(), documentation::distributed_init);
  auto group = nb::arg("group") = nb::none(), stream = nb::arg("stream") = nb::none();
  const std::pair<const char*, const char*> collectives[] = {
      {"all_sum", documentation::distributed_all_sum},
      {"all_max", documentation::distributed_all_max},
      {"all_min", documentation::distributed_all_min},
      {"all_gather", documentation::distributed_all_gather},
      {"sum_scatter", documentation::distributed_sum_scatter}};
  for (const auto& [name, text] : collectives) {
    m.def(
        name, [](const array& x, std::optional<Group>, StreamOrDevice) { return x; }, nb::arg("x"),
        nb::kw_only(), group, stream, text);
  }
  m.def(
      "send",
      [](const array&, int, std::optional<Group>, StreamOrDevice) -> array {
        refuse_singleton("send to");
      },
      nb::arg("x"), nb::arg("dst"), nb::kw_only(), group, stream, documentation::distributed_send);
  m.def(
      "recv",
      [](nb::handle, nb::handle, int, std::optional<Group>, StreamOrDevice) -> array {
        refuse_singleton("receive from");
      },
      nb::arg("shape"), nb::arg("dtype"), nb::arg("src"), nb::kw_only(), group, stream,
      documentation::distributed_recv);
  m.def(
      "recv_like",
      [](const array&, int, std::optional<Group>, StreamOrDevice) -> array {
        refuse_singleton("receive from");
      },
      nb::arg("x"), nb::arg("src"), nb::kw_only(), group, stream,
      documentation::distributed_recv_like);
}

// Memory that the system may not take away does not exist here.
size_t set_wired_limit(size_t) { return 0; }

void register_metal(nb::module_& module) {
  nb::module_ m = module.def_submodule("metal", "Apple's GPUs, which are not there.");
  m.def("is_available", [] { return false; }, documentation::metal_is_available);
  m.def("device_info", [] { return nb::dict(); }, documentation::metal_device_info);
  m.def(
      "get_active_memory", [] { return get_active_memory(); },
      documentation::metal_get_active_memory);
  m.def("get_peak_memory", [] { return get_peak_memory(); }, documentation::metal_get_peak_memory);
  m.def(
      "get_cache_memory", [] { return get_cache_memory(); }, documentation::metal_get_cache_memory);
  m.def("reset_peak_memory", [] { reset_peak_memory(); }, documentation::metal_reset_peak_memory);
  m.def("clear_cache", [] { clear_cache(); }, documentation::metal_clear_cache);
  m.def(
      "set_memory_limit", [](size_t limit) { return set_memory_limit(limit); }, nb::arg("limit"),
      documentation::metal_set_memory_limit);
  m.def(
      "set_cache_limit", [](size_t limit) { return set_cache_limit(limit); }, nb::arg("limit"),
      documentation::metal_set_cache_limit);
  m.def("set_wired_limit", &set_wired_limit, nb::arg("limit"),
        documentation::metal_set_wired_limit);
  m.def(
      "start_capture", [](const std::string&) {}, nb::arg("path"),
      documentation::metal_start_capture);
  m.def("stop_capture", [] {}, documentation::metal_stop_capture);
}

}  // namespace

void register_neighbours(nb::module_& module) {
  register_distributed(module);
  register_metal(module);
  nb::module_ cuda = module.def_submodule("cuda", "NVIDIA's GPUs.");
  cuda.def(
      "is_available", [] { return is_available(Device(Device::gpu)); },
      documentation::cuda_is_available);
  module.def("set_wired_limit", &set_wired_limit, nb::arg("limit"), documentation::set_wired_limit);
}

}  // namespace lazuli::python
