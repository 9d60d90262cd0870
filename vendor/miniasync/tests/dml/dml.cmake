# SPDX-License-Identifier: BSD-3-Clause
#
# The DML mover: on a test double of libdml, on libdml where it is there, and
# built without it.

set(dml_dir ${CMAKE_CURRENT_LIST_DIR})

# The mover as it is built for users, with the double in the place of libdml.
add_library(miniasync_dml_doubled STATIC
  ${MINIASYNC_DML_SOURCES} dml/double.c dml/double_commands.c)
ma_set_compile_options(miniasync_dml_doubled)
target_include_directories(miniasync_dml_doubled
  PUBLIC ${dml_dir}/double ${dml_dir} ${CMAKE_CURRENT_SOURCE_DIR}
  PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(miniasync_dml_doubled PUBLIC miniasync_static)

# ma_dml_test(name) -- builds dml/test_<name>.c on the double, and registers it
# as miniasync.<name>
function(ma_dml_test name)
  ma_add_test_program(test_${name} dml/test_${name}.c miniasync.${name}
    miniasync_dml_doubled)
endfunction()

# ma_libdml_test(test source) -- builds dml/<source> on libdml itself, and
# registers it as miniasync.<test>
function(ma_libdml_test test source)
  if(MINIASYNC_HAVE_DML)
    ma_add_test_program(test_${test} dml/${source} miniasync.${test}
      miniasync_vdm_dml_static)
    target_include_directories(test_${test}
      PRIVATE ${dml_dir} ${CMAKE_CURRENT_SOURCE_DIR})
  else()
    add_test(NAME miniasync.${test} COMMAND sh -c
      "echo 'skipped: no libdml (CMake package DML, 1.1 or later)'; exit 77")
    set_tests_properties(miniasync.${test} PROPERTIES SKIP_RETURN_CODE 77)
  endif()
endfunction()

ma_dml_test(dml)
ma_dml_test(dml_device)
ma_dml_test(dml_durable)
ma_wrap(dml_durable ma__flush)
ma_dml_test(dml_lifetime)
ma_wrap(dml_lifetime calloc malloc pthread_mutex_init ma__fork_add)
ma_dml_test(dml_limits)
ma_dml_test(dml_queue)
ma_wrap(dml_queue clock_gettime)
ma_dml_test(dml_record)
ma_dml_test(dml_threads)

ma_libdml_test(dml_libdml test_dml.c)
ma_libdml_test(dml_large test_dml_large.c)

ma_add_test_program(test_dml_stub
  "dml/test_dml_stub.c;${MINIASYNC_DML_STUB}" miniasync.dml_stub
  miniasync_static)
target_include_directories(test_dml_stub
  PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
