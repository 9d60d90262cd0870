# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark's goals that take more than a stopwatch: stalls, memory, import."""

from __future__ import annotations

import asyncio
import mmap
import os
import subprocess
import sys
from contextlib import suppress
from statistics import median
from threading import Event, Thread
from time import perf_counter_ns, sleep

import miniasync
from miniasync._bench_goals import Goal
from miniasync._bench_timing import Arena, BenchmarkError, Pace
from miniasync._ffi import ffi, lib
from miniasync._units import format_size

_TICK_S = 0.001

# With fewer ticks, one in a thousand is no other than the longest.
_FEWEST = 1000

# So many that pages and hash tables that grow by the half hardly count.
_PENDING = 20_000

# Above the limit for small ones, which are done where they start.
_HELD = 2**16

_STATM = "/proc/self/statm"


def stalls(size: int, pace: Pace) -> list[Goal]:
    """How late an event loop, and another thread, are beside an awaited copy.

    Both sleep a millisecond at a time, and note how much later than that they go
    on: while nothing else happens, and while copies are awaited.

    Args:
        size: Bytes of a copy; less if there is not enough memory.
        pace: How long. A short run has no p99.9.
    """
    arena = None
    while arena is None:
        try:
            arena = Arena(size)
        except BenchmarkError:
            if size < 2**20:
                raise
            size //= 2
    try:
        arena.spoil(size)
        idle, copying = asyncio.run(_ticking(arena, size, pace))
        arena.verify(size, "an awaited copy")
    finally:
        arena.close()
    goals = []
    for who in ("the event loop", "another thread"):
        longest = max(idle[who])
        work = f"{who}, late during an awaited {format_size(size)} copy"
        if min(len(idle[who]), len(copying[who])) >= _FEWEST:
            p999 = {"idle": _p999(idle[who])}
            goals.append(
                Goal(f"{work}, p99.9", "ms", _p999(copying[who]), 2, peers=p999)
            )
        goals.append(
            Goal(
                *(f"{work}, longest", "ms", max(copying[who]), 3 * longest),
                peers={"idle": longest},
            )
        )
    return goals


_Late = dict[str, list[float]]


async def _ticking(arena: Arena, size: int, pace: Pace) -> tuple[_Late, _Late]:
    """By who, how many ms late each tick was: idle, and beside copies."""
    found: tuple[_Late, _Late] = (_late(), _late())
    turns = max(2 * round(pace.rounds / 2), 2)
    for turn in range(turns):
        late = found[turn % 2]
        done = Event()
        thread = Thread(target=_tick, args=(done, late["another thread"]))
        thread.start()
        ticking = asyncio.create_task(_tick_on_loop(done, late["the event loop"]))
        try:
            until = perf_counter_ns() + pace.row_ns / turns
            if turn % 2:
                copies = 0
                while copies == 0 or perf_counter_ns() < until:
                    copies += 1
                    await miniasync.memcpy(arena.dst[:size], arena.src[:size])
            else:
                await asyncio.sleep(pace.row_ns / turns / 1e9)
            await asyncio.sleep(2 * _TICK_S)  # one tick at least
        finally:
            done.set()
            await ticking
            thread.join()
    return found


def _late() -> _Late:
    return {"the event loop": [], "another thread": []}


def _tick(done: Event, late: list[float]) -> None:
    while not done.is_set():
        start = perf_counter_ns()
        sleep(_TICK_S)
        late.append((perf_counter_ns() - start) / 1e6 - _TICK_S * 1e3)


async def _tick_on_loop(done: Event, late: list[float]) -> None:
    while not done.is_set():
        start = perf_counter_ns()
        await asyncio.sleep(_TICK_S)
        late.append((perf_counter_ns() - start) / 1e6 - _TICK_S * 1e3)


def _p999(late: list[float]) -> float:
    return sorted(late)[len(late) * 999 // 1000]


def memory(pace: Pace) -> list[Goal]:
    """What a started copy of bytes takes, with everything that belongs to it."""
    if not os.path.exists(_STATM):
        return []
    with miniasync.ThreadsMover(1) as mover:
        lib.data_mover_threads_set_memcpy_fn(
            mover._cmover(), ffi.addressof(lib, "ma_bench_held_memcpy")
        )
        pending: list[_Futures] = []
        lib.ma_bench_hold(True)
        try:
            each = [
                _each_pending(mover, src, pending)
                for src in (bytes(_HELD), bytearray(_HELD))
            ]
        finally:
            lib.ma_bench_hold(False)
            miniasync.wait(future for futures in pending for future in futures)
    work = "memory of a pending future"
    return [Goal(work, "B", each[0], 1024, peers={"of a bytearray": each[1]})]


_Futures = list[miniasync.Future[bytearray]]


def _each_pending(
    mover: miniasync.ThreadsMover, src: bytes | bytearray, pending: list[_Futures]
) -> float:
    dst = bytearray(_HELD)
    # What was free before is used up by the first of them.
    pending.append([mover.memcpy(dst, src).start() for _ in range(_PENDING)])
    before = _resident()
    pending.append([mover.memcpy(dst, src).start() for _ in range(_PENDING)])
    return (_resident() - before) / _PENDING


def _resident() -> int:
    """Bytes of memory that this process has."""
    with open(_STATM, encoding="ascii") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE


def imported(pace: Pace) -> list[Goal]:
    """How long importing the package takes, in an interpreter of its own."""
    code = (
        "from time import perf_counter as now; began = now(); import miniasync;"
        " print(now() - began)"
    )
    took = []
    for _ in range(pace.rounds):
        # -P is not known to 3.10; -I does the same and more.
        done = subprocess.run(
            [sys.executable, "-I", "-c", code],
            capture_output=True,
            text=True,
            check=False,
        )
        with suppress(ValueError):
            took.append(float(done.stdout) * 1e3)
    if not took:
        return []  # it runs in a way that another interpreter does not know of
    return [Goal("import miniasync", "ms", median(took), 40)]
