# SPDX-License-Identifier: BSD-3-Clause
"""Waiting for several flights in one call into C.

A wait holds the locks of the flights it polls. A flight whose lock is taken
belongs to another thread's wait; it is looked at every few milliseconds. Locks
are only tried while others are held, so that two such waits cannot block each
other, and all are given back as soon as anything has ended.
"""

from __future__ import annotations

from time import monotonic_ns
from typing import TYPE_CHECKING

from miniasync import _ffi
from miniasync._flight import PENDING, SLICE_NS, finish_all_if_exiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from miniasync._flight import Flight
    from miniasync._waiters import Waiter

# The longest sleep while another thread polls what is waited for.
_SHARED_NS = 5_000_000


def wait_for(
    flights: Sequence[Flight], wanted: int, deadline: int | None, waiter: Waiter
) -> None:
    """Start all of them; wait until so many have ended, or until the deadline.

    Args:
        flights: Each of them once.
        wanted: How many, those that have ended already counted.
        deadline: A time of `monotonic_ns`; None never comes.
        waiter: What to sleep in.
    """
    first = True
    while True:
        pending = [flight for flight in flights if flight.code == PENDING]
        missing = wanted - (len(flights) - len(pending))
        if pending and missing > 0:
            _wait_once(pending, missing, deadline, waiter)
        elif pending and first:
            # Enough have ended, but starting the others was promised.
            _wait_once(pending, 1, 0, waiter)
        else:
            break
        first = False
        if deadline is not None and monotonic_ns() >= deadline:
            break
    finish_all_if_exiting()


def _wait_once(
    flights: list[Flight], missing: int, deadline: int | None, waiter: Waiter
) -> None:
    """Wait until one has ended, or as many as are missing, or for a moment."""
    ours: list[Flight] = []
    theirs: list[Flight] = []
    try:
        for flight in flights:
            (ours if flight.try_lock() else theirs).append(flight)
        polled = [flight for flight in ours if flight.prepare()]
        if polled:
            futures = _ffi.future_array([flight.slot for flight in polled])
            wanted = min(missing, len(polled))
            timeout_ns = _left(deadline, _SHARED_NS if theirs else SLICE_NS)
            # Signal handlers run before the next turn.
            while not _ffi.wait(waiter.cdata, futures, len(polled), wanted, timeout_ns):
                timeout_ns = _left(deadline, SLICE_NS)
                if theirs or timeout_ns == 0:
                    break
            for flight in polled:
                flight.harvest()
    finally:
        for flight in ours:
            flight.lock.release()
    if not ours and theirs:
        # Its holder lets go when it has ended.
        lock = theirs[0].lock
        if lock.acquire(True, _left(deadline, _SHARED_NS) / 1e9):
            lock.release()


def _left(deadline: int | None, most: int) -> int:
    """Nanoseconds until the deadline, but not more than `most`."""
    if deadline is None:
        return most
    return min(max(deadline - monotonic_ns(), 0), most)
