# SPDX-License-Identifier: BSD-3-Clause
#
# The hardware path of libdml, and the DML mover, over an emulated DSA device.

set(dsa_tests
  dsa_libdml
  dsa_mover
  dsa_mover_durable
  dsa_mover_faults
  dsa_mover_fork
  dsa_mover_threads
  dsa_mover_watch)

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

foreach(name ${dsa_tests})
  set(library miniasync::miniasync_vdm_dml)
  if(name STREQUAL "dsa_libdml")
    set(library ${MINIASYNC_DML_LIBRARIES})
  elseif(name MATCHES "durable|watch")
    set(library miniasync_vdm_dml_static)
  endif()
  ma_add_test_program(test_${name} dsa/test_${name}.c miniasync.${name}
    dsa_emulator)
  target_link_libraries(test_${name} PRIVATE ${library})
endforeach()
ma_wrap(dsa_mover_durable ma__flush)
target_include_directories(test_dsa_mover_watch
  PRIVATE ${PROJECT_SOURCE_DIR}/src)
ma_wrap(dsa_mover_watch clock_gettime)
