# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark's Python rows: the movers and what people use without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import miniasync
from miniasync._bench_timing import Arena, Contender, Pace, Row, measure, timed
from miniasync._ffi import lib

Operation = Callable[[], object]
# Makes, for buffers of a size, the function that copies once.
MakeOperation = Callable[[Arena, int], Operation]


@contextmanager
def contenders(
    movers: dict[str, miniasync.DataMover],
) -> Iterator[dict[str, MakeOperation]]:
    """Everybody who copies; the first is the reference.

    Args:
        movers: Our movers, by name.

    Yields:
        For each name how to make its operation. NumPy's are there if it is.
    """
    makers: dict[str, MakeOperation] = {"memcpy": _memcpy}
    makers |= {name: _mover(mover) for name, mover in movers.items()}
    makers["memoryview"] = _memoryview
    try:
        import numpy  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        yield makers
        return

    # Any: this file's types have to be right without NumPy's, too.
    def arrays(arena: Arena, size: int) -> tuple[Any, Any]:
        return (
            numpy.frombuffer(arena.dst[:size], numpy.uint8),
            numpy.frombuffer(arena.src[:size], numpy.uint8),
        )

    with ThreadPoolExecutor() as pool:

        def copyto(arena: Arena, size: int) -> Operation:
            dst, src = arrays(arena, size)
            return lambda: numpy.copyto(dst, src)

        def pooled(arena: Arena, size: int) -> Operation:
            dst, src = arrays(arena, size)
            return lambda: pool.submit(numpy.copyto, dst, src).result()

        makers["numpy.copyto"] = copyto
        makers["pool + copyto"] = pooled
        yield makers


def copies(
    makers: dict[str, MakeOperation], arena: Arena, size: int, pace: Pace
) -> list[Row]:
    """Time one copy after another, each waited for.

    Args:
        makers: From `contenders`.
        arena: The buffers.
        size: Bytes of a copy.
        pace: How long.

    Returns:
        A row for each.
    """
    return measure(
        "python",
        [Contender(name, timed(make(arena, size))) for name, make in makers.items()],
        arena,
        size,
        1,
        pace,
    )


def _memcpy(arena: Arena, size: int) -> Operation:
    copy, dst, src = lib.ma_bench_memcpy, arena.raw_dst, arena.raw_src
    return lambda: copy(dst, src, size)


def _memoryview(arena: Arena, size: int) -> Operation:
    dst, src = arena.dst[:size], arena.src[:size]

    def copy() -> None:
        dst[:] = src

    return copy


def _mover(mover: miniasync.DataMover) -> MakeOperation:
    def make(arena: Arena, size: int) -> Operation:
        memcpy, dst, src = mover.memcpy, arena.dst[:size], arena.src[:size]
        return lambda: memcpy(dst, src).result()

    return make
