# SPDX-License-Identifier: BSD-3-Clause
#
# cmake -D EXPECTED=text -D "COMMAND=program[;argument...]" -P this
#
# The program exits with 0 and prints EXPECTED, and no more. (ctest's own
# PASS_REGULAR_EXPRESSION does not look at the exit status.)

cmake_minimum_required(VERSION 3.20)

execute_process(COMMAND ${COMMAND}
  RESULT_VARIABLE result OUTPUT_VARIABLE output)
string(STRIP "${output}" output)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${COMMAND}: ended with ${result}\n${output}")
endif()
if(NOT output STREQUAL EXPECTED)
  message(FATAL_ERROR "${COMMAND}: printed\n${output}\nand not\n${EXPECTED}")
endif()
