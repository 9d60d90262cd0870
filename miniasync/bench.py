# SPDX-License-Identifier: BSD-3-Clause
"""Measure the movers on this machine: ``miniasync bench``.

Two kinds of rows come out of one run: Python's, for which the movers compete
with what people use without them, and native ones, for which the C runtime is
timed in C. How: ``_bench_timing.py``. Beside them stand the goals that the
package is held to: ``_bench_goals.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial

import miniasync
from miniasync import (
    _bench_goals,
    _bench_native,
    _bench_python,
    _bench_stalls,
    _console,
    _info,
)
from miniasync._bench_goals import Goal
from miniasync._bench_timing import Arena, BenchmarkError, Pace, Row, TwoThreads
from miniasync._ffi import ffi

__all__ = ["BenchmarkError", "Config", "Goal", "Report", "Row", "TwoThreads", "run"]

KIB, MIB = 2**10, 2**20
QUICK_SIZES = (64, 4 * KIB, 64 * KIB, MIB, 16 * MIB, 64 * MIB)
FULL_SIZES = (
    *(64, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB),
    *(MIB, 4 * MIB, 8 * MIB, 16 * MIB, 64 * MIB, 256 * MIB),
)
BATCHES = (1, 16, 128, 1024)
SMALL = 64
# What a large copy is, at least and at most, where a goal is about one.
LARGE = (QUICK_SIZES[-1], FULL_SIZES[-1])


@dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        sizes: Bytes of one copy, each a row. The largest is what the goals for
            large copies are about, within `LARGE`.
        seconds: About how long the whole run measures; what it takes to check
            the copies comes on top.
        rounds: How often each contender has its turn in a row.
        only_goals: Leave everything out but the goals.
    """

    sizes: tuple[int, ...]
    seconds: float
    rounds: int
    only_goals: bool = False

    @classmethod
    def quick(cls) -> Config:
        """For an impression, in half a minute."""
        return cls(QUICK_SIZES, seconds=20.0, rounds=5)

    @classmethod
    def full(cls) -> Config:
        """For figures to quote, in some minutes."""
        return cls(FULL_SIZES, seconds=180.0, rounds=15)


@dataclass(frozen=True)
class Report:
    """What was measured.

    Attributes:
        started: When.
        config: How.
        system: On what; see `miniasync info`.
        rows: The results, in the order in which they were taken.
        goals: What was aimed at, and what came of it.
    """

    started: datetime
    config: Config
    system: dict[str, object]
    rows: list[Row]
    goals: list[Goal]


def run(
    config: Config,
    progress: Callable[
        [str, int], AbstractContextManager[_console.Advance]
    ] = _console.progress,
) -> Report:
    """Run the benchmark.

    Args:
        config: What to measure.
        progress: Shows how far it is.

    Returns:
        The results.

    Raises:
        BenchmarkError: A copy moved wrong bytes, or there is too little memory.
    """
    started = datetime.now(timezone.utc)
    large = min(max(*config.sizes, LARGE[0]), LARGE[1])
    needed = max(*config.sizes, large, SMALL * max(BATCHES), _bench_goals.NEED)
    arena = Arena(needed)
    try:
        with ExitStack() as stack:
            movers: dict[str, miniasync.DataMover] = {
                "sync mover": stack.enter_context(miniasync.SyncMover()),
                "threads mover": stack.enter_context(miniasync.ThreadsMover()),
            }
            with suppress(miniasync.NotSupportedError):
                movers["dml mover"] = stack.enter_context(miniasync.DmlMover())
            rows, goals = _measure(config, arena, movers, large, progress)
    finally:
        arena.close()
    return Report(started, config, _info.collect(), rows, goals)


def _measure(
    config: Config,
    arena: Arena,
    movers: dict[str, miniasync.DataMover],
    large: int,
    progress: Callable[[str, int], AbstractContextManager[_console.Advance]],
) -> tuple[list[Row], list[Goal]]:
    vdms = {"memcpy": ffi.NULL} | {name: each.vdm for name, each in movers.items()}
    by_class = {type(each).__name__: each for each in movers.values()}
    rows: list[Row] = []
    goals: list[Goal] = []
    with _bench_python.contenders(by_class) as makers:
        work: list[Callable[[Pace], list[Row]]] = [
            *(partial(_bench_python.copies, makers, arena, n) for n in config.sizes),
            partial(_bench_native.latency, vdms, arena, SMALL),
            *(partial(_bench_native.batches, vdms, arena, SMALL, n) for n in BATCHES),
            *(partial(_bench_native.copies, vdms, arena, n) for n in config.sizes),
        ]
        aims: list[Callable[[Pace], list[Goal]]] = [
            partial(_bench_goals.small, arena),
            partial(_bench_goals.through_a_worker, arena),
            partial(_bench_goals.awaited, arena),
            partial(_bench_goals.awaited_while_running, arena),
            partial(_bench_goals.batches, arena),
            partial(_bench_goals.large, arena, large),
            partial(_bench_stalls.stalls, 4 * large),
            _bench_stalls.memory,
            _bench_stalls.imported,
        ]
        if config.only_goals:
            work.clear()
        steps = len(work) + len(aims)
        pace = Pace(config.rounds, config.seconds * 1e9 / steps)
        with progress("bench", steps) as advance:
            for measure in work:
                rows += measure(pace)
                advance(1)
            for aim in aims:
                goals += aim(pace)
                advance(1)
    return rows, goals
