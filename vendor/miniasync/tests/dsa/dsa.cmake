# SPDX-License-Identifier: BSD-3-Clause
#
# The hardware path of libdml, over an emulated DSA device.

set(dsa_tests dsa_libdml)

if(NOT MINIASYNC_HAVE_DML)
  foreach(name ${dsa_tests})
    add_test(NAME miniasync.${name} COMMAND sh -c
      "echo 'skipped: no libdml (CMake package DML, 1.1 or later)'; exit 77")
    set_tests_properties(miniasync.${name} PROPERTIES SKIP_RETURN_CODE 77)
  endforeach()
  return()
endif()

add_library(dsa_emulator SHARED
  dsa/accel_config.c dsa/device.c dsa/operations.c dsa/portal.c)
ma_set_compile_options(dsa_emulator)
target_include_directories(dsa_emulator
  INTERFACE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/dsa)
target_link_libraries(dsa_emulator PRIVATE Threads::Threads)
# Away from everything that could find it by accident, and never unloaded: its
# engine is running.
set_target_properties(dsa_emulator PROPERTIES
  OUTPUT_NAME accel-config SOVERSION 1 C_VISIBILITY_PRESET hidden
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/dsa)
target_link_options(dsa_emulator PRIVATE LINKER:-z,nodelete)

ma_add_test_program(test_dsa_libdml dsa/test_dsa_libdml.c miniasync.dsa_libdml
  dsa_emulator)
target_link_libraries(test_dsa_libdml PRIVATE ${MINIASYNC_DML_LIBRARIES})
