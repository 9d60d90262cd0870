# SPDX-License-Identifier: BSD-3-Clause
"""Operations of every kind, as the rules of a state machine."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
from gate import Gate
from hypothesis.stateful import Bundle, RuleBasedStateMachine, precondition, rule
from model import Job, Own, Zone, same

import miniasync
from miniasync import DataMover, Future

OURS = not miniasync.provider().is_upstream

MOVERS: list[Callable[[], DataMover]] = [
    miniasync.SyncMover,
    lambda: miniasync.ThreadsMover(threads=2),
    lambda: miniasync.ThreadsMover(threads=1, inline_below=0 if OURS else None),
]

# The one after these is a gate's: it copies nothing until the gate is opened.
GATED = len(MOVERS)
which = st.integers(0, GATED)
bytes_ = st.integers(0, 255)
# About what is inline, what is split, and what is not.
sizes = st.one_of(
    st.integers(0, 300), st.sampled_from([4095, 4096, 4097, 70_000, 1_200_000])
)
some_sizes = st.lists(sizes, max_size=5)


def pattern(size: int, seed: int) -> bytes:
    """Bytes that differ from their neighbours."""
    some = bytes((seed + 3 * i) & 255 for i in range(256))
    return (some * (size // 256 + 1))[:size]


class Making(RuleBasedStateMachine):
    """Makes operations, and starts none."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.zones: list[Zone] = []
        self.jobs_made: list[Job] = []
        self.gate = Gate()
        self.movers = [*(make() for make in MOVERS), self.gate.mover]

    def zone(self, size: int, seed: int | None = None) -> Zone:
        """New memory, of zeros or with something in it."""
        zone = Zone(bytes(size) if seed is None else pattern(size, seed))
        self.zones.append(zone)
        return zone

    def mover(self, which: int) -> DataMover:
        """One of the movers. From now on the gate is closed, if it is that one."""
        if which == GATED:
            self.gate.close()
        return self.movers[which]

    def job(self, *args: Any, **kwargs: Any) -> Job:
        job = Job(*args, **kwargs)
        self.jobs_made.append(job)
        return job

    @rule(target=jobs, which=which, size=sizes, seed=bytes_)
    def memcpy(self, which: int, size: int, seed: int) -> Job:
        src, dst = self.zone(size, seed), self.zone(size)
        dst.will_be(0, pattern(size, seed))
        view = dst.give()
        mover = self.mover(which)
        future = mover.memcpy(view, src.give())
        return self.job(future, [dst, src], view, mover)

    @rule(target=jobs, which=which, size=sizes, byte=bytes_)
    def memset(self, which: int, size: int, byte: int) -> Job:
        dst = self.zone(size)
        dst.will_be(0, bytes([byte]) * size)
        view = dst.give()
        mover = self.mover(which)
        future = mover.memset(view, byte)
        return self.job(future, [dst], view, mover)

    @rule(target=jobs, which=which, size=sizes, shift=st.integers(-100, 100))
    def memmove(self, which: int, size: int, shift: int) -> Job:
        n = max(size - abs(shift), 0)
        to, since = min(max(shift, 0), size), min(max(-shift, 0), size)
        zone = self.zone(size, 0)
        zone.will_be(to, pattern(size, 0)[since : since + n])
        view = zone.give(to, n)
        mover = self.mover(which)
        future = mover.memmove(view, zone.give(since, n))
        return self.job(future, [zone], view, mover)

    @precondition(lambda self: OURS)
    @rule(target=jobs, which=which, size=sizes)
    def flush(self, which: int, size: int) -> Job:
        zone = self.zone(size, 1)
        view = zone.give()
        mover = self.mover(which)
        future = mover.flush(view)
        return self.job(future, [zone], view, mover)

    @rule(target=jobs, which=which, sizes=some_sizes, copy=st.booleans())
    def batch_of_pairs(self, which: int, sizes: list[int], copy: bool) -> Job:
        dsts = [self.zone(size) for size in sizes]
        views = [dst.give() for dst in dsts]
        for dst in dsts:
            dst.will_be(0, pattern(dst.size, 9) if copy else b"\7" * dst.size)
        mover = self.mover(which)
        if copy:
            srcs = [self.zone(size, 9) for size in sizes]
            pairs = zip(views, [src.give() for src in srcs], strict=True)
            return self.job(mover.memcpy_batch(pairs), dsts + srcs, views, mover)
        future = mover.memset_batch((view, 7) for view in views)
        return self.job(future, dsts, views, mover)

    @rule(target=jobs, which=which, sizes=some_sizes, copy=st.booleans())
    def batch_of_ranges(self, which: int, sizes: list[int], copy: bool) -> Job:
        """What is in several places is put one after another, and ones between."""
        total, mover = sum(sizes), self.mover(which)
        offsets = list(itertools.accumulate(sizes, initial=0))[:-1]
        if not copy:
            dst = self.zone(total)
            dst.will_be(0, b"\7" * total)
            view = dst.give()
            set_ = mover.memset_batch((view, 7), dst_offsets=offsets, lengths=sizes)
            return self.job(set_, [dst], view, mover)
        src, dst = self.zone(total, 9), self.zone(total)
        # The other way round in the destination.
        back = [total - offset - n for offset, n in zip(offsets, sizes, strict=True)]
        for start, offset, n in zip(back, offsets, sizes, strict=True):
            dst.will_be(start, pattern(total, 9)[offset : offset + n])
        view = dst.give()
        future = mover.memcpy_batch(
            (view, src.give()), dst_offsets=back, src_offsets=offsets, lengths=sizes
        )
        return self.job(future, [dst, src], view, mover)

    @rule(
        target=jobs,
        on=st.lists(which, min_size=2, max_size=4),
        size=sizes,
        between=st.sampled_from(["", "function", "function that makes it", "own"]),
    )
    def chain(self, on: list[int], size: int, between: str) -> Job:
        movers = [self.mover(which) for which in on]
        zones = [self.zone(size) for _ in movers]
        for zone in zones:
            zone.will_be(0, b"\7" * size)
        value = zones[0].give()
        steps: list[Any] = [movers[0].memset(value, 7)]

        def copy(
            to: int, expected: object, got: object, view: memoryview
        ) -> Future[memoryview]:
            assert got is expected
            return movers[to].memcpy(view, zones[to - 1].give())

        for i in range(1, len(zones)):
            last, value = value, zones[i].give()
            if between == "function that makes it":
                steps.append(lambda x, i=i, last=last, to=value: copy(i, last, x, to))
                continue
            if between == "function":
                steps.append(lambda x, last=last: same(x, last) or 1 / 0)
            elif between == "own":
                steps.append(Own(1, "nobody"))
            steps.append(copy(i, None, None, value))
        job = self.job(
            miniasync.chain(*steps),
            zones,
            value,
            *movers,
            is_chain=True,
            drives_itself=between != "own",
        )
        job.first = steps[0]
        job.makes_more = between == "function that makes it"
        return job

    @rule(target=jobs, steps=st.integers(0, 3), way=st.sampled_from(Own.WAYS))
    def own(self, steps: int, way: str) -> Job:
        future = Own(steps, way)
        return self.job(future, [], future.result_is, drives_itself=False)
