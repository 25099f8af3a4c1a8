# Compile options of src/backends/cpu (docs/decisions/002-cpu-targets.md).
#
# Every kernel file compiles once per SIMD target through Highway's foreach_target.h and chooses at
# run time. `all` keeps the targets worth their compile time, over a plain x86-64 baseline; `native`
# keeps AVX2 and the best target of the building machine, or the baseline alone where there is no
# AVX2.

set(LAZULI_CPU_OPTIONS -O3 -fno-math-errno -fno-trapping-math)

# True if the compiler, told to compile for this machine, defines every one of the macros.
function(lazuli_machine_has result)
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -march=native -dM -E -x c++ /dev/null
                  OUTPUT_VARIABLE macros ERROR_QUIET)
  set(${result} TRUE PARENT_SCOPE)
  foreach(feature IN LISTS ARGN)
    if(NOT macros MATCHES "#define __${feature}__ 1")
      set(${result} FALSE PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

set(disabled HWY_SSSE3 HWY_SSE4 HWY_AVX3_ZEN4 HWY_AVX3_SPR HWY_AVX10_2)
if(LAZULI_CPU_TARGETS STREQUAL "native" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  lazuli_machine_has(has_avx2 AVX2 FMA BMI BMI2 F16C AES PCLMUL)
  lazuli_machine_has(has_avx3 AVX512F AVX512BW AVX512DQ AVX512CD AVX512VL)
  lazuli_machine_has(has_avx3_dl AVX512VNNI AVX512VBMI AVX512VBMI2 AVX512BITALG VAES VPCLMULQDQ)
  if(has_avx2)
    list(APPEND LAZULI_CPU_OPTIONS -march=x86-64-v3 -maes -mpclmul)
  else()
    list(APPEND disabled HWY_AVX2)
  endif()
  if(has_avx3 AND has_avx3_dl)
    list(APPEND disabled HWY_AVX3)
  else()
    list(APPEND disabled HWY_AVX3_DL)
    if(NOT has_avx3)
      list(APPEND disabled HWY_AVX3)
    endif()
  endif()
elseif(NOT LAZULI_CPU_TARGETS MATCHES "^(native|all)$")
  message(FATAL_ERROR "LAZULI_CPU_TARGETS is '${LAZULI_CPU_TARGETS}': use native or all")
endif()
list(JOIN disabled "|" disabled)
list(APPEND LAZULI_CPU_OPTIONS "-DHWY_DISABLED_TARGETS=(${disabled})")
