# SPDX-License-Identifier: BSD-3-Clause
#
# cmake -D NM=nm -D READELF=readelf -D NAME=libminiasync
#   -D LIBRARY=libminiasync.so -P this
#
# The shared library of that name exports these names at these versions and
# nothing else. The lists stand here a second time on purpose: a name that slips
# out of the linker's map, or into a closed node, must fail.

cmake_minimum_required(VERSION 3.20)

set(libminiasync LIBMINIASYNC_1.0 LIBMINIASYNC_1.1)
set(libminiasync-vdm-dml LIBMINIASYNC_VDM_DML_1.0 LIBMINIASYNC_VDM_DML_1.1)

set(LIBMINIASYNC_1.0
  data_mover_sync_delete
  data_mover_sync_get_vdm
  data_mover_sync_new
  data_mover_threads_default
  data_mover_threads_delete
  data_mover_threads_get_vdm
  data_mover_threads_new
  data_mover_threads_set_memcpy_fn
  data_mover_threads_set_memmove_fn
  data_mover_threads_set_memset_fn
  runtime_delete
  runtime_new
  runtime_wait
  runtime_wait_multiple)
set(LIBMINIASYNC_1.1
  data_mover_threads_get_inline_below
  data_mover_threads_get_nthreads
  data_mover_threads_get_stats
  data_mover_threads_set_inline_below
  future_monitor_add
  future_monitor_count
  future_monitor_deadline
  future_monitor_delete
  future_monitor_fd
  future_monitor_new
  future_monitor_remove
  future_monitor_run
  future_waiter_delete
  future_waiter_new
  future_waiter_wait
  miniasync_settings
  miniasync_version
  vdm_operation_release)

set(LIBMINIASYNC_VDM_DML_1.0
  data_mover_dml_delete
  data_mover_dml_get_vdm
  data_mover_dml_new)
set(LIBMINIASYNC_VDM_DML_1.1
  data_mover_dml_get_stats)

set(expected)
foreach(node IN LISTS ${NAME})
  foreach(name IN LISTS ${node})
    list(APPEND expected "T ${name}@@${node}")
  endforeach()
endforeach()

execute_process(COMMAND ${NM} -D --defined-only ${LIBRARY}
  OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[A-Za-z] [^ \n]+\n" lines "${output}")
string(REPLACE "\n" "" found "${lines}")
# Linkers export the names of the nodes as absolute symbols.
list(FILTER found EXCLUDE REGEX "^A LIBMINIASYNC_")

list(SORT expected)
list(SORT found)
if(NOT found STREQUAL expected)
  set(missing ${expected})
  list(REMOVE_ITEM missing ${found})
  list(REMOVE_ITEM found ${expected})
  message(FATAL_ERROR "${LIBRARY}: missing: ${missing}; unexpected: ${found}")
endif()

execute_process(COMMAND ${READELF} -d ${LIBRARY}
  OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
if(NOT output MATCHES "\\[${NAME}\\.so\\.0\\]")
  message(FATAL_ERROR "${LIBRARY}: its SONAME is not ${NAME}.so.0")
endif()
