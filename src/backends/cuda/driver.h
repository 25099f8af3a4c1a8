// The CUDA driver, opened at run time: no part of the toolkit is needed to build or to start.
// Declarations follow the CUDA Driver API reference, version 13.0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace lazuli::cuda {

extern "C" {
typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st* CUcontext;
typedef struct CUmod_st* CUmodule;
typedef struct CUfunc_st* CUfunction;
typedef struct CUstream_st* CUstream;
typedef struct CUevent_st* CUevent;
typedef struct CUgraph_st* CUgraph;
typedef struct CUgraphNode_st* CUgraphNode;
typedef struct CUgraphExec_st* CUgraphExec;

typedef struct {
  int id;
  char padding[4];
  union {
    char bytes[64];
    int flag;
  } value;
} CUlaunchAttribute;

typedef struct {
  unsigned grid_x, grid_y, grid_z;
  unsigned block_x, block_y, block_z;
  unsigned shared_bytes;
  CUstream stream;
  CUlaunchAttribute* attributes;
  unsigned attribute_count;
} CUlaunchConfig;

typedef struct {
  CUfunction function;
  unsigned grid_x, grid_y, grid_z;
  unsigned block_x, block_y, block_z;
  unsigned shared_bytes;
  void** parameters;
  void** extra;
  void* kernel;   // instead of a function
  void* context;  // of the kernel
} CUkernelNode;

// How much of one node has to have been done when another starts: a port of 0 stands for all of it.
typedef struct {
  unsigned char from_port, to_port, type;
  unsigned char reserved[5];
} CUgraphEdge;
}

constexpr CUresult cuda_success = 0, cuda_error_out_of_memory = 2, cuda_error_not_ready = 600;

// Attributes of devices and functions that are asked for.
constexpr int device_clock_khz = 13, device_memory_clock_khz = 36, device_bus_bits = 37;
constexpr int device_multiprocessors = 16, device_l2_bytes = 38, device_major = 75,
              device_minor = 76, device_shared_bytes_max = 97;
constexpr int function_local_bytes = 3, function_registers = 4, function_shared_bytes_max = 8,
              function_shared_percent = 9;
constexpr int launch_attribute_early_start = 6;
constexpr unsigned char edge_port_early_start = 1, edge_early_start = 1;
constexpr unsigned event_without_timing = 2, stream_non_blocking = 1;
constexpr unsigned host_portable = 1, host_mapped = 2;

struct Driver {
#define DRIVER(name, symbol, parameters) CUresult(*name) parameters = nullptr;
#include "backends/cuda/driver_api.def"
#undef DRIVER
};

// The driver; nullptr where there is none, or none new enough: `missing_driver` says why.
const Driver* find_driver();
std::string missing_driver();

// The driver where a device was found.
const Driver& driver();

// Throws MemoryError or DeviceError, naming the call, if the driver has reported an error.
void check(CUresult result, const char* call);
#define LAZULI_CUDA(name, ...) \
  ::lazuli::cuda::check(::lazuli::cuda::driver().name(__VA_ARGS__), #name)

}  // namespace lazuli::cuda
