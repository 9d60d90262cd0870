# SPDX-License-Identifier: BSD-3-Clause
"""Who wants to know of a flight without waiting for it.

Whoever gives a flight's lock back calls `attend` if somebody is interested, and
so does who becomes interested. One of both sees the other: the interest is
written before the lock is tried, and read after the lock is given back. So a
flight that is on its way and that somebody is interested in is either held by
somebody, or watched. So is an idle one that an event loop waits for: a chain has
given it back before it came to it, or who awaits it could not start it since another
thread had the lock. The watch starts it.

A step that a chain has is watched as the chain is, whose root has its lock. If nobody
waits for the chain, and a future of the user's own in it keeps it from going on by
itself, it goes on for the sake of who wants to know of a step: with the daemon, and
past a future of the user's own with an event loop that waits. The step's interest is
written before its lock is tried in vain, and the chain's holder, after giving back the
chain's lock, reads it.

That is not to cost a look at all steps every time. So the chain knows whether there
may be such a step. Who is interested says so (`want_step`) before looking whether that
chain has been taken in by another one; its holder says so after writing `parent`, if
the step may be of interest. Who looks through the steps says first that there is none,
and the contrary if there is or an exception comes. What was said meanwhile remains.

A listener is told once: taking it out of the list is one step. It is put in
before the code is looked at, and the code is written before the list is emptied.

Python code of the user's that nobody calls himself has context variables all the
same: a callback those of who added it, steps and functions of chains those of who
was first to have a watch see to them, which is who started or awaits them. (Awaiting
comes too late: it starts the flight first, and the thread may be quick.) Such a
context is a copy, which nobody else enters: a callback is told once, and a flight
advanced by who has its lock.
"""

from __future__ import annotations

import os
from _thread import RLock
from collections import deque
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING
from weakref import ref

from miniasync._daemon import daemon
from miniasync._ends import PENDING
from miniasync._locks import enter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Context

    from miniasync._ffi import CData
    from miniasync._flight import Flight
    from miniasync._watch import Watch


class Interest:
    """What is to happen when a flight ends, and who sees to it meanwhile.

    Attributes:
        address: Where `leaf` is.
        context: What Python code of the flight's runs in, unless who waits runs it.
        dropped: The future is gone; the flight is to be let go of at its end.
        home: The watch of an event loop that waits, None if none does.
        is_shared: Not that loop alone waits.
        leaf: What is being watched.
        listeners: What to call at the end, each once.
        owner: The future, if there are callbacks to call with it: a reference
            that keeps it once it has been started.
        watch: Who watches the flight at the moment.
        woken: The watch has found it further, but could not get the lock.
    """

    __slots__ = (
        "address",
        "context",
        "dropped",
        "home",
        "is_shared",
        "leaf",
        "listeners",
        "owner",
        "watch",
        "woken",
    )

    def __init__(self) -> None:
        self.address = 0
        self.context: Context | None = None
        self.dropped = False
        self.home: Watch | None = None
        self.is_shared = False
        self.leaf: CData = None
        self.listeners: deque[Callable[[], None]] = deque()
        self.owner: object = None
        self.watch: Watch | None = None
        self.woken = False

    @property
    def is_awaited(self) -> bool:
        """Whether an event loop waits, which has started it or wanted to."""
        home = self.home
        return home is not None and not home.closed and bool(self.listeners)

    def tell(self) -> None:
        """Call the listeners; what several threads tell at once is told once."""
        # Another thread, which finds no more listeners, may forget it before ours
        # are called.
        owner = self.owner
        try:
            # Taken in the head of the loop: so no exception of a signal handler
            # comes before the try.
            for listener in iter(self.listeners.popleft, None):
                try:
                    listener()
                except BaseException:
                    # A callback that exits the program, or Ctrl-C in one, or
                    # before it has begun.
                    listener()
                    raise
        except IndexError:
            # That was the last: what the flight needed is nobody's any more.
            self.context = self.home = self.owner = None
        except BaseException:
            self.tell()
            raise
        del owner


def interest_of(flight: Flight) -> Interest:
    """The interest in a flight, made on first use."""
    interest = flight.interest
    if interest is None:
        with _making:
            interest = flight.interest
            if interest is None:
                interest = flight.interest = Interest()
    return interest


