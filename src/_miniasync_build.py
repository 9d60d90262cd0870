# SPDX-License-Identifier: BSD-3-Clause
"""Describe the ``miniasync._miniasync`` extension to cffi.

The build runs it as ``python -m cffi.gen_src exec-python``; the package never
imports it. Include paths and libraries belong to CMakeLists.txt: gen_src ignores
those given to ``set_source``.
"""

from pathlib import Path

from cffi import FFI

PRELUDE = """
#include <libminiasync.h>
#include <libminiasync-vdm-dml.h>
#include <libminiasync/monitor.h>
#include <libminiasync/version.h>
#include <libminiasync/waiter.h>
#include "_miniasync_batch.h"
#include "_miniasync_bench.h"
#include "_miniasync_chain.h"
#include "_miniasync_event.h"
#include "_miniasync_files.h"
#include "_miniasync_pairs.h"
#include "_miniasync_ranges.h"
#include "_miniasync_shim.h"
#include "_miniasync_sweep.h"
#include "_miniasync_watch.h"
"""

cdef = Path(__file__).with_name("_miniasync_cdef.h")

ffibuilder = FFI()
ffibuilder.cdef(cdef.read_text(encoding="utf-8"))
ffibuilder.set_source("miniasync._miniasync", PRELUDE)
