# SPDX-License-Identifier: BSD-3-Clause
"""Compile ``_pmem2``, a binding of libpmem2's asynchronous functions, right here.

Needs a C compiler, cffi, setuptools and libpmem2 (Debian: libpmem2-dev). Run it in
the folder that is to have the module, then ``pmem2.py`` with that folder on the path.
"""

from pathlib import Path

from cffi import FFI

# libpmem2's own header includes <libminiasync/vdm.h>.
INCLUDE = Path(__file__).parents[2] / "vendor" / "miniasync" / "include"

PRELUDE = """
#define PMEM2_USE_MINIASYNC 1
#include <libpmem2.h>

static int
pmem2_future_result(const struct pmem2_future *future)
{
    return future->data.op.fut.output.result;
}
"""

CDEF = """
enum pmem2_granularity {
    PMEM2_GRANULARITY_BYTE,
    PMEM2_GRANULARITY_CACHE_LINE,
    PMEM2_GRANULARITY_PAGE,
    ...
};

struct pmem2_config;
struct pmem2_source;
struct pmem2_map;
struct vdm;
struct pmem2_future { ...; };

const char *pmem2_errormsg(void);

int pmem2_config_new(struct pmem2_config **cfg);
int pmem2_config_delete(struct pmem2_config **cfg);
int pmem2_config_set_required_store_granularity(struct pmem2_config *cfg,
    enum pmem2_granularity g);
int pmem2_config_set_vdm(struct pmem2_config *cfg, struct vdm *vdm);
int pmem2_source_from_fd(struct pmem2_source **src, int fd);
int pmem2_source_delete(struct pmem2_source **src);
int pmem2_map_new(struct pmem2_map **map, const struct pmem2_config *cfg,
    const struct pmem2_source *src);
int pmem2_map_delete(struct pmem2_map **map);
void *pmem2_map_get_address(struct pmem2_map *map);
size_t pmem2_map_get_size(struct pmem2_map *map);
enum pmem2_granularity pmem2_map_get_store_granularity(struct pmem2_map *map);

struct pmem2_future pmem2_memcpy_async(struct pmem2_map *map, void *dest,
    const void *src, size_t n, unsigned flags);
struct pmem2_future pmem2_memmove_async(struct pmem2_map *map, void *dest,
    const void *src, size_t n, unsigned flags);
struct pmem2_future pmem2_memset_async(struct pmem2_map *map, void *str, int c,
    size_t n, unsigned flags);
int pmem2_future_result(const struct pmem2_future *future);
"""

ffibuilder = FFI()
ffibuilder.cdef(CDEF)
ffibuilder.set_source(
    "_pmem2", PRELUDE, include_dirs=[str(INCLUDE)], libraries=["pmem2"]
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
