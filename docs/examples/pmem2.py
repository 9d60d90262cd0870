# SPDX-License-Identifier: BSD-3-Clause
"""Write into a file with libpmem2, whose work a mover of miniasync does.

libpmem2 maps the file and makes futures that are complete when the bytes are
persistent. It is given the mover's ``struct vdm``, and its futures are waited for
like any others. Compile the binding first: see ``pmem2_build.py``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import _pmem2

import miniasync

pmem2 = _pmem2.lib


def check(status: int) -> None:
    """Turn libpmem2's error into an exception."""
    if status != 0:
        message = _pmem2.ffi.string(pmem2.pmem2_errormsg()).decode()
        raise OSError(f"libpmem2: error {status} {message}")


@contextmanager
def mapped(fd: int, mover: miniasync.DataMover) -> Iterator[Any]:
    """Map all of a file; the mover does what is asked of the map.

    Yields:
        The ``struct pmem2_map *``.
    """
    config = _pmem2.ffi.new("struct pmem2_config **")
    source = _pmem2.ffi.new("struct pmem2_source **")
    result = _pmem2.ffi.new("struct pmem2_map **")
    # Keeps the C mover for as long as the map has its address.
    vdm = mover.vdm
    try:
        check(pmem2.pmem2_config_new(config))
        # Any file will do, one that is not persistent memory, too.
        check(
            pmem2.pmem2_config_set_required_store_granularity(
                config[0], pmem2.PMEM2_GRANULARITY_PAGE
            )
        )
        # Two bindings know the same struct by two types.
        check(
            pmem2.pmem2_config_set_vdm(config[0], _pmem2.ffi.cast("struct vdm *", vdm))
        )
        check(pmem2.pmem2_source_from_fd(source, fd))
        check(pmem2.pmem2_map_new(result, config[0], source[0]))
        yield result[0]
    finally:
        if result[0]:
            pmem2.pmem2_map_delete(result)
        if source[0]:
            pmem2.pmem2_source_delete(source)
        if config[0]:
            pmem2.pmem2_config_delete(config)
        del vdm


def wait_for(values: Sequence[Any]) -> None:
    """Wait until libpmem2's futures, as its functions return them, are complete."""
    futures = _pmem2.ffi.new("struct pmem2_future[]", len(values))
    for i, value in enumerate(values):
        futures[i] = value
    array = miniasync.ffi.new("struct future *[]", len(values))
    for i in range(len(values)):
        array[i] = miniasync.ffi.cast("struct future *", futures + i)
    runtime = miniasync.ffi.gc(
        miniasync.lib.runtime_new(), miniasync.lib.runtime_delete
    )
    miniasync.lib.runtime_wait_multiple(runtime, array, len(values))
    for i in range(len(values)):
        if pmem2.pmem2_future_result(futures + i) != miniasync.lib.VDM_SUCCESS:
            raise MemoryError(f"operation {i} was not done")


def main() -> None:
    """Fill a file with eight copies at a time."""
    size = 1 << 17
    text = bytes(range(256)) * (8 * size // 256)
    with (
        tempfile.TemporaryFile() as file,
        miniasync.ThreadsMover() as mover,
    ):
        file.truncate(len(text))
        with mapped(file.fileno(), mover) as map:
            src = _pmem2.ffi.from_buffer(text)
            dst = _pmem2.ffi.cast("char *", pmem2.pmem2_map_get_address(map))
            wait_for(
                [
                    pmem2.pmem2_memcpy_async(map, dst + at, src + at, size, 0)
                    for at in range(0, len(text), size)
                ]
            )
        assert file.read() == text
    print(f"copied 8 times {size} bytes into a file")


if __name__ == "__main__":
    main()
