// The errors of the CUDA Driver API that the emulated driver gives.
#pragma once

namespace emulated {

#define EMULATED_ERRORS(ERROR)                                                            \
  ERROR(success, 0, "CUDA_SUCCESS", "no error")                                           \
  ERROR(invalid_value, 1, "CUDA_ERROR_INVALID_VALUE", "invalid argument")                 \
  ERROR(out_of_memory, 2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory")                    \
  ERROR(not_initialized, 3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error")         \
  ERROR(invalid_device, 101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal")       \
  ERROR(invalid_image, 200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid") \
  ERROR(invalid_context, 201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context")     \
  ERROR(invalid_handle, 400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle")      \
  ERROR(not_found, 500, "CUDA_ERROR_NOT_FOUND", "named symbol not found")                 \
  ERROR(not_ready, 600, "CUDA_ERROR_NOT_READY", "device not ready")                       \
  ERROR(illegal_address, 700, "CUDA_ERROR_ILLEGAL_ADDRESS",                               \
        "an illegal memory access was encountered")                                       \
  ERROR(launch_timeout, 702, "CUDA_ERROR_LAUNCH_TIMEOUT",                                 \
        "the launch timed out and was terminated")                                        \
  ERROR(illegal_instruction, 715, "CUDA_ERROR_ILLEGAL_INSTRUCTION",                       \
        "an illegal instruction was encountered")                                         \
  ERROR(launch_failed, 719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure")     \
  ERROR(not_supported, 801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported")

enum ErrorCode : int {
#define ERROR(name, code, symbol, text) error_##name = code,
  EMULATED_ERRORS(ERROR)
#undef ERROR
};

}  // namespace emulated
