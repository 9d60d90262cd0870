# SPDX-License-Identifier: BSD-3-Clause
"""Nothing is left of many operations: pins, descriptors, threads, memory."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from model import Own
from pinned import free

import miniasync
from miniasync import DataMover, Future, _daemon, _outstanding

pytestmark = pytest.mark.filterwarnings("ignore:.*was dropped:ResourceWarning")

TURNS = 100_000 if "MINIASYNC_TEST_LONG" in os.environ else 3_000
OURS = not miniasync.provider().is_upstream
PATIENCE_S = 60
LIBC = ctypes.CDLL(None)


class Mallinfo(ctypes.Structure):
    """glibc's struct mallinfo2."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


class Left(NamedTuple):
    """What a process has."""

    blocks: int  # of Python's allocator
    malloced: int  # bytes
    threads: int
    files: int


def left() -> Left:
    """What this process has now."""
    malloced = 0
    # A sanitizer has its own malloc, and keeps what was freed.
    if hasattr(LIBC, "mallinfo2") and "LD_PRELOAD" not in os.environ:
        LIBC.mallinfo2.restype = Mallinfo
        info = LIBC.mallinfo2()
        malloced = info.uordblks + info.hblkhd
    return Left(
        sys.getallocatedblocks(),
        malloced,
        len(os.listdir("/proc/self/task")),
        len(os.listdir("/proc/self/fd")),
    )


def settle() -> None:
    """Wait until what was dropped is let go of, and the daemon has ended."""
    gc.collect()
    deadline = time.monotonic() + PATIENCE_S
    while _outstanding.outstanding or _daemon.daemon().running:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    # It keeps the table that it had when the most was under way, which chance decides.
    _outstanding.outstanding.clear()


