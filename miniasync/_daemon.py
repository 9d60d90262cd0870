# SPDX-License-Identifier: BSD-3-Clause
"""The thread that sees to what nobody waits for.

It lets go of dropped operations, calls callbacks and takes chains further where
no event loop does. It is started when there is something to do, waits in C, and
ends a moment after there is nothing left. Two such threads for a moment do no
harm, apart from that one watch has one that waits.

The interpreter must not end while a thread begins: CPython 3.10 crashes then. So the
exit waits for those that were started and have not begun.
"""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident, start_new_thread
from typing import TYPE_CHECKING

from miniasync import _outstanding
from miniasync._watch import Watch

if TYPE_CHECKING:
    from _thread import LockType

    from miniasync._flight import Flight

# How long it waits for more to do.
_LINGER_NS = 100_000_000

threads: set[int] = set()
"""The threads that only this module's watch has."""


class Daemon(Watch):
    """A watch with a thread of its own."""

    __slots__ = ("running",)

    def __init__(self) -> None:
        super().__init__()
        self.running = False

    def attend(self, flight: Flight) -> bool:
        """Watch a flight, from any thread."""
        again = super().attend(flight)
        interest = flight.interest
        if interest is not None and interest.watch is self:
            if flight in self._due:
                self.kick()
            self._ensure_running()
        return again

    def _ensure_running(self) -> None:
        if self.running:
            return
        begun = allocate_lock()
        begun.acquire()
        # Without a call in between: an exception of a signal handler would leave it
        # said, and nothing running.
        self.running = True
        try:
            _beginning.add(begun)
            start_new_thread(self._main, (begun,))
        except RuntimeError:
            # No thread to be had, or the interpreter is ending. The next flight,
            # closing the mover or the exit will see to it.
            self.running = False
            _beginning.discard(begun)
        except BaseException:
            self.running = False  # though it may have been started
            raise
        if _outstanding.exiting:
            wait_until_begun()

    def _main(self, begun: LockType) -> None:
        begun.release()
        _beginning.discard(begun)
        thread = get_ident()
        threads.add(thread)
        try:
            while True:
                try:
                    self.drain(_LINGER_NS)
                except BaseException:
                    # This thread is everybody's: what somebody's code raised,
                    # SystemExit too, is not to end it.
                    import logging

                    logging.getLogger("miniasync").exception("exception in a thread")
                if self.idle:
                    self.running = False
                    if self.idle:
                        return
                    # One came before that was visible.
                    self.running = True
        finally:
            threads.discard(thread)
            self.running = False


def daemon() -> Daemon:
    """The one of this process, made on first use."""
    global _daemon
    current = _daemon
    if current is None or current.closed:
        # No lock, since futures are dropped anywhere. Should two threads make
        # one each, both work.
        current = _daemon = Daemon()
    return current


_daemon: Daemon | None = None


def wait_until_begun() -> None:
    """Wait until the threads that were started have begun."""
    for begun in _beginning.copy():
        # It begins at once; unless an exception came before the start.
        if begun.acquire(timeout=1):
            begun.release()
        _beginning.discard(begun)


# Each is released by its thread.
_beginning: set[LockType] = set()


def _after_fork_in_child() -> None:
    _beginning.clear()
    threads.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
