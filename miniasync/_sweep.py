# SPDX-License-Identifier: BSD-3-Clause
"""Letting go of what only its own destination still knows.

The end of an operation is seen by who polls it. A future that its destination
holds, an attribute of it perhaps, is never dropped while it runs, because the
destination is pinned: both are forgotten together, and nobody polls. Once the
operation has ended they are a cycle like any other. So the garbage collector,
which would free that cycle, has the operations polled first.

It runs at any point of any thread, like finalizers. A flight whose lock is taken is
passed by, and so is one that somebody is interested in: that one is watched.

What the garbage collector calls is in C: `src/_miniasync_sweep.c` says why. It
passes by collections of the youngest generation, which are too many, and seldom to
the point, and calls nothing here while nothing is outstanding.
"""

from __future__ import annotations

from miniasync._ends import PENDING
from miniasync._ffi import lib
from miniasync._outstanding import outstanding


def look_at_all() -> None:
    """Let go of what has ended."""
    for flight in outstanding.copy():
        if flight.code != PENDING:
            outstanding.pop(flight, None)  # an exception may have left it there
        elif flight.interest is None and flight.parent is None:
            flight.look()


if lib.ma_sweep_install() != 0:
    raise MemoryError("no memory to watch the garbage collector with")
