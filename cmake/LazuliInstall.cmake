# Installs the library, the headers and the CMake package `lazuli`.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lazuli)

install(TARGETS lazuli lazuli_kernels lazuli_mlx_compat EXPORT lazuliTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
if(TARGET lazuli_program)
  install(TARGETS lazuli_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

install(EXPORT lazuliTargets NAMESPACE lazuli:: DESTINATION ${package_dir})
configure_package_config_file(cmake/lazuliConfig.cmake.in
  ${CMAKE_BINARY_DIR}/lazuliConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/lazuliConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/lazuliConfig.cmake ${CMAKE_BINARY_DIR}/lazuliConfigVersion.cmake
        DESTINATION ${package_dir})
