# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark's goals: what Python users were promised, and whether it is so.

Each goal is one figure beside those of its peers, all from one run. What goes
through another thread, or through a descriptor, is compared with the round trip
of two threads that do nothing else, in turns with it: whether such a thread is
put on the same processor or on another one, which may have to be woken first,
makes a difference of ten times, and lasts for seconds.
"""

from __future__ import annotations

import asyncio
import ctypes
from array import array
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from statistics import mean, median
from threading import Thread
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import miniasync
from miniasync._bench_timing import Arena, Contender, Pace, check, measure, timed
from miniasync._ffi import ffi, lib
from miniasync._units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = 64
_BATCH = 1000
_MEDIUM = 2**20

NEED = max(_MEDIUM, SMALL * _BATCH)
"""How large the buffers have to be."""

# Single operations that are timed one by one before their peers' turn.
_IN_TURN = 50


@dataclass(frozen=True)
class Goal:
    """What was aimed at, and what came of it.

    Attributes:
        work: What is measured.
        unit: In what.
        figure: The result.
        target: The goal.
        at_least: The figure is to be above the target, rather than below.
        peers: What others took in the same run, by name, in the same unit.
    """

    work: str
    unit: str
    figure: float
    target: float
    at_least: bool = False
    peers: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the goal is reached."""
        if self.at_least:
            return self.figure >= self.target
        return self.figure <= self.target


def small(arena: Arena, pace: Pace) -> list[Goal]:
    """A small copy and its result: beside a pool; and beside a busy thread."""
    dst, src = arena.dst[:SMALL], arena.src[:SMALL]
    with ThreadPoolExecutor(1) as pool:
        us = _each(
            {
                "future": lambda: miniasync.memcpy(dst, src).result(),
                "pool": _pooled(pool, arena, SMALL),
                **_copyto(dst, src),
            },
            (arena, pace),
            median,
        )
    future = us.pop("future")
    with _busy_thread():
        busy = _each(
            {
                "future": lambda: miniasync.memcpy(dst, src).result(),
                **_copyto(dst, src),
            },
            (arena, pace),
            mean,
        )
    work = f"memcpy({SMALL} B).result()"
    return [
        Goal(work, "us", future, 2.5, peers=us),
        Goal(f"{work}, times a pool's", "x", us["pool"] / future, 10, at_least=True),
        Goal(
            f"{work}, mean beside a busy thread",
            "us",
            busy.pop("future"),
            5,
            peers=busy,
        ),
    ]


def awaited(arena: Arena, pace: Pace) -> list[Goal]:
    """A small copy that is awaited."""
    dst, src = arena.dst[:SMALL], arena.src[:SMALL]
    to, source = ffi.cast("void *", arena.raw_dst), ffi.cast("void *", arena.raw_src)

    async def future() -> None:
        await miniasync.memcpy(dst, src)

    async def to_thread() -> None:
        await asyncio.to_thread(lib.ma_bench_memcpy, to, source, SMALL)

    us = _timed_each(
        {"future": _awaiting(future), "to_thread": _awaiting(to_thread)},
        (arena, pace),
        median,
    )
    figure = us.pop("future")
    return [Goal(f"await memcpy({SMALL} B)", "us", figure, 4, peers=us)]


def batches(arena: Arena, pace: Pace) -> list[Goal]:
    """Many small copies behind one future, for each."""
    dst, src = arena.dst, arena.src
    n = SMALL * _BATCH
    cuts = range(0, n, SMALL)
    pairs = [(dst[at : at + SMALL], src[at : at + SMALL]) for at in cuts]
    whole = dst[:n], src[:n]
    offsets = array("q", cuts)
    lengths = array("q", [SMALL]) * _BATCH
    rows = measure(
        "goals",
        [
            Contender("pairs", timed(lambda: miniasync.memcpy_batch(pairs).result())),
            Contender(
                "offsets",
                timed(
                    lambda: miniasync.memcpy_batch(
                        whole, dst_offsets=offsets, src_offsets=offsets, lengths=lengths
                    ).result()
                ),
            ),
        ],
        *(arena, SMALL, _BATCH, pace),
    )
    us = {row.name: row.ns / 1000 for row in rows}
    work = f"memcpy_batch, {_BATCH} of {SMALL} B, each"
    return [
        Goal(f"{work}, from pairs", "us", us["pairs"], 1),
        Goal(f"{work}, from offsets", "us", us["offsets"], 0.15),
    ]


def large(arena: Arena, size: int, pace: Pace) -> list[Goal]:
    """A large copy, against what else copies."""
    dst, src = arena.dst[:size], arena.src[:size]
    peers = _copyto(dst, src) or {"memoryview": _assign(dst, src)}
    [(name, peer)] = peers.items()
    theirs, ours = measure(
        "goals",
        [
            Contender(name, timed(peer)),
            Contender("future", timed(lambda: miniasync.memcpy(dst, src).result())),
        ],
        *(arena, size, 1, pace),
    )
    times = median(a / b for a, b in zip(theirs.rounds, ours.rounds, strict=True))
    work = f"memcpy({format_size(size)}).result(), times {name}'s"
    return [Goal(work, "x", times, 1.6, at_least=True)]


