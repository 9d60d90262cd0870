# SPDX-License-Identifier: BSD-3-Clause
"""Waiting for what C does, whoever has the lock.

See `_flight` for who may: another thread, or the code that this interrupts.
"""

from __future__ import annotations

import atexit
from _thread import get_ident
from typing import TYPE_CHECKING

from miniasync import _ffi, _outstanding
from miniasync._daemon import wait_until_begun
from miniasync._ends import PENDING
from miniasync._ffi import NULL
from miniasync._locks import SLICE_NS, WAIT
from miniasync._outstanding import outstanding
from miniasync._waiters import shared

if TYPE_CHECKING:
    from miniasync._flight import Flight
    from miniasync._handle import Handle

# How long to wait for who may have seen the end, in seconds.
_TURN = (0.005,)


def finish(flight: Flight) -> None:
    """Wait for the end of what C does for it, or is about to begin."""
    me = get_ident()
    while True:
        root = flight.root()
        if root.holder == me:
            _complete(flight, root)
            return
        # In turns: who has it may go on with something else afterwards.
        for mine in map(root.lock.acquire, WAIT, _TURN):
            if mine:
                root.holder = me
                try:
                    root.take_back()
                    _finish_within(flight, root)
                finally:
                    root.holder = None
                    try:
                        root.lock.release()
                        root.attend()
                    except BaseException:
                        root.attend()
                        raise
                if flight.slot is None:
                    return


def finish_all(handle: Handle | None = None) -> None:
    """Wait for what C does, for this mover or for all."""
    for flight in outstanding.copy():
        if flight.code != PENDING and flight.slot is None:
            outstanding.pop(flight, None)  # an exception may have left it there
        elif handle is None or flight.uses(handle):
            finish(flight)


def finish_all_if_exiting() -> None:
    """Near the interpreter's end, wait: soon nobody can any more."""
    if _outstanding.exiting:
        finish_all()


def finish_at_exit() -> None:
    """Wait for all that C does: from now on nothing is left running."""
    _outstanding.exiting = True
    while True:
        try:
            finish_all()
            return wait_until_begun()
        except KeyboardInterrupt:
            # The interpreter would free memory that is being written to.
            continue


def _outermost(flight: Flight) -> Flight:
    """What C goes through as a whole."""
    while flight.parent is not None and not flight.parent.runs_python:
        flight = flight.parent
    return flight


def _finish_within(flight: Flight, root: Flight) -> None:
    part = _outermost(flight)
    if part.slot is not None and part.root() is root:
        part.run_to_end()
        if _outstanding.exiting and root is not flight:
            root.run(NULL, 0)  # its functions: now or never


def _complete(flight: Flight, root: Flight) -> None:
    """Have C complete it, within something that this thread is about."""
    root.take_back()
    part = _outermost(flight)
    memory = part.slot
    leaf = part.begun()
    while leaf is not None and not _ffi.run_future(leaf, shared.cdata, SLICE_NS):
        pass
    del memory
    code = flight.outcome()
    if flight.code == PENDING and code != PENDING:
        flight.unpin()
        flight.code = code
        flight.let_go()


atexit.register(finish_at_exit)
