# SPDX-License-Identifier: BSD-3-Clause
#
# The static library in the program and the shared one, loaded beside it.

if(BUILD_SHARED_LIBS)
  ma_test(two_copies INTERNAL)
  add_dependencies(test_two_copies miniasync)
  target_compile_definitions(test_two_copies
    PRIVATE "SHARED_COPY=\"$<TARGET_FILE:miniasync>\"")
  target_link_libraries(test_two_copies PRIVATE ${CMAKE_DL_LIBS})
endif()
