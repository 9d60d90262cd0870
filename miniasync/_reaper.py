# SPDX-License-Identifier: BSD-3-Clause
"""Seeing to operations whose future was dropped while they ran.

Futures are dropped anywhere, also inside the garbage collector with any lock
held. So handing over takes no lock: one end of a deque, and a thread that is
started when there is none and ends when there is nothing left to do. Two such
threads for a moment do no harm.
"""

from __future__ import annotations

import os
from _thread import start_new_thread
from collections import deque
from time import monotonic_ns
from typing import TYPE_CHECKING

from miniasync._flight import PENDING
from miniasync._group import wait_for
from miniasync._waiters import shared

if TYPE_CHECKING:
    from miniasync._flight import Flight

# How long a newly dropped one may go unnoticed.
_PERIOD_NS = 5_000_000

_dropped: deque[Flight] = deque()
_running = False


def reap(flight: Flight) -> None:
    """Let go of a started flight when it ends. Does not block."""
    global _running
    _dropped.append(flight)
    if not _running:
        _running = True
        try:
            start_new_thread(_main, ())
        except RuntimeError:
            # No thread to be had, or the interpreter is ending. The flight is
            # outstanding: the next one dropped, close or exit will see to it.
            _running = False


def _main() -> None:
    global _running
    flights: list[Flight] = []
    try:
        while True:
            _take_over(flights)
            if not flights:
                _running = False
                if not _dropped:
                    return
                # Handed over before that was visible.
                _running = True
                continue
            wait_for(flights, 1, monotonic_ns() + _PERIOD_NS, shared)
            flights = [flight for flight in flights if flight.code == PENDING]
    finally:
        _running = False


def _take_over(flights: list[Flight]) -> None:
    try:
        while True:
            flights.append(_dropped.popleft())
    except IndexError:
        pass


def _after_fork_in_child() -> None:
    global _running
    _running = False
    _dropped.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
