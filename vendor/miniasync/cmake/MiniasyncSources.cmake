# SPDX-License-Identifier: BSD-3-Clause
#
# The library's sources: MINIASYNC_SOURCES, all of them; of these,
# MINIASYNC_ADDON_SOURCES need nothing but the public future interface, so that
# a program that links another libminiasync can compile them in and have the
# waits of LIBMINIASYNC_1.1 too. MINIASYNC_DML_SOURCES are those of the DML
# mover, a library of its own; MINIASYNC_DML_NEEDS, what it uses of the others.

set(MINIASYNC_PORTABLE OFF CACHE BOOL
  "Build what is meant for systems other than Linux, to test it")
if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND NOT MINIASYNC_PORTABLE)
  set(system linux)
else()
  set(system posix)
  add_compile_definitions(MA_PORTABLE)
endif()

set(MINIASYNC_ADDON_SOURCES
  bell.c
  cells.c
  cputopo.c
  doze_x86.c
  entries.c
  monitor.c
  os_${system}.c
  park_${system}.c
  parse.c
  version.c
  wait.c
  wait_pause.c
  wait_plain.c
  wait_rounds.c
  wait_slices.c
  wait_twins.c
  waiter.c
  waiters.c)
set(MINIASYNC_SOURCES
  ${MINIASYNC_ADDON_SOURCES}
  data_mover_sync.c
  data_mover_threads.c
  engine.c
  engine_config.c
  engine_measure.c
  engine_x86.c
  flush.c
  fork.c
  operation.c
  pieces.c
  pool.c
  queue.c
  request.c
  runtime.c
  settings.c
  workers.c
  workers_idle.c
  workers_life.c
  workers_overdue.c)
set(MINIASYNC_DML_NEEDS
  cputopo.c
  engine.c
  engine_config.c
  engine_measure.c
  engine_x86.c
  flush.c
  fork.c
  os_${system}.c
  parse.c
  request.c)
set(MINIASYNC_DML_SOURCES
  dml/complete.c
  dml/data_mover_dml.c
  dml/device.c
  dml/jobs.c
  dml/record.c
  dml/stats.c
  dml/stock.c
  dml/submit.c)
set(MINIASYNC_DML_STUB dml/stub.c)
foreach(list MINIASYNC_ADDON_SOURCES MINIASYNC_SOURCES MINIASYNC_DML_NEEDS
    MINIASYNC_DML_SOURCES MINIASYNC_DML_STUB)
  list(TRANSFORM ${list} PREPEND ${CMAKE_CURRENT_LIST_DIR}/../src/)
endforeach()

# A loop that copies is 62 bytes long, and takes 1.4 times as long (Zen 5) if it
# lies in two of the lines that instructions are fetched in.
include(CheckCCompilerFlag)
check_c_compiler_flag(-falign-loops=64 MA_HAVE_ALIGN_LOOPS)
if(MA_HAVE_ALIGN_LOOPS)
  set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/../src/engine_x86.c
    PROPERTIES COMPILE_OPTIONS -falign-loops=64)
endif()
