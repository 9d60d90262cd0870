# SPDX-License-Identifier: BSD-3-Clause
#
# MINIASYNC_DML: the data mover for Intel DSA.

set(MINIASYNC_DML AUTO CACHE STRING
  "Build the DML data mover: ON, OFF, or AUTO (if libdml is there)")
set_property(CACHE MINIASYNC_DML PROPERTY STRINGS AUTO ON OFF)
if(MINIASYNC_DML STREQUAL "ON")
  message(FATAL_ERROR
    "MINIASYNC_DML=ON: this version of miniasync has no DML data mover yet. "
    "Use MINIASYNC_DML=AUTO or MINIASYNC_DML=OFF.")
elseif(NOT MINIASYNC_DML MATCHES "^(AUTO|OFF)$")
  message(FATAL_ERROR
    "MINIASYNC_DML=${MINIASYNC_DML}: it is one of AUTO, ON and OFF.")
endif()
