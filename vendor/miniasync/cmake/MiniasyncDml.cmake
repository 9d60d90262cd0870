# SPDX-License-Identifier: BSD-3-Clause
#
# MINIASYNC_DML: the data mover for Intel DSA. Sets MINIASYNC_HAVE_DML, and if
# it is true, MINIASYNC_DML_LIBRARIES: what the mover is linked with.

set(MINIASYNC_DML AUTO CACHE STRING
  "Build the DML data mover: ON, OFF, or AUTO (if libdml is there)")
set_property(CACHE MINIASYNC_DML PROPERTY STRINGS AUTO ON OFF)
if(NOT MINIASYNC_DML MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR
    "MINIASYNC_DML=${MINIASYNC_DML}: it is one of AUTO, ON and OFF.")
endif()

set(MINIASYNC_HAVE_DML OFF)
if(MINIASYNC_DML STREQUAL "OFF")
  return()
endif()
# Before 1.1 a part of libdml's interface was different, and compiled all the
# same.
if(NOT TARGET DML::dml)
  find_package(DML 1.1...<2 CONFIG QUIET)
  if(TARGET DML::dml)
    # For projects of which this is a part.
    set_target_properties(DML::dml PROPERTIES IMPORTED_GLOBAL ON)
  endif()
endif()
if(TARGET DML::dml)
  set(MINIASYNC_HAVE_DML ON)
  # It is an archive of C++. Named like this, its runtime library does without a
  # C++ compiler here.
  set(MINIASYNC_DML_LIBRARIES DML::dml stdc++)
elseif(MINIASYNC_DML STREQUAL "ON")
  message(FATAL_ERROR
    "MINIASYNC_DML=ON, but libdml 1.1 or later was not found. Build and "
    "install Intel's DML (github.com/intel/DML) and say where it is: "
    "CMAKE_PREFIX_PATH=<prefix>. MINIASYNC_DML=AUTO and MINIASYNC_DML=OFF "
    "do without.")
endif()
