# Compiler settings shared by every target, and the function that lists a folder's sources.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

# Kernels ask for more themselves; elsewhere -O3 costs build time and gains nothing.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

# Contraction is off because GCC would fuse multiplies and adds of its choice, so that a value would
# depend on which operations share a kernel; a kernel that wants a fused product asks for it.
add_library(lazuli_settings INTERFACE)
target_compile_options(lazuli_settings INTERFACE
  -Wall -Wextra -Werror=return-type -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overlaps in std::string that are not there (its bug 105651).
  target_compile_options(lazuli_settings INTERFACE -Wno-restrict)
endif()
if(LAZULI_SANITIZE)
  target_compile_options(lazuli_settings INTERFACE
    -fsanitize=${LAZULI_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(lazuli_settings INTERFACE -fsanitize=${LAZULI_SANITIZE})
endif()

# libFuzzer learns from the branches of the library, not of the target alone.
if(LAZULI_FUZZ)
  target_compile_options(lazuli_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Sets `result` to the files of `folders` (below the calling folder) whose names match `pattern`. A
# new file is found at the next build without an edit here.
function(lazuli_sources result pattern)
  set(found)
  foreach(folder IN LISTS ARGN)
    file(GLOB_RECURSE files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/${pattern})
    list(APPEND found ${files})
  endforeach()
  set(${result} ${found} PARENT_SCOPE)
endfunction()
