# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark's native rows: the C runtime timed in C."""

from __future__ import annotations

from typing import Any

from miniasync._bench_timing import Arena, Contender, Pace, Row, check, measure
from miniasync._ffi import ffi, lib

Vdms = dict[str, Any]

# Enough for a p99 that does not hang on one sample.
_LATENCY_SAMPLES = 2_000


def copies(vdms: Vdms, arena: Arena, size: int, pace: Pace) -> list[Row]:
    """Time ``vdm_memcpy`` and ``runtime_wait``, one copy after another.

    Args:
        vdms: By name, the ``struct vdm *`` of each mover, or NULL for plain
            memcpy. The first is the reference.
        arena: The buffers.
        size: Bytes of a copy.
        pace: How long.

    Returns:
        A row for each.
    """
    contenders = [
        Contender(name, _each(name, vdm, arena, size)) for name, vdm in vdms.items()
    ]
    return measure("native copies", contenders, arena, size, 1, pace)


def batches(vdms: Vdms, arena: Arena, size: int, batch: int, pace: Pace) -> list[Row]:
    """Time ``runtime_wait_multiple`` for `batch` copies; see `copies`."""
    contenders = [
        Contender(name, _batch(name, vdm, arena, size, batch))
        for name, vdm in vdms.items()
    ]
    return measure("native batches", contenders, arena, size, batch, pace)


def latency(vdms: Vdms, arena: Arena, size: int, pace: Pace) -> list[Row]:
    """As `copies`, and the spread of single operations with it."""
    samples: dict[str, list[int]] = {name: [] for name in vdms}
    contenders = [
        Contender(name, _each(name, vdm, arena, size, samples[name]))
        for name, vdm in vdms.items()
    ]
    rows = measure("native latency", contenders, arena, size, 1, pace)
    for row in rows:
        ordered = sorted(samples[row.name])
        row.p50 = ordered[len(ordered) // 2]
        row.p99 = ordered[len(ordered) * 99 // 100]
    return rows


def _each(
    name: str,
    vdm: Any,
    arena: Arena,
    size: int,
    samples: list[int] | None = None,
) -> Any:
    total = ffi.new("uint64_t *")

    def loop(repeats: int, out: Any) -> None:
        error = lib.ma_bench_each(
            vdm, arena.raw_dst, arena.raw_src, size, repeats, out, total
        )
        check(error, f"a copy with {name}")

    def run(repeats: int) -> int:
        if samples is not None:
            # In a loop of its own: reading the clock takes as long as a copy.
            out = ffi.new("uint64_t[]", min(repeats, _LATENCY_SAMPLES))
            loop(len(out), out)
            samples.extend(out)
        loop(repeats, ffi.NULL)
        return int(total[0])

    return run


def _batch(name: str, vdm: Any, arena: Arena, size: int, batch: int) -> Any:
    total = ffi.new("uint64_t *")

    def run(repeats: int) -> int:
        error = lib.ma_bench_batch(
            vdm, arena.raw_dst, arena.raw_src, size, batch, repeats, total
        )
        check(error, f"a batch of copies with {name}")
        return int(total[0])

    return run