def keep_owner(flight: Flight) -> None:
    """Keep the future of a flight that is on its way, if there are callbacks."""
    interest = flight.interest
    if interest is not None:
        owner = interest.owner
        if isinstance(owner, ref):
            interest.owner = owner()


def listen(
    flight: Flight, listener: Callable[[], None], home: Watch | None = None
) -> None:
    """Have a function called when the flight has ended, in any thread.

    Args:
        flight: It may have ended already.
        listener: It must not raise, and should bear another call if a signal
            handler raises in it.
        home: The watch to use if nobody else is interested, or if the daemon may
            not: futures of the user's own are not its business. None says that
            the listener runs code of the user's.
    """
    interest = interest_of(flight)
    if not interest.listeners and not interest.dropped:
        interest.home = home
        interest.is_shared = False
    elif interest.home is not home:
        interest.is_shared = True
        if home is not None:
            interest.home = home
    if home is None:
        listener = partial(copy_context().run, listener)
    try:
        interest.listeners.append(listener)
        attend(flight)
    except BaseException:
        attend(flight)
        raise


def unlisten(flight: Flight, listener: Callable[[], None]) -> None:
    """Undo `listen`: it is not called any more, nor Python run for its sake."""
    interest = flight.interest
    if interest is not None:
        with suppress(ValueError):
            interest.listeners.remove(listener)
    root = flight.root()
    if root.code == PENDING and root.runs_python:
        for mine in map(enter, (root,)):
            if mine:
                root.holder = None
                try:
                    root.lock.release()
                    attend(root)
                except BaseException:
                    attend(root)
                    raise


def attend(flight: Flight) -> None:
    """Tell who is interested of the end, or see to it that somebody will.

    Without the flight's lock.
    """
    try:
        _attend(flight)
    except BaseException:
        # A signal handler's, it may be, in the middle of anything: what is watched
        # may be so by half. If that is another chain by now, it has been taken back.
        for watched in (flight, flight.root()):
            if watched.interest is not None:
                watched.interest.woken = True
        _attend(flight)
        raise


def attend_all(flights: Iterator[Flight]) -> None:
    """See to those interested in any of them, whatever callbacks raise."""
    for flight in flights:
        if flight.interest is not None:
            try:
                attend(flight)
            except BaseException:
                try:
                    attend(flight)
                finally:
                    attend_all(flights)
                raise


def _attend(flight: Flight) -> None:
    interest = flight.interest
    is_wanted = False
    while interest is not None:
        flight.tell_of_steps()
        if flight.code != PENDING:
            interest.tell()
            return
        # What the future of a step is needed for its chain keeps, but not that of a
        # chain that it has taken in.
        is_step = flight.parent is not None
        owner = interest.owner
        if (
            flight.slot is not None
            and isinstance(owner, ref)
            and (flight.runs_python or not is_step)
        ):
            interest.owner = owner()
            continue  # somebody may have told of the end meanwhile
        if is_step:
            is_wanted = bool(interest.listeners) or is_wanted
            flight = flight.root()
            interest = flight.interest
            if is_wanted:
                flight.want_step()
            continue
        if flight.slot is None:
            if not interest.is_awaited:
                return
        elif not (interest.listeners or interest.dropped or flight.drives_itself):
            return
        home = interest.home if interest.is_awaited else None
        # A chain may come to a future of the user's own, and go past it.
        drivable = flight.can_be_driven or interest.dropped
        if home is None and not drivable:
            home, drivable = _wanted_by_steps(flight)
        if (home is None or interest.is_shared) and drivable:
            try:
                home = daemon()
            except (OSError, MemoryError):
                if home is None:
                    raise
        if home is None:
            return
        if interest.watch is home and not interest.woken:
            return
        if interest.context is None and flight.runs_python:
            interest.context = copy_context()
        if not home.attend(flight) and flight.parent is None:
            return


def _wanted_by_steps(chain: Flight) -> tuple[Watch | None, bool]:
    """An event loop to go on with a chain for a step; or may the daemon?"""
    needs_loop = chain.needs_waiter()
    interest = chain.interest_in_step(needs_loop)
    if interest is None or not needs_loop:
        return None, interest is not None
    return interest.home, False


def _after_fork_in_child() -> None:
    global _making
    _making = RLock()


# Reentrant: a future may be dropped by the garbage collector at any point.
_making = RLock()

os.register_at_fork(after_in_child=_after_fork_in_child)
