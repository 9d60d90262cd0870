# SPDX-License-Identifier: BSD-3-Clause
#
# Every public header compiles alone, as C and, where there is a C++ compiler,
# as C++, without a warning. Building is the test.

file(GLOB_RECURSE headers CONFIGURE_DEPENDS
  RELATIVE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/include/*.h)

# ma_test_headers(suffix standard...) -- a C or C++ suffix and its standards
function(ma_test_headers suffix)
  set(sources)
  foreach(header IN LISTS headers)
    string(MAKE_C_IDENTIFIER ${header} name)
    set(source ${CMAKE_CURRENT_BINARY_DIR}/headers/${name}.${suffix})
    # Twice, for the guard; and a translation unit must not be empty.
    file(GENERATE OUTPUT ${source} CONTENT
      "#include <${header}>\n#include <${header}>\nextern int ${name};\n")
    list(APPEND sources ${source})
  endforeach()
  foreach(standard IN LISTS ARGN)
    string(REPLACE + x target test_headers_${standard})
    add_library(${target} OBJECT ${sources})
    target_compile_options(${target} PRIVATE
      -std=${standard} -Wall -Wextra -Wpedantic -Wshadow -Werror)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include)
  endforeach()
endfunction()

ma_test_headers(c c99 c11 c17)
if(CMAKE_CXX_COMPILER)
  ma_test_headers(cpp c++11 c++14 c++17 c++20)
endif()
