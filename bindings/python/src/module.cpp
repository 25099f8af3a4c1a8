// The module lazuli.core.
#include <cmath>

#include "array/array_object.h"
#include "array/convert.h"
#include "array/dtypes.h"
#include "array/evaluate.h"
#include "array/indexing.h"
#include "generated/families.h"
#include "lazuli/version.h"
#include "registry.h"

namespace lazuli::python {
namespace {

void register_constants(nb::module_& m) {
  m.attr("__version__") = LAZULI_VERSION_STRING;
  m.attr("e") = 2.71828182845904523536;
  m.attr("pi") = 3.14159265358979323846;
  m.attr("euler_gamma") = 0.57721566490153286061;
  m.attr("inf") = HUGE_VAL;
  m.attr("nan") = nb::float_(NAN);
  m.attr("newaxis") = nb::none();
}

}  // namespace
}  // namespace lazuli::python

NB_MODULE(core, m) {
  using namespace lazuli::python;
  m.doc() = "Arrays, operations and transformations of functions.";
  nb::set_leak_warnings(false);
  register_array(m);
  register_dtypes(m);
  register_devices(m);
  register_evaluation(m);
  register_at(m);
  register_array_methods(m);
  register_buffers(m);
  register_dlpack(m);
  register_constants(m);
  register_families(m);
  register_neighbours(m);
  register_random_state(m);
  register_files(m);
  register_transforms(m);
  register_compile(m);
}
