# SPDX-License-Identifier: BSD-3-Clause
#
# What is installed: headers, libraries, pkg-config file, CMake package.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/libminiasync/cmake)
set(library_name
  ${CMAKE_STATIC_LIBRARY_PREFIX}miniasync${CMAKE_STATIC_LIBRARY_SUFFIX})
set(installed miniasync_static)
if(BUILD_SHARED_LIBS)
  set(library_name
    ${CMAKE_SHARED_LIBRARY_PREFIX}miniasync${CMAKE_SHARED_LIBRARY_SUFFIX})
  list(APPEND installed miniasync)
endif()

install(TARGETS ${installed} EXPORT libminiasync-targets
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  PATTERN "libminiasync-vdm-dml*" EXCLUDE)

install(EXPORT libminiasync-targets NAMESPACE miniasync::
  DESTINATION ${package_dir})
configure_package_config_file(
  cmake/libminiasync-config.cmake.in libminiasync-config.cmake
  INSTALL_DESTINATION ${package_dir}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(libminiasync-config-version.cmake
  COMPATIBILITY SameMajorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/libminiasync-config.cmake
  ${PROJECT_BINARY_DIR}/libminiasync-config-version.cmake
  DESTINATION ${package_dir})

# Everything in the .pc file hangs on where the file itself lies, so that the
# tree can be installed in one place and used in another.
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pc_prefix
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
file(RELATIVE_PATH pc_libdir
  ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH pc_includedir
  ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
configure_file(cmake/libminiasync.pc.in libminiasync.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/libminiasync.pc DESTINATION ${pc_dir})
