# SPDX-License-Identifier: BSD-3-Clause
"""Waiting for several flights in one call into C.

A wait holds the locks of the flights it polls. A flight whose lock is taken
belongs to another thread's wait; it is looked at every few milliseconds. Locks
are only tried while others are held, so that two such waits cannot block each
other, and all are given back as soon as anything has ended. No code of the user's
runs meanwhile: steps and functions before, holding the lock of their own flight
only, and callbacks afterwards. They may wait for others of the group.

A chain may begin with others of the group at any moment before their locks are
taken, and does so when it is started here. Then they are the chain's: it is polled
instead of them from the next turn on, or from this one if this thread has seen it.
"""

from __future__ import annotations

from _thread import get_ident
from itertools import chain, repeat
from operator import attrgetter, methodcaller
from time import monotonic_ns, sleep
from typing import TYPE_CHECKING

from miniasync import _ffi
from miniasync._ending import finish_all_if_exiting
from miniasync._ends import PENDING
from miniasync._interest import attend_all
from miniasync._locks import SLICE_NS, enter, refuse, wait_for_lock

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from miniasync._flight import Flight
    from miniasync._waiters import Waiter

# The longest sleep while another thread polls what is waited for.
SHARED_NS = 5_000_000


_lock_of = attrgetter("lock")
_release = methodcaller("release")


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
    me = get_ident()
    roots = dict.fromkeys([flight.root() for flight in flights])
    for flight in roots:
        if flight.runs_python:
            _advance(flight)
    # Again: a chain that has just begun has taken some for its steps.
    roots = dict.fromkeys([flight.root() for flight in flights])
    ours: list[Flight] = []
    # All, before anybody is told anything; and in one step.
    releases = chain(
        map(setattr, ours, repeat("holder"), repeat(None)),
        map(_release, map(_lock_of, ours)),
    )
    to_tell = iter(ours)
    try:
        # Each in one step with the taking.
        ours.extend(filter(enter, roots))
        theirs = _without(roots, ours)
        if any(flight.parent is None and flight.holder == me for flight in theirs):
            refuse()
        longest = SHARED_NS if theirs else SLICE_NS
        _wait_with_locks(ours, missing, longest, deadline, waiter)
    finally:
        try:
            list(releases)
            attend_all(to_tell)
        except BaseException:
            attend_all(to_tell)
            raise
    if not ours and theirs:
        # Its holder lets go when it has ended.
        wait_for_lock(theirs[0], _left(deadline, SHARED_NS))


def _advance(flight: Flight) -> None:
    """Let it run Python code, if it is nobody else's now."""
    for mine in map(enter, (flight,)):
        if mine:
            try:
                flight.advance()
            finally:
                flight.holder = None
                try:
                    flight.lock.release()
                    flight.attend()
                except BaseException:
                    flight.attend()
                    raise


def _without(flights: Collection[Flight], some: Iterable[Flight]) -> list[Flight]:
    out = set(some)
    if len(out) == len(flights):
        return []
    return [flight for flight in flights if flight not in out]


def _wait_with_locks(
    flights: list[Flight],
    missing: int,
    longest: int,
    deadline: int | None,
    waiter: Waiter,
) -> None:
    """Wait until one has ended, or as many as are missing, or for so long."""
    polled: list[Flight] = []
    leaves: list[_ffi.CData] = []
    for flight in flights:
        leaf = flight.peek()
        if leaf is not None:
            polled.append(flight)
            leaves.append(leaf)
        if flight.code != PENDING:
            longest = 0  # that may be enough
        elif flight.due is not None:
            missing = 1
            longest = min(longest, max(flight.due - monotonic_ns(), 0))
    memory = [flight.slot for flight in flights]  # a handler may end some
    if leaves:
        futures = _ffi.future_array(leaves)
        wanted = min(missing, len(leaves))
        timeout_ns = _left(deadline, longest)
        # Signal handlers run before the next turn.
        while not _ffi.wait(waiter.cdata, futures, len(leaves), wanted, timeout_ns):
            timeout_ns = _left(deadline, longest)
            if longest != SLICE_NS or timeout_ns == 0:
                break
            if any(flight.code != PENDING for flight in polled):
                break  # by a handler that closed a mover, or forked
        memory.clear()
        for flight in polled:
            flight.peek()
    elif flights:
        sleep(_left(deadline, longest) / 1e9)


def _left(deadline: int | None, most: int) -> int:
    """Nanoseconds until the deadline, but not more than `most`."""
    if deadline is None:
        return most
    return min(max(deadline - monotonic_ns(), 0), most)
