# SPDX-License-Identifier: BSD-3-Clause
#
# cmake -D COMMAND=program -D FOLDER=folder -P this
#
# Each row runs and has results, and the file is JSON that says the same.

cmake_minimum_required(VERSION 3.20)

function(run)
  execute_process(COMMAND ${ARGN}
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGN}: ended with ${result}\n${output}${errors}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run(${COMMAND} --list)
string(REGEX MATCHALL "[^\n]+" expected "${output}")
list(LENGTH expected nrows)

run(${COMMAND} --quick --markdown ${FOLDER}/bench.md --json ${FOLDER}/bench.json)
file(READ ${FOLDER}/bench.md markdown)
file(READ ${FOLDER}/bench.json json)
string(JSON found LENGTH "${json}" rows)
if(NOT found EQUAL nrows)
  message(FATAL_ERROR "bench.json: ${found} rows, expected ${nrows}")
endif()
math(EXPR last "${nrows} - 1")
foreach(i RANGE ${last})
  list(GET expected ${i} line)
  string(REGEX MATCH "^[^ ]+" name "${line}")
  string(JSON found GET "${json}" rows ${i} name)
  if(NOT found STREQUAL name)
    message(FATAL_ERROR "bench.json: row ${i} is ${found}, expected ${name}")
  endif()
  string(JSON nresults LENGTH "${json}" rows ${i} results)
  if(nresults EQUAL 0)
    message(FATAL_ERROR "bench.json: ${name} has no results")
  endif()
  string(FIND "${output}" "\n${name}: " at)
  string(FIND "${markdown}" "\n`${name}`; " at_markdown)
  if(at LESS 0 OR at_markdown LESS 0)
    message(FATAL_ERROR "${name} is not shown:\n${output}\n${markdown}")
  endif()
endforeach()
string(JSON cpu GET "${json}" machine cpu)

run(${COMMAND} --quick --plain --rows polling)
if(NOT output MATCHES "^n = 1\t[0-9.e+]+\tns\n")
  message(FATAL_ERROR "--plain printed\n${output}")
endif()

# Beside itself; --beside takes one program, so the launcher is in a script.
list(REMOVE_ITEM COMMAND "")
list(JOIN COMMAND "' '" words)
file(WRITE ${FOLDER}/beside "#!/bin/sh\nexec '${words}' \"$@\"\n")
file(CHMOD ${FOLDER}/beside PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
run(${COMMAND} --quick --rows polling --beside ${FOLDER}/beside)
if(NOT output MATCHES "\n  n = 1 +[0-9.]+ ns +[0-9.]+ ns ")
  message(FATAL_ERROR "--beside printed\n${output}")
endif()

execute_process(COMMAND ${COMMAND} --rows polling,no-such
  RESULT_VARIABLE result OUTPUT_QUIET ERROR_QUIET)
if(NOT result EQUAL 2)
  message(FATAL_ERROR "--rows no-such: ended with ${result}, expected 2")
endif()
