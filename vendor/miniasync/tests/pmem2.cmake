# SPDX-License-Identifier: BSD-3-Clause
#
# libpmem2, a library that was compiled against upstream's headers. Asking the
# linker, and not pkg-config, gives the right answer for another processor, too.

include(CheckLibraryExists)
check_library_exists(pmem2 pmem2_memcpy_async "" MA_HAVE_PMEM2)

if(MA_HAVE_PMEM2)
  ma_test(pmem2)
  target_link_libraries(test_pmem2 PRIVATE pmem2)
else()
  add_test(NAME miniasync.pmem2 COMMAND sh -c
    "echo 'skipped: no libpmem2 (Debian: libpmem2-dev) to link with'; exit 77")
  set_tests_properties(miniasync.pmem2 PROPERTIES SKIP_RETURN_CODE 77)
endif()
