# SPDX-License-Identifier: BSD-3-Clause
#
# The C compiler, and how everything here is compiled.

include(CheckLanguage)
check_language(C)
if(NOT CMAKE_C_COMPILER)
  message(FATAL_ERROR
    "No working C compiler was found. Install one (Debian, Ubuntu: "
    "apt install gcc libc6-dev; Fedora: dnf install gcc glibc-devel), or name "
    "one that works in the environment variable CC.")
endif()
enable_language(C)

# Not for a project that adds this one: it has its own to decide.
get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT CMAKE_BUILD_TYPE AND NOT multi_config
    AND CMAKE_SOURCE_DIR STREQUAL PROJECT_SOURCE_DIR)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Kind of build" FORCE)
endif()

option(MINIASYNC_HELGRIND
  "Tell helgrind about atomic operations, to run the tests under it" OFF)
if(MINIASYNC_HELGRIND)
  include(CheckIncludeFile)
  check_include_file(valgrind/helgrind.h MA_HAVE_HELGRIND_H)
  if(NOT MA_HAVE_HELGRIND_H)
    message(FATAL_ERROR "MINIASYNC_HELGRIND=ON needs <valgrind/helgrind.h>. "
      "Install valgrind (Debian, Ubuntu: apt install valgrind).")
  endif()
  set(ma_helgrind ${CMAKE_CURRENT_LIST_DIR}/../tests/helgrind.h)
endif()

# ma_set_compile_options(target)
function(ma_set_compile_options target)
  set_target_properties(${target} PROPERTIES
    C_STANDARD 11 C_STANDARD_REQUIRED ON
    # Whatever a project that adds this one wants for itself: POSIX functions are
    # used, and files have static functions of the same names.
    C_EXTENSIONS ON UNITY_BUILD OFF)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
    $<$<BOOL:${MINIASYNC_WERROR}>:-Werror>)
  if(MINIASYNC_HELGRIND)
    target_compile_options(${target} PRIVATE
      "$<$<COMPILE_LANGUAGE:C>:SHELL:-g -include ${ma_helgrind}>")
  endif()
  if(MINIASYNC_SANITIZE)
    # Not part of what is installed: a user of the library decides for himself.
    set(flags -fsanitize=${MINIASYNC_SANITIZE} -fno-sanitize-recover=all
      -fno-omit-frame-pointer -g)
    target_compile_options(${target} PUBLIC "$<BUILD_INTERFACE:${flags}>")
    target_link_options(${target} PUBLIC "$<BUILD_INTERFACE:${flags}>")
  endif()
endfunction()
