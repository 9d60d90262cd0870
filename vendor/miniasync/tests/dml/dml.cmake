# SPDX-License-Identifier: BSD-3-Clause
#
# The DML mover: on a test double of libdml, on libdml where it is there, and
# built without it.

set(dml_dir ${CMAKE_CURRENT_LIST_DIR})

# The mover as it is built for users, with the double in the place of libdml.
add_library(miniasync_dml_doubled STATIC
  ${MINIASYNC_DML_SOURCES} dml/double.c)
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

ma_dml_test(dml)

if(MINIASYNC_HAVE_DML)
  ma_add_test_program(test_dml_libdml dml/test_dml.c miniasync.dml_libdml
    miniasync_vdm_dml_static)
  target_include_directories(test_dml_libdml
    PRIVATE ${dml_dir} ${CMAKE_CURRENT_SOURCE_DIR})
else()
  add_test(NAME miniasync.dml_libdml COMMAND sh -c
    "echo 'skipped: no libdml (CMake package DML, 1.1 or later)'; exit 77")
  set_tests_properties(miniasync.dml_libdml PROPERTIES SKIP_RETURN_CODE 77)
endif()
