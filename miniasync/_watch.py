# SPDX-License-Identifier: BSD-3-Clause
"""Watching flights without waiting for one of them.

A `Watch` is one descriptor and any number of flights. Somebody calls `drain`
when the descriptor is readable, or when the time of `deadline` has come: an event
loop, or the thread of `_daemon`. That takes each flight that has got further as
far as it goes, watches it again if that is not its end, and tells who wants to
know if it is.

Who polls what. A flight's future in C bears one poll at a time, so it is polled
by who holds the flight's lock, or, with the lock free, by the one watch that
`Interest.watch` names. That is written only with the lock held. Whoever gets the
lock takes the flight back first (`remove`, which ends with C's lock, so that no
poll of the watch is under way), and so may free what C polls. The exceptions, C
having just completed the future and `drain` not having come to it yet, do no
harm: it is polled no more.

What takes Python is looked at when it is due, too (`_due`): taken from there, it is
watched on, until somebody has its lock and adds it again.

No end goes unseen. `drain` sets `Interest.woken` and then tries the lock. If it
gets it, it goes on with the flight. If not, the holder looks at `woken` after
giving the lock back (`_interest.attend`), and starts over. The interpreter lock
orders the four steps: either the try comes after the giving back and succeeds,
or the look comes after the setting. `drain` may take one flight for another
whose memory it got: then it finds that one incomplete, and watches it again.

A watch whose event loop is gone is `closed`: others take over what it watched. In
a forked child all are.
"""

from __future__ import annotations

import errno
import os
from _thread import get_ident
from contextvars import Context
from time import monotonic_ns
from typing import TYPE_CHECKING
from weakref import WeakSet

from miniasync import _ffi
from miniasync._due import Due
from miniasync._ends import PENDING
from miniasync._ffi import lib
from miniasync._locks import TRY

if TYPE_CHECKING:
    from miniasync._ffi import CData
    from miniasync._flight import Flight

# How many completions cross from C at a time.
_AT_ONCE = 256

# When to look again after an exception.
_AGAIN_NS = 5_000_000

_ADDRESSES = _ffi.ffi.typeof(f"uintptr_t[{_AT_ONCE}]")

_watches: WeakSet[Watch] = WeakSet()


