# SPDX-License-Identifier: BSD-3-Clause

# ma_test_symbols(test name target) -- what the target's library exports
function(ma_test_symbols test name target)
  add_test(NAME ${test}
    COMMAND ${CMAKE_COMMAND}
      -D NM=${CMAKE_NM} -D READELF=${CMAKE_READELF}
      -D NAME=${name} -D LIBRARY=$<TARGET_FILE:${target}>
      -P ${CMAKE_CURRENT_SOURCE_DIR}/check_symbols.cmake)
  set_tests_properties(${test} PROPERTIES TIMEOUT 60)
endfunction()

if(BUILD_SHARED_LIBS)
  ma_test_symbols(miniasync.symbols libminiasync miniasync)
  if(MINIASYNC_HAVE_DML)
    ma_test_symbols(miniasync.symbols_dml libminiasync-vdm-dml
      miniasync_vdm_dml)
  endif()
endif()
