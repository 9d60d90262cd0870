# SPDX-License-Identifier: BSD-3-Clause
"""How the benchmark measures.

The contenders of a row take turns in short rounds, in an order that changes, so
that what the machine does to one it does to all. Before every round the
destination is spoiled, byte by byte, and after it compared with the source: a
copy that moved wrong bytes ends the benchmark.
"""

from __future__ import annotations

import mmap
import os
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter_ns

import miniasync
from miniasync import _sysinfo
from miniasync._ffi import ffi, lib
from miniasync._units import format_size

_SEED = 0x6D696E6961737963

# One call into C cannot be interrupted, so none may last long.
_MAX_TURN_NS = 50_000_000
_MAX_REPEATS = 1_000_000
_PROBE_NS = 20_000_000
_PROBE_BYTES = 64 * 2**20


class BenchmarkError(miniasync.MiniasyncError):
    """The benchmark cannot go on; the text says why."""


def check(error: int, what: str) -> None:
    """Raise BenchmarkError for an error number from one of the loops in C."""
    if error:
        raise BenchmarkError(f"{what} failed: {os.strerror(error)}")


class Arena:
    """A source and a destination, present in memory, with known bytes.

    Attributes:
        dst: The destination, writable.
        src: The source.
        raw_dst: Its address, for C.
        raw_src: Its address, for C.
    """

    def __init__(self, size: int) -> None:
        """Map two buffers of `size` bytes.

        Raises:
            BenchmarkError: There is not enough memory.
        """
        self._size = size
        # The probe of the machine writes to the destination, too.
        need = size + max(size, _PROBE_BYTES)
        available = _sysinfo.available_memory()
        if available is not None and need > available:
            raise BenchmarkError(
                f"copies of {format_size(size)} need {format_size(need)} of memory "
                f"and {format_size(available)} are available; give smaller --sizes"
            )
        self._dst_map = mmap.mmap(-1, max(size, _PROBE_BYTES))
        self._src_map = mmap.mmap(-1, size)
        self.dst = memoryview(self._dst_map)
        self.src = memoryview(self._src_map)
        self.raw_dst = ffi.from_buffer(self._dst_map)
        self.raw_src = ffi.from_buffer(self._src_map)
        lib.ma_bench_fill(self.raw_src, size, _SEED, 0)

    def spoil(self, n: int) -> None:
        """Make each of the first `n` bytes of the destination a wrong one."""
        lib.ma_bench_fill(self.raw_dst, n, _SEED, 1)

    def verify(self, n: int, who: str) -> None:
        """Raise BenchmarkError unless the first `n` bytes were copied."""
        same = lib.ma_first_difference(self.raw_dst, self.raw_src, n)
        if same != n:
            raise BenchmarkError(
                f"{who} copied wrong bytes: at {same} of {n} the destination differs"
            )

    def two_threads(self) -> TwoThreads:
        """Probe what a second thread adds to the memory bandwidth now."""
        gbps = []
        for two in (0, 1):
            out = ffi.new("double *")
            error = lib.ma_bench_stream(self.raw_dst, _PROBE_BYTES, two, _PROBE_NS, out)
            check(error, "the bandwidth probe")
            gbps.append(out[0])
        return TwoThreads(one_gbps=gbps[0], two_gbps=gbps[1])

    def close(self) -> None:
        """Give the memory back."""
        ffi.release(self.raw_dst)
        ffi.release(self.raw_src)
        self.dst.release()
        self.src.release()
        # A contender that failed, or its traceback, may still hold a view.
        with suppress(BufferError):
            self._dst_map.close()
        with suppress(BufferError):
            self._src_map.close()


@dataclass(frozen=True)
class TwoThreads:
    """Write bandwidth past the caches, of one thread and of two together."""

    one_gbps: float
    two_gbps: float

    @property
    def gain(self) -> float:
        """How much more two threads write than one."""
        return self.two_gbps / self.one_gbps


@dataclass(frozen=True)
class Contender:
    """Something that copies.

    Attributes:
        name: What to call it.
        run: Does a number of repeats and returns how many nanoseconds it took.
    """

    name: str
    run: Callable[[int], int]


def timed(operation: Callable[[], object]) -> Callable[[int], int]:
    """Make a contender's `run` of a Python function that does one repeat."""

    def run(repeats: int) -> int:
        began = perf_counter_ns()
        for _ in range(repeats):
            operation()
        return perf_counter_ns() - began

    return run


@dataclass
class Row:
    """One contender's result.

    Attributes:
        table: Which group of results it belongs to.
        name: The contender.
        size: Bytes of one operation.
        batch: Operations outstanding at a time.
        ns: Nanoseconds per operation, median of the rounds.
        versus: The reference's `ns` per this one's: above 1 is faster.
        rounds: Nanoseconds per operation in each round.
        p50: Median of single operations, where they were timed one by one.
        p99: Likewise the 99th percentile.
        two_threads: The machine before and after the row.
    """

    table: str
    name: str
    size: int
    batch: int
    ns: float
    versus: float
    rounds: list[float]
    p50: float | None = None
    p99: float | None = None
    two_threads: list[TwoThreads] = field(default_factory=list)

    @property
    def gbps(self) -> float:
        """Bytes copied per nanosecond."""
        return self.size / self.ns


@dataclass(frozen=True)
class Pace:
    """How long to measure: `rounds` rounds that take `row_ns` in all."""

    rounds: int
    row_ns: float


def measure(
    table: str,
    contenders: Sequence[Contender],
    arena: Arena,
    size: int,
    batch: int,
    pace: Pace,
) -> list[Row]:
    """Let contenders take turns at copying.

    Args:
        table: The group of results.
        contenders: Who copies; the first is the reference.
        arena: Where; each repeat copies its first `size * batch` bytes.
        size: Bytes of one operation.
        batch: Operations in one repeat.
        pace: How long.

    Returns:
        A row for each contender, in their order.

    Raises:
        BenchmarkError: Somebody copied wrong bytes.
    """
    n = size * batch
    turn_ns = min(pace.row_ns / (len(contenders) * pace.rounds), _MAX_TURN_NS)

    def turn(contender: Contender, repeats: int) -> float:
        arena.spoil(n)
        ns = contender.run(repeats)
        arena.verify(n, contender.name)
        return ns / repeats

    before = arena.two_threads()
    repeats = {}
    for contender in contenders:
        # The first turn also starts threads and fills caches; it does not count.
        turn(contender, 1)
        one = min(turn(contender, count) for count in (1, 3, 10))
        repeats[contender.name] = max(1, min(int(turn_ns / one), _MAX_REPEATS))

    results: dict[str, list[float]] = {c.name: [] for c in contenders}
    # Each round in another order: who follows whom matters, since a copy leaves
    # the caches in its own state.
    shuffle = random.Random(_SEED).shuffle
    order = list(contenders)
    for _ in range(pace.rounds):
        shuffle(order)
        for contender in order:
            results[contender.name].append(turn(contender, repeats[contender.name]))
    machine = [before, arena.two_threads()]

    reference = median(results[contenders[0].name])
    return [
        Row(
            table=table,
            name=name,
            size=size,
            batch=batch,
            ns=median(rounds) / batch,
            versus=reference / median(rounds),
            rounds=[ns / batch for ns in rounds],
            two_threads=machine,
        )
        for name, rounds in results.items()
    ]