def leaves_nothing(
    turn: Callable[[], object], turns: int = TURNS, slack: int = 20_000
) -> None:
    """Take many turns, some of them first for everything to settle in.

    Args:
        turn: What to do.
        turns: How often.
        slack: Bytes that may be kept for the next time: more where chance decides
            how much is under way at once.
    """

    def after(turns: int) -> Left:
        for _ in range(turns):
            turn()
        settle()
        return left()

    after(turns // 4)
    before = after(turns // 4)
    for tries in range(3):
        now = after(turns)
        assert now.files <= before.files
        deadline = time.monotonic() + PATIENCE_S
        while now.threads > before.threads:  # it takes some time to end
            assert time.monotonic() < deadline
            now = left()
        # Less than the smallest thing each turn, and what comes and goes by itself.
        # More of that comes and goes now and then; what leaks does so every time.
        if now.blocks - before.blocks < turns / 4 + 100:
            break
        assert tries < 2
        before = now
    assert now.malloced - before.malloced < 8 * turns + slack


@pytest.fixture(scope="module", autouse=True)
def small_garbage() -> Iterator[None]:
    """Have the garbage collector look at what is made here only."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(params=["sync", "threads", "workers"])
def mover(request: pytest.FixtureRequest) -> Iterator[DataMover]:
    """A mover of each kind, which has made all of its threads."""
    if request.param == "sync":
        mover: DataMover = miniasync.SyncMover()
    else:
        inline = 0 if OURS and request.param == "workers" else None
        mover = miniasync.ThreadsMover(threads=2, inline_below=inline)
    with mover:
        mover.memset(bytearray(1 << 22), 0).result()
        yield mover


DST, SRC = bytearray(10_000), bytes(10_000)
ROWS = [(bytearray(8), bytes(8)) for _ in range(10)]

Make = Callable[[DataMover], Future[Any]]
MAKE: dict[str, Make] = {
    "memcpy small": lambda mover: mover.memcpy(DST, SRC, 64),
    "memcpy": lambda mover: mover.memcpy(DST, SRC),
    "memset": lambda mover: mover.memset(DST, 1),
    "memmove": lambda mover: mover.memmove(memoryview(DST), DST),
    "batch of pairs": lambda mover: mover.memcpy_batch(ROWS),
    "batch of ranges": lambda mover: mover.memcpy_batch(
        (DST, SRC), src_offsets=[64, 0, 5000], lengths=32
    ),
    "batch of fills": lambda mover: mover.memset_batch([(row, 1) for row, _ in ROWS]),
    "chain in C": lambda mover: miniasync.chain(
        mover.memset(DST, 1), mover.memcpy(ROWS[0][0], SRC, 8)
    ),
    "chain": lambda mover: miniasync.chain(
        mover.memset(DST, 1), len, lambda n: mover.memset(DST, 2, n)
    ),
    "own": lambda mover: Own(1, "at once"),
}
if OURS:
    MAKE["flush"] = lambda mover: mover.flush(DST)


@pytest.fixture(params=MAKE)
def make(request: pytest.FixtureRequest, mover: DataMover) -> Iterator[object]:
    """Makes a future of each kind."""
    make = MAKE[request.param]
    yield lambda: make(mover)
    assert free(DST)
    assert all(free(row) for row, _ in ROWS)


def test_result(make: Callable[[], Future[Any]]) -> None:
    leaves_nothing(lambda: make().result())


def test_await(make: Callable[[], Future[Any]]) -> None:
    async def main() -> None:
        for _ in range(500):
            await make()

    leaves_nothing(lambda: asyncio.run(main()), TURNS // 500)


def test_drop(make: Callable[[], Future[Any]]) -> None:
    """Idle, cancelled, started, and with a callback."""

    def turn() -> None:
        make()
        make().cancel()
        make().start()
        make().start().add_done_callback(repr)
        if len(_outstanding.outstanding) > 100:
            settle()

    leaves_nothing(turn, TURNS // 4, slack=500_000)


class TestOnOneKind:
    """What does not depend on the kind of the future."""

    def test_timeout(self, mover: DataMover) -> None:
        def turn() -> None:
            future = mover.memcpy(DST, SRC)
            try:
                future.result(timeout=0)
            except TimeoutError:
                future.result()

        leaves_nothing(turn)

    def test_waits(self, mover: DataMover) -> None:
        runtime = miniasync.Runtime()

        def turn() -> None:
            futures = [mover.memcpy(DST, SRC), mover.memset(ROWS[0][0], 1)]
            miniasync.wait(futures, return_when=miniasync.FIRST_COMPLETED)
            for future in miniasync.as_completed(futures):
                future.result()
            runtime.wait(*futures, mover.memset(DST, 1))

        leaves_nothing(turn, TURNS // 4)

    def test_refused(self, mover: DataMover) -> None:
        def turn() -> None:
            with pytest.raises(ValueError, match="same size|one size"):
                mover.memcpy(DST, SRC[:5])
            with pytest.raises(BufferError):
                mover.memset(SRC, 1)
            with pytest.raises(ValueError, match="one size"):
                mover.memcpy_batch([*ROWS, (DST, b"")])

        leaves_nothing(turn, TURNS // 10)
        assert free(DST)

    def test_cycles(self, mover: DataMover) -> None:
        def turn() -> None:
            cycle: list[object] = [mover.memset(DST, 1), mover.memset(DST, 2).start()]
            cycle.append(cycle)

        leaves_nothing(turn, TURNS // 4, slack=500_000)
        assert free(DST)

    def test_cancelled_tasks(self, mover: DataMover) -> None:
        async def wait() -> None:
            await mover.memcpy(DST, SRC)

        async def main() -> None:
            for _ in range(100):
                task = asyncio.ensure_future(wait())
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])

        leaves_nothing(lambda: asyncio.run(main()), TURNS // 100)

    def test_threads(self, mover: DataMover) -> None:
        def turn() -> None:
            future = mover.memcpy(DST, SRC)
            threads = [threading.Thread(target=future.result) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        leaves_nothing(turn, TURNS // 20)


@pytest.mark.parametrize(
    "make", [miniasync.SyncMover, lambda: miniasync.ThreadsMover(2)]
)
def test_movers(make: Callable[[], DataMover]) -> None:
    """Closed with futures of each state, and just forgotten."""

    def turn() -> None:
        with make() as mover:
            idle = mover.memset(DST, 1)
            mover.memset(DST, 2).start()
        with pytest.raises(miniasync.ClosedError):
            idle.result()
        make().memset(DST, 3).result()

    leaves_nothing(turn, TURNS // 20)
    assert free(DST)
