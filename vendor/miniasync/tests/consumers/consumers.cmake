# SPDX-License-Identifier: BSD-3-Clause
#
# The three ways to use the library from another project, each tried on a small
# one. What is installed goes to a place the build was not configured for.

# ma_test_consumer(name [option...]) -- configures, builds and tests name/
function(ma_test_consumer name)
  set(options ${ARGN})
  if(MINIASYNC_SANITIZE)
    list(APPEND options
      "-DCMAKE_C_FLAGS=${CMAKE_C_FLAGS} -fsanitize=${MINIASYNC_SANITIZE}")
  endif()
  if(CMAKE_TOOLCHAIN_FILE)
    list(APPEND options -DCMAKE_TOOLCHAIN_FILE=${CMAKE_TOOLCHAIN_FILE})
  endif()
  set(test miniasync.consumer.${name})
  add_test(NAME ${test}
    COMMAND ${CMAKE_CTEST_COMMAND} --build-and-test
      ${CMAKE_CURRENT_SOURCE_DIR}/consumers/${name}
      ${CMAKE_CURRENT_BINARY_DIR}/consumers/${name}
      --build-generator ${CMAKE_GENERATOR}
      --build-options
        -DCMAKE_C_COMPILER=${CMAKE_C_COMPILER}
        -DCMAKE_MAKE_PROGRAM=${CMAKE_MAKE_PROGRAM}
        -DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE}
        ${options}
      --test-command ${CMAKE_CTEST_COMMAND} --output-on-failure)
  set_tests_properties(${test} PROPERTIES TIMEOUT 300)
endfunction()

ma_test_consumer(add_subdirectory
  -DMINIASYNC_SOURCE=${PROJECT_SOURCE_DIR}
  -DMINIASYNC_SANITIZE=${MINIASYNC_SANITIZE})

if(MINIASYNC_INSTALL)
  set(prefix ${CMAKE_CURRENT_BINARY_DIR}/prefix)
  add_test(NAME miniasync.install
    COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR}
      --config $<CONFIG> --prefix ${prefix})
  set_tests_properties(miniasync.install PROPERTIES
    TIMEOUT 60 FIXTURES_SETUP installed)

  ma_test_consumer(find_package -DCMAKE_PREFIX_PATH=${prefix})
  ma_test_consumer(pkg_config)
  set_tests_properties(
    miniasync.consumer.find_package miniasync.consumer.pkg_config
    PROPERTIES FIXTURES_REQUIRED installed)
  set_tests_properties(miniasync.consumer.pkg_config PROPERTIES ENVIRONMENT
    "PKG_CONFIG_LIBDIR=${prefix}/${CMAKE_INSTALL_LIBDIR}/pkgconfig")
  if(MINIASYNC_HAVE_DML AND BUILD_SHARED_LIBS)
    ma_test_consumer(dml -DCMAKE_PREFIX_PATH=${prefix} -DDML_DIR=${DML_DIR})
    set_tests_properties(miniasync.consumer.dml PROPERTIES
      FIXTURES_REQUIRED installed
      ENVIRONMENT
        "PKG_CONFIG_LIBDIR=${prefix}/${CMAKE_INSTALL_LIBDIR}/pkgconfig")
  endif()
  find_package(PkgConfig QUIET)
  if(NOT PKG_CONFIG_FOUND)
    set_tests_properties(miniasync.consumer.pkg_config PROPERTIES DISABLED ON)
  endif()
endif()