class Watch:
    """Flights that C polls when they are woken.

    Attributes:
        at: What is being looked at; or was, when an exception came.
        closed: Nobody calls `drain` any more.
        fd: The descriptor, for polling only.
    """

    __slots__ = (
        "__weakref__",
        "_cdata",
        "_due",
        "_flights",
        "at",
        "closed",
        "fd",
    )

    def __init__(self) -> None:
        self.at: Flight | None = None
        self.closed = False
        # By the address of what C polls; and those to look at when it is time. To
        # be copied before they are gone through: other threads and, while a list
        # is made, finalizers change them. That is dear: nothing usual does it.
        self._flights: dict[int, Flight] = {}
        self._due = Due()
        cdata = lib.ma_watch_new()
        if not cdata:
            number = _ffi.ffi.errno
            if number == errno.ENOMEM:
                raise MemoryError("no memory to watch futures with")
            raise OSError(number, os.strerror(number))
        self._cdata: CData = _ffi.ffi.gc(cdata, lib.ma_watch_delete)
        self.fd: int = lib.ma_watch_fd(cdata)
        _watches.add(self)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to watch."""
        return not self._flights and not self._due

    def attend(self, flight: Flight) -> bool:
        """Watch a flight on behalf of those interested in it.

        Returns:
            Whether to look again at what has become of it.
        """
        me = get_ident()
        for mine in map(flight.lock.acquire, TRY):
            if mine:
                flight.holder = me
                try:
                    interest = flight.interest
                    if (
                        flight.code == PENDING
                        and interest is not None
                        # It may have become idle meanwhile; callbacks start nothing.
                        and (flight.slot is not None or interest.is_awaited)
                    ):
                        watch = interest.watch
                        if watch is not None and (watch is not self or interest.woken):
                            watch.remove(flight)
                        if interest.watch is None:
                            self._add(flight)
                finally:
                    flight.holder = None
                    flight.lock.release()
                return True
        return False  # who has it attends to it afterwards

    def remove(self, flight: Flight) -> None:
        """Watch it no more. The flight's lock is held."""
        interest = flight.interest
        assert interest is not None
        interest.woken = True  # should an exception come between the steps
        leaf, address = interest.leaf, interest.address
        if leaf is not None:
            lib.ma_watch_remove(self._cdata, leaf)
            flight.withdraw()
            self._flights.pop(address, None)
        interest.leaf = interest.watch = None
        self._due.discard(flight)
        interest.woken = False

    def deadline(self) -> int:
        """When to call `drain` at the latest, a time of `monotonic_ns`."""
        deadline: int = lib.ma_watch_deadline(self._cdata)
        try:
            return min(deadline, self._due.first())
        except BaseException:
            self.kick()  # others may have looked in the middle of that
            raise

    def drain(self, timeout_ns: int = 0) -> None:
        """See to what has got further, after waiting for such if need be."""
        try:
            self._drain(timeout_ns)
        except BaseException:
            # C does not say twice what it has said: look at all of them.
            soon = monotonic_ns() + _AGAIN_NS
            for flight in self._watched():
                interest = flight.interest
                if interest is not None and interest.watch is self:
                    self._due.add(flight, soon)
            self.kick()
            raise

    def _drain(self, timeout_ns: int) -> None:
        done = _ffi.new(_ADDRESSES)  # each thread its own
        flights = self._flights
        due = self._due
        while True:
            left = timeout_ns
            if due and left:
                left = min(left, max(due.first() - monotonic_ns(), 0))
            count = lib.ma_watch_run(self._cdata, done, _AT_ONCE, left)
            for address in done[0:count]:
                flight = flights.get(address)
                if flight is not None:
                    self._go_on(flight)
            if count < _AT_ONCE:
                break
            timeout_ns = 0
        if due:
            for flight in due.take(monotonic_ns()):
                self._go_on(flight)

    def close(self) -> None:
        """Nobody will call `drain` any more: let others see to what is left."""
        if self.closed:
            return
        self.closed = True
        me = get_ident()
        for flight in self._watched():
            for mine in map(flight.lock.acquire, TRY):
                if mine:
                    flight.holder = me
                    try:
                        interest = flight.interest
                        if interest is not None and interest.watch is self:
                            self.remove(flight)
                    finally:
                        flight.holder = None
                        try:
                            flight.lock.release()
                            flight.attend()
                        except BaseException:
                            flight.attend()
                            raise

    def kick(self) -> None:
        """Have a waiting `drain` return."""
        lib.ma_watch_kick(self._cdata)

    def _add(self, flight: Flight) -> None:
        """Take it as far as it goes, and watch it if that is not its end."""
        interest = flight.interest
        assert interest is not None
        while True:
            leaf = flight.peek()
            if flight.code != PENDING:
                return
            if leaf is None:
                interest.watch = self
                if flight.due is not None:
                    self._set_due(flight, flight.due)
                return
            address = _ffi.address(leaf)
            interest.watch = self
            if flight.due is not None:
                self._set_due(flight, flight.due)
            # Once more, and without a call from here on: a signal handler may have
            # taken it back.
            interest.watch = self
            interest.leaf = leaf
            interest.address = address
            self._flights[address] = flight
            number = lib.ma_watch_add(self._cdata, leaf)
            if number == 0:
                return
            self.remove(flight)
            if number != errno.EALREADY:
                raise MemoryError("no memory to watch a future with")
            if flight.runs_python:
                # In its turn.
                interest.watch = self
                self._set_due(flight, 0)
                return

    def _set_due(self, flight: Flight, when: int) -> None:
        if self._due.add(flight, when):
            self.kick()

    def _watched(self) -> list[Flight]:
        return [*self._flights.copy().values(), *self._due.flights()]

    def _go_on(self, flight: Flight) -> None:
        interest = flight.interest
        if interest is None or interest.watch is not self:
            return
        # Before the lock is tried: who has it looks after giving it back.
        interest.woken = True
        me = get_ident()
        for mine in map(flight.lock.acquire, TRY):
            if mine:
                flight.holder = me
                try:
                    self.at = flight
                    if interest.watch is self:
                        self.remove(flight)
                        if flight.runs_python:
                            (interest.context or Context()).run(flight.advance)
                        else:
                            flight.advance()
                finally:
                    flight.holder = None
                    try:
                        flight.lock.release()
                        flight.attend()
                    except BaseException:
                        flight.attend()
                        raise
                self.at = None

    def __del__(self) -> None:
        # What C would wake must not outlive it.
        for flight in tuple(self._flights.values()):
            self.remove(flight)


def _after_fork_in_child() -> None:
    # The descriptors are the parent's, too, and the threads inside are gone.
    for watch in tuple(_watches):
        watch.closed = True
        watch._flights.clear()
        watch._due.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
