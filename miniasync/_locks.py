# SPDX-License-Identifier: BSD-3-Clause
"""What taking locks and waiting have in common: see `_flight`."""

from __future__ import annotations

from _thread import get_ident
from operator import methodcaller
from typing import TYPE_CHECKING, NoReturn

from miniasync._ends import PENDING

if TYPE_CHECKING:
    from miniasync._flight import Flight

# The longest sleep between two looks at signals.
SLICE_NS = 50_000_000

# Arguments of a lock's acquire, for `map`: what a signal handler raises comes after
# any call, also one that has just taken a lock; but not after a loop's next item.
TRY = (False,)
WAIT = (True,)

# For the same use: a flight's lock is taken, and `holder` written, if it is true.
enter = methodcaller("enter")


def refuse() -> NoReturn:
    """Say that this thread would wait for what it is about itself."""
    raise RuntimeError(
        "this thread is at this future already: what interrupts it, such as a signal"
        " handler, and what it runs, such as a step, cannot wait for it"
    )


def wait_for_lock(flight: Flight, timeout_ns: int) -> None:
    """Wait until nobody has its lock, or for so long."""
    for mine in map(flight.lock.acquire, WAIT, (timeout_ns / 1e9,)):
        if mine:
            try:
                flight.lock.release()
                flight.attend()
            except BaseException:
                flight.attend()
                raise


def wait_for_starter(flight: Flight) -> bool:
    """Wait for who has its lock and may be about to start it; is there such a one?"""
    if (
        flight.code != PENDING
        or flight.slot is not None
        or flight.parent is not None
        or flight.holder == get_ident()
    ):
        return False
    wait_for_lock(flight, SLICE_NS)
    return True
