# SPDX-License-Identifier: BSD-3-Clause
#
# Makes the target miniasync_provider, the C library to link, and sets
# provider_sources, what has to be compiled beside it, and provider_rpath, where
# the loader has to look for it. The DML mover is in it, too, if there is a
# libdml, and functions in its place if not.

add_library(miniasync_provider INTERFACE)
set(provider_sources)
set(provider_rpath)

include(MiniasyncDml)
include(MiniasyncSources)
if(MINIASYNC_PROVIDER STREQUAL "bundled")
  add_subdirectory(vendor/miniasync EXCLUDE_FROM_ALL)
  target_link_libraries(miniasync_provider INTERFACE miniasync_static)
  if(MINIASYNC_HAVE_DML)
    target_link_libraries(miniasync_provider
      INTERFACE miniasync_vdm_dml_static)
  endif()
elseif(MINIASYNC_PROVIDER STREQUAL "system")
  find_package(Threads REQUIRED)

  find_package(libminiasync CONFIG QUIET)
  if(libminiasync_FOUND)
    set(library ${MINIASYNC_LIBRARIES})
  else()
    find_package(PkgConfig QUIET)
    if(PKG_CONFIG_FOUND)
      pkg_check_modules(miniasync_pc QUIET libminiasync)
      set(library ${miniasync_pc_LINK_LIBRARIES})
    endif()
  endif()
  if(NOT library)
    find_library(MINIASYNC_LIBRARY miniasync)
    set(library ${MINIASYNC_LIBRARY})
  endif()
  if(NOT library)
    message(FATAL_ERROR
      "MINIASYNC_PROVIDER=system, but no libminiasync was found. Install it, "
      "or say where it is: CMAKE_PREFIX_PATH=<prefix>, or "
      "PKG_CONFIG_PATH=<prefix>/lib/pkgconfig. MINIASYNC_PROVIDER=bundled "
      "needs none.")
  endif()
  list(GET library 0 library)
  message(STATUS "System libminiasync: ${library}")

  # Not kept from an earlier run, which may have found another library.
  include(CheckFunctionExists)
  unset(MINIASYNC_SYSTEM_LINKS CACHE)
  unset(MINIASYNC_SYSTEM_HAS_1_1 CACHE)
  set(CMAKE_REQUIRED_LIBRARIES ${library} Threads::Threads)
  check_function_exists(runtime_new MINIASYNC_SYSTEM_LINKS)
  if(NOT MINIASYNC_SYSTEM_LINKS)
    message(FATAL_ERROR
      "MINIASYNC_PROVIDER=system: a program cannot be linked with ${library}.")
  endif()
  check_function_exists(future_waiter_new MINIASYNC_SYSTEM_HAS_1_1)
  if(NOT MINIASYNC_SYSTEM_HAS_1_1)
    set(provider_sources ${MINIASYNC_ADDON_SOURCES})
    target_compile_definitions(miniasync_provider INTERFACE
      MINIASYNC_PROVIDER_IS_UPSTREAM)
  endif()

  # CMake's own way, CMAKE_INSTALL_RPATH_USE_LINK_PATH, passes over libraries
  # below the source tree.
  get_filename_component(directory ${library} DIRECTORY)
  if(NOT directory IN_LIST CMAKE_C_IMPLICIT_LINK_DIRECTORIES)
    set(provider_rpath ${directory})
  endif()

  # The mover is ours, whosever the rest is.
  if(MINIASYNC_HAVE_DML)
    list(APPEND provider_sources
      ${MINIASYNC_DML_SOURCES} ${MINIASYNC_DML_NEEDS})
    list(REMOVE_DUPLICATES provider_sources)
    target_link_libraries(miniasync_provider
      INTERFACE ${MINIASYNC_DML_LIBRARIES})
  endif()

  # Our headers on purpose: the interface is the same to the byte, and they
  # declare LIBMINIASYNC_1.1. MINIASYNC_STATIC keeps provider_sources ours.
  target_include_directories(miniasync_provider INTERFACE
    ${PROJECT_SOURCE_DIR}/vendor/miniasync/include)
  target_compile_definitions(miniasync_provider INTERFACE MINIASYNC_STATIC)
  target_link_libraries(miniasync_provider
    INTERFACE ${library} Threads::Threads)
else()
  message(FATAL_ERROR
    "MINIASYNC_PROVIDER=${MINIASYNC_PROVIDER}: it is bundled or system.")
endif()

if(MINIASYNC_HAVE_DML)
  # libdml's symbols are the extension's own affair.
  target_link_options(miniasync_provider INTERFACE
    LINKER:--exclude-libs,ALL)
else()
  list(APPEND provider_sources ${MINIASYNC_DML_STUB})
endif()
target_compile_definitions(miniasync_provider INTERFACE
  MINIASYNC_PROVIDER_NAME="${MINIASYNC_PROVIDER}")
