// Names every function that the backend asks for, so that one which is missing does not link.
#include "emulated_cuda/libcuda/api.h"

namespace emulated {

#define DRIVER(name, symbol, parameters) reinterpret_cast<void (*)()>(&symbol),
extern void (*const exported_functions[])();
void (*const exported_functions[])() = {
#include "backends/cuda/driver_api.def"
};
#undef DRIVER

}  // namespace emulated
