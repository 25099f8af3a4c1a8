# The libraries Lazuli builds on (docs/dependencies.md has their versions, licences and reasons).

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)

# Highway and PocketFFT, unpacked by `./dev setup`.
set(LAZULI_VENDOR_DIR ${CMAKE_CURRENT_SOURCE_DIR}/.cache/vendor CACHE PATH
    "Folder with highway/ and pocketfft/")
if(NOT EXISTS ${LAZULI_VENDOR_DIR}/highway/hwy/highway.h)
  message(FATAL_ERROR "Highway is not in ${LAZULI_VENDOR_DIR}/highway: run ./dev setup, "
                      "or set LAZULI_VENDOR_DIR to a folder that has highway/hwy/highway.h")
endif()

# NVIDIA's run-time compiler, unpacked by `./dev setup`. Programs of the build tree find it in the
# folder nvidia/ above them, as those of an installed package do.
set(LAZULI_CUDA_DIR ${CMAKE_CURRENT_SOURCE_DIR}/.cache/cuda CACHE PATH
    "Folder with nvidia/cu13/lib, where libnvrtc.so.13 is")
file(REMOVE ${CMAKE_BINARY_DIR}/nvidia)
if(EXISTS ${LAZULI_CUDA_DIR}/nvidia/cu13/lib/libnvrtc.so.13)
  file(CREATE_LINK ${LAZULI_CUDA_DIR}/nvidia ${CMAKE_BINARY_DIR}/nvidia SYMBOLIC)
else()
  message(STATUS "Lazuli: libnvrtc.so.13 was not found; GPU kernels are compiled at first use")
endif()

# Decides one AUTO|ON|OFF option: sets LAZULI_HAVE_<name> to 1 or 0, says what was left out.
function(lazuli_decide name found package)
  set(wish ${LAZULI_${name}})
  if(wish STREQUAL "ON" AND NOT found)
    message(FATAL_ERROR "LAZULI_${name}=ON, but ${package} was not found: run ./dev setup, "
                        "or configure with -DLAZULI_${name}=OFF")
  endif()
  if(wish AND found)
    set(LAZULI_HAVE_${name} 1 PARENT_SCOPE)
    return()
  endif()
  if(wish)
    message(STATUS "Lazuli: ${package} was not found; own kernels take its place")
  endif()
  set(LAZULI_HAVE_${name} 0 PARENT_SCOPE)
endfunction()

# Looked for by hand: Debian's CMake package of oneDNN insists on OpenCL.
if(LAZULI_ONEDNN)
  find_path(ONEDNN_INCLUDE_DIR oneapi/dnnl/dnnl.hpp)
  find_library(ONEDNN_LIBRARY dnnl)
  mark_as_advanced(ONEDNN_INCLUDE_DIR ONEDNN_LIBRARY)
endif()
if(ONEDNN_INCLUDE_DIR AND ONEDNN_LIBRARY)
  lazuli_decide(ONEDNN TRUE libdnnl-dev)
else()
  lazuli_decide(ONEDNN FALSE libdnnl-dev)
endif()

if(LAZULI_OPENBLAS)
  set(openblas_folders ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-pthread openblas-pthread openblas)
  find_path(OPENBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES ${openblas_folders})
  find_library(OPENBLAS_LIBRARY openblas PATH_SUFFIXES ${openblas_folders})
  find_path(LAPACKE_INCLUDE_DIR lapacke.h)
  find_library(LAPACKE_LIBRARY lapacke)
  mark_as_advanced(OPENBLAS_INCLUDE_DIR OPENBLAS_LIBRARY LAPACKE_INCLUDE_DIR LAPACKE_LIBRARY)
endif()
if(OPENBLAS_INCLUDE_DIR AND OPENBLAS_LIBRARY AND LAPACKE_INCLUDE_DIR AND LAPACKE_LIBRARY)
  lazuli_decide(OPENBLAS TRUE "libopenblas-pthread-dev or liblapacke-dev")
else()
  lazuli_decide(OPENBLAS FALSE "libopenblas-pthread-dev or liblapacke-dev")
endif()
