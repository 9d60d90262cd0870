# SPDX-License-Identifier: BSD-3-Clause
#
# cmake -D EXPECTED=text -P this -- program [argument...]
#
# The program exits with 0 and prints EXPECTED, and no more. (ctest's own
# PASS_REGULAR_EXPRESSION does not look at the exit status.)

cmake_minimum_required(VERSION 3.20)

set(command)
set(is_command FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  if(is_command)
    list(APPEND command "${CMAKE_ARGV${i}}")
  elseif(CMAKE_ARGV${i} STREQUAL "--")
    set(is_command TRUE)
  endif()
endforeach()

execute_process(COMMAND ${command}
  RESULT_VARIABLE result OUTPUT_VARIABLE output)
string(STRIP "${output}" output)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${command}: ended with ${result}\n${output}")
endif()
if(NOT output STREQUAL EXPECTED)
  message(FATAL_ERROR "${command}: printed\n${output}\nand not\n${EXPECTED}")
endif()