def through_a_worker(arena: Arena, pace: Pace) -> list[Goal]:
    """A small copy that another thread has to do."""
    dst, src = arena.dst[:SMALL], arena.src[:SMALL]
    try:
        mover = miniasync.ThreadsMover(inline_below=0)
    except miniasync.NotSupportedError:
        return []
    with mover, ThreadPoolExecutor(1) as pool:
        us = _in_turns(
            {
                "future": _sampled(lambda: mover.memcpy(dst, src).result()),
                "pool": _sampled(_pooled(pool, arena, SMALL)),
                "futex round trip": _round_trips(False),
            },
            *(arena, SMALL, pace),
        )
    figure = us.pop("future")
    target = max(6, 1.5 * us["futex round trip"])
    work = f"memcpy({SMALL} B).result() through a worker, p50"
    return [Goal(work, "us", figure, target, peers=us)]


def awaited_while_running(arena: Arena, pace: Pace) -> list[Goal]:
    """What awaiting a copy that another thread does takes beyond the copy."""
    dst, src = arena.dst[:_MEDIUM], arena.src[:_MEDIUM]
    to, source = ffi.cast("void *", arena.raw_dst), ffi.cast("void *", arena.raw_src)

    async def future(samples: list[int]) -> None:
        for _ in range(_IN_TURN):
            start = perf_counter_ns()
            await miniasync.memcpy(dst, src)
            samples.append(perf_counter_ns() - start)

    async def to_thread(samples: list[int]) -> None:
        for _ in range(_IN_TURN):
            start = perf_counter_ns()
            await asyncio.to_thread(lib.ma_bench_memcpy, to, source, _MEDIUM)
            samples.append(perf_counter_ns() - start)

    with closing(asyncio.new_event_loop()) as loop:

        def on_loop(run: Callable[[list[int]], Coroutine[Any, Any, None]]) -> Any:
            return lambda samples: loop.run_until_complete(run(samples))

        us = _in_turns(
            {
                "future": on_loop(future),
                "to_thread": on_loop(to_thread),
                "memcpy": _sampled(lambda: lib.ma_bench_memcpy(to, source, _MEDIUM)),
                "eventfd round trip": _round_trips(True),
            },
            *(arena, _MEDIUM, pace),
        )
        loop.run_until_complete(loop.shutdown_default_executor())
    copy = us["memcpy"]
    us["to_thread"] -= copy
    figure = us.pop("future") - copy
    target = max(30, 1.5 * us["eventfd round trip"])
    work = f"await of a running {format_size(_MEDIUM)} copy, beyond the copy"
    return [Goal(work, "us", figure, target, peers=us)]


def _each(
    functions: dict[str, Callable[[], object]],
    how: tuple[Arena, Pace],
    average: Callable[[list[float]], float],
) -> dict[str, float]:
    """How many us each function takes, which copies `SMALL` bytes."""
    return _timed_each({name: timed(f) for name, f in functions.items()}, how, average)


def _timed_each(
    runs: dict[str, Callable[[int], int]],
    how: tuple[Arena, Pace],
    average: Callable[[list[float]], float],
) -> dict[str, float]:
    arena, pace = how
    contenders = [Contender(name, run) for name, run in runs.items()]
    rows = measure("goals", contenders, arena, SMALL, 1, pace)
    return {row.name: average(row.rounds) / 1000 for row in rows}


def _in_turns(
    runs: dict[str, Callable[[list[int]], object]],
    arena: Arena,
    size: int,
    pace: Pace,
) -> dict[str, float]:
    """Medians in us of what some functions append to their lists, in turns."""
    samples: dict[str, list[int]] = {name: [] for name in runs}
    until = perf_counter_ns() + pace.row_ns
    arena.spoil(size)
    turns = 0
    while turns < pace.rounds or perf_counter_ns() < until:
        for name, run in runs.items():
            run(samples[name])
        turns += 1
    arena.verify(size, " or ".join(runs))
    return {name: median(times) / 1000 for name, times in samples.items()}


def _sampled(operation: Callable[[], object]) -> Callable[[list[int]], None]:
    def run(samples: list[int]) -> None:
        for _ in range(_IN_TURN):
            start = perf_counter_ns()
            operation()
            samples.append(perf_counter_ns() - start)

    return run


def _round_trips(descriptor: bool) -> Callable[[list[int]], None]:
    times = ffi.new("uint64_t[]", _IN_TURN)

    def run(samples: list[int]) -> None:
        error = lib.ma_bench_round_trips(descriptor, _IN_TURN, times)
        check(error, "waking another thread")
        samples.extend(times)

    return run


def _awaiting(operation: Callable[[], Coroutine[Any, Any, None]]) -> Any:
    """A contender's `run` that awaits a coroutine function's coroutines."""

    async def loop(repeats: int) -> int:
        began = perf_counter_ns()
        for _ in range(repeats):
            await operation()
        return perf_counter_ns() - began

    return lambda repeats: asyncio.run(loop(repeats))


def _pooled(pool: ThreadPoolExecutor, arena: Arena, size: int) -> Callable[[], object]:
    to, source = (int(ffi.cast("uintptr_t", p)) for p in (arena.raw_dst, arena.raw_src))
    return lambda: pool.submit(ctypes.memmove, to, source, size).result()


def _copyto(dst: memoryview, src: memoryview) -> dict[str, Callable[[], object]]:
    """NumPy's copy, if NumPy is there."""
    try:
        import numpy  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return {}
    to, source = numpy.frombuffer(dst, "u1"), numpy.frombuffer(src, "u1")
    return {"numpy.copyto": lambda: numpy.copyto(to, source)}


def _assign(dst: memoryview, src: memoryview) -> Callable[[], object]:
    def assign() -> None:
        dst[:] = src

    return assign


@contextmanager
def _busy_thread() -> Iterator[None]:
    """Another Python thread, which computes."""
    stopping = False

    def compute() -> None:
        count = 0
        while not stopping:
            count += 1

    thread = Thread(target=compute, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping = True
        thread.join()
