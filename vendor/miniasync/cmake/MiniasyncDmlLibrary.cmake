# SPDX-License-Identifier: BSD-3-Clause
#
# The library with the DML mover: miniasync_vdm_dml_static, miniasync_vdm_dml and
# what is installed of it. After MiniasyncInstall.

# ma_add_dml_library(target kind) -- the library, once for each kind
function(ma_add_dml_library target kind)
  add_library(${target} ${kind} ${MINIASYNC_DML_SOURCES})
  ma_set_compile_options(${target})
  target_include_directories(${target}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    PRIVATE src)
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME miniasync-vdm-dml
    POSITION_INDEPENDENT_CODE ON)
endfunction()

ma_add_dml_library(miniasync_vdm_dml_static STATIC)
set_target_properties(miniasync_vdm_dml_static PROPERTIES
  C_VISIBILITY_PRESET hidden)
target_link_libraries(miniasync_vdm_dml_static
  PUBLIC miniasync_static PRIVATE ${MINIASYNC_DML_LIBRARIES})
add_library(miniasync::miniasync_vdm_dml_static
  ALIAS miniasync_vdm_dml_static)

if(BUILD_SHARED_LIBS)
  set(dml_map ${PROJECT_SOURCE_DIR}/src/dml/libminiasync-vdm-dml.map)
  ma_add_dml_library(miniasync_vdm_dml SHARED)
  # Of the copy engine it has a copy of its own: libminiasync does not export
  # it. What it exports itself the map says, and nothing of libdml.
  target_link_libraries(miniasync_vdm_dml
    PRIVATE miniasync_static ${MINIASYNC_DML_LIBRARIES}
    INTERFACE miniasync)
  target_link_options(miniasync_vdm_dml PRIVATE
    LINKER:--version-script=${dml_map})
  if(NOT MINIASYNC_SANITIZE)
    target_link_options(miniasync_vdm_dml PRIVATE LINKER:-z,defs)
  endif()
  set_target_properties(miniasync_vdm_dml PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION 0 LINK_DEPENDS ${dml_map})
  add_library(miniasync::miniasync_vdm_dml ALIAS miniasync_vdm_dml)
else()
  add_library(miniasync::miniasync_vdm_dml ALIAS miniasync_vdm_dml_static)
endif()

if(MINIASYNC_INSTALL)
  set(dml_package_dir ${CMAKE_INSTALL_LIBDIR}/libminiasync-vdm-dml/cmake)
  # Apart: whoever links the shared library needs no libdml.
  install(TARGETS miniasync_vdm_dml_static EXPORT libminiasync-vdm-dml-static
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT libminiasync-vdm-dml-static NAMESPACE miniasync::
    DESTINATION ${dml_package_dir})
  if(BUILD_SHARED_LIBS)
    set(dml_library_name ${CMAKE_SHARED_LIBRARY_PREFIX}miniasync-vdm-dml)
    string(APPEND dml_library_name ${CMAKE_SHARED_LIBRARY_SUFFIX})
    install(TARGETS miniasync_vdm_dml EXPORT libminiasync-vdm-dml-shared
      INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
    install(EXPORT libminiasync-vdm-dml-shared NAMESPACE miniasync::
      DESTINATION ${dml_package_dir})
  endif()
  install(
    FILES include/libminiasync-vdm-dml.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(DIRECTORY include/libminiasync-vdm-dml
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

  configure_package_config_file(
    cmake/libminiasync-vdm-dml-config.cmake.in
    libminiasync-vdm-dml-config.cmake
    INSTALL_DESTINATION ${dml_package_dir}
    PATH_VARS CMAKE_INSTALL_LIBDIR package_dir)
  write_basic_package_version_file(libminiasync-vdm-dml-config-version.cmake
    COMPATIBILITY SameMajorVersion)
  install(FILES
    ${PROJECT_BINARY_DIR}/libminiasync-vdm-dml-config.cmake
    ${PROJECT_BINARY_DIR}/libminiasync-vdm-dml-config-version.cmake
    DESTINATION ${dml_package_dir})
  configure_file(cmake/libminiasync-vdm-dml.pc.in libminiasync-vdm-dml.pc
    @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/libminiasync-vdm-dml.pc
    DESTINATION ${pc_dir})
endif()
