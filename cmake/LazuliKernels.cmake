# The target lazuli_kernels: GPU kernels compiled ahead, as images in the programs that link it
# (docs/decisions/006-gpu.md). The others are compiled at first use.
set(all_architectures 80 89 90a 100a 120a)
set(LAZULI_CUDA_ARCHITECTURES native CACHE STRING
    "GPU architectures that kernels are compiled ahead for: a list such as 80;90a, all, none, or \
native (those of this machine's GPUs)")
set(architectures ${LAZULI_CUDA_ARCHITECTURES})
if(architectures STREQUAL "native")
  execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
                  OUTPUT_VARIABLE capabilities ERROR_QUIET RESULT_VARIABLE without_gpu)
  # "9.0" is 90a here.
  set(architectures)
  foreach(architecture IN LISTS all_architectures)
    string(REGEX REPLACE "([0-9])a?$" ".\\1" capability ${architecture})
    if(NOT without_gpu AND capabilities MATCHES "(^|\n) *${capability} *(\n|$)")
      list(APPEND architectures ${architecture})
    endif()
  endforeach()
  if(NOT architectures)
    set(architectures none)
  endif()
endif()
if(architectures STREQUAL "all")
  set(architectures ${all_architectures})
endif()
set(nvrtc_folder ${LAZULI_CUDA_DIR}/nvidia/cu13/lib)
if(architectures STREQUAL "none" OR BUILD_SHARED_LIBS OR NOT EXISTS ${nvrtc_folder}/libnvrtc.so.13)
  add_library(lazuli_kernels INTERFACE)
  return()
endif()

add_executable(compile_kernels ${PROJECT_SOURCE_DIR}/tools/compile_kernels/compile_kernels.cpp)
target_include_directories(compile_kernels PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(compile_kernels PRIVATE lazuli lazuli_settings)

# Parts, because the compiler uses one core alone.
set(parts 4)
set(assembly)
set(declarations)
set(entries)
set(images)
foreach(architecture IN LISTS architectures)
  if(NOT architecture IN_LIST all_architectures)
    message(FATAL_ERROR "LAZULI_CUDA_ARCHITECTURES has '${architecture}': use all, none, or some "
                        "of ${all_architectures}")
  endif()
  math(EXPR last "${parts} - 1")
  foreach(part RANGE ${last})
    set(name lazuli_kernels_${architecture}_${part})
    set(image ${CMAKE_CURRENT_BINARY_DIR}/${name}.bin)
    add_custom_command(OUTPUT ${image}
      COMMAND compile_kernels ${nvrtc_folder} sm_${architecture} ${part} ${parts} ${image}
      DEPENDS compile_kernels
      COMMENT "GPU kernels for sm_${architecture}, part ${part}" VERBATIM)
    list(APPEND images ${image})
    string(APPEND assembly "    \".balign 16\\n${name}:\\n\"\n    \".incbin \\\"${image}\\\"\\n\"\n"
           "    \"${name}_end:\\n\"\n")
    string(APPEND declarations "extern const char ${name}[], ${name}_end[];\n")
    string(APPEND entries "    {${name}, ${name}_end},\n")
  endforeach()
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/kernels.cpp CONTENT
"// Made by cmake/LazuliKernels.cmake.
#include \"backends/cuda/programs/kernel_images.h\"

asm(\".section .rodata\\n\"
@assembly@    \".previous\\n\");

extern \"C\" {
@declarations@
const lazuli::cuda::KernelImages lazuli_kernels[] = {
@entries@    {nullptr, nullptr},
};
extern const char lazuli_kernel_architectures[];  // read by runtime/features.cpp
const char lazuli_kernel_architectures[] = \"@architectures@\";
}
" @ONLY)
set_source_files_properties(${CMAKE_CURRENT_BINARY_DIR}/kernels.cpp PROPERTIES
  OBJECT_DEPENDS "${images}")
add_library(lazuli_kernels STATIC ${CMAKE_CURRENT_BINARY_DIR}/kernels.cpp)
target_include_directories(lazuli_kernels PRIVATE ${PROJECT_SOURCE_DIR}/src)
# Nothing but the weak reference of the library asks for it.
target_link_options(lazuli_kernels INTERFACE LINKER:-u,lazuli_kernels)
