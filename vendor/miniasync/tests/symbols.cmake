# SPDX-License-Identifier: BSD-3-Clause

if(BUILD_SHARED_LIBS)
  add_test(NAME miniasync.symbols
    COMMAND ${CMAKE_COMMAND}
      -D NM=${CMAKE_NM} -D READELF=${CMAKE_READELF}
      -D LIBRARY=$<TARGET_FILE:miniasync>
      -P ${CMAKE_CURRENT_SOURCE_DIR}/check_symbols.cmake)
  set_tests_properties(miniasync.symbols PROPERTIES TIMEOUT 60)
endif()
