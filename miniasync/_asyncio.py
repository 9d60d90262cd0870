# SPDX-License-Identifier: BSD-3-Clause
"""Awaiting in asyncio and in loops that do as it does, such as uvloop.

Each loop has a `Watch`, whose descriptor it reads, made when it is first needed
and gone with the loop.

Cancelling a task cancels what the task awaits, here an `_End`. That asks the flight to
end and does not take the cancellation upon itself, however often it comes: so the
task, which looks whether it was cancelled whenever it goes on, raises it once, when
the flight has ended, and with whatever the last one said. Nothing is done within
`cancel` but what cannot raise: the flight is polled in the loop's next turn.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context
from functools import partial
from time import monotonic_ns
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from miniasync._due import NEVER
from miniasync._ends import PENDING
from miniasync._interest import listen
from miniasync._watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeAlias

    from miniasync._flight import Flight

    # A weak one.
    _Reference: TypeAlias = Callable[[], "LoopWatch | None"]


class LoopWatch(Watch):
    """The watch of an asyncio loop."""

    __slots__ = ("_loop", "_timer_at")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = ref(loop, partial(_on_gone, ref(self)))
        self._timer_at = NEVER
        # Not a bound method: the loop is to keep no reference to this object.
        # And not in the context of who happens to be the first.
        Context().run(loop.add_reader, self.fd, _drain, ref(self))

    def attend(self, flight: Flight) -> bool:
        """Watch a flight, from any thread."""
        again = super().attend(flight)
        loop = self._loop()
        if loop is None or loop.is_closed():
            self.close()
            return True
        if asyncio._get_running_loop() is loop:
            self._arm()
        elif self.deadline() < self._timer_at:
            self.kick()
        return again

    def drain(self, timeout_ns: int = 0) -> None:
        """See to what has got further."""
        super().drain(timeout_ns)
        self._arm()

    def _arm(self) -> None:
        """See to it that the loop drains at the deadline."""
        deadline = self.deadline()
        if deadline >= self._timer_at:
            return
        loop = self._loop()
        if loop is None or loop.is_closed():
            return
        # Not kept to be cancelled: it refers to the loop, which then would not go.
        self._timer_at = deadline
        seconds = max(deadline - monotonic_ns(), 0) / 1e9
        loop.call_later(seconds, _on_time, ref(self), deadline, context=Context())


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopWatch] = WeakKeyDictionary()


def wait_for_end(flight: Flight) -> Generator[Any, Any, None]:
    """Wait for a flight's end in the running loop.

    Cancelling the task asks the flight to begin nothing more, and is raised when
    it has ended.
    """
    loop = asyncio.get_running_loop()
    watch = _watch_of(loop)
    while flight.code == PENDING:
        end = _End(flight, loop)
        listen(flight, partial(_wake, loop, end), watch)
        yield from end


class _End(asyncio.Future[None]):
    """The end of a flight."""

    __slots__ = ("_flight",)

    def __init__(self, flight: Flight, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._flight: Flight | None = flight

    def cancel(self, msg: object = None) -> bool:
        """Ask the flight to end; the task is to raise it when it has."""
        flight, self._flight = self._flight, None
        if flight is not None and flight.code == PENDING:
            flight.ask_to_end()
            self.get_loop().call_soon(flight.poll, context=Context())
        return False


def _watch_of(loop: asyncio.AbstractEventLoop) -> LoopWatch:
    watch = _watches.get(loop)
    if watch is None or watch.closed:
        # In one step: other threads have their own loops.
        for reference in _watches.keyrefs():
            other = reference()
            if other is not None and other.is_closed():
                old = _watches.pop(other, None)
                if old is not None:
                    old.close()
        watch = _watches[loop] = LoopWatch(loop)
    return watch


def _wake(loop: asyncio.AbstractEventLoop, end: _End) -> None:
    # Not the same as its thread: a loop may be run by one after the other.
    if asyncio._get_running_loop() is loop:
        _finish(end)
    else:
        # Else the loop is closed, and so nobody waits any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_finish, end)


def _finish(end: _End) -> None:
    if not end.done() and not end.get_loop().is_closed():
        end.set_result(None)


def _drain(reference: _Reference) -> None:
    watch = reference()
    if watch is not None:
        watch.drain()


def _on_gone(reference: _Reference, loop: ref[asyncio.AbstractEventLoop]) -> None:
    watch = reference()
    if watch is not None:
        watch.close()


def _on_time(reference: _Reference, deadline: int) -> None:
    watch = reference()
    # Else there is an earlier timer.
    if watch is not None and watch._timer_at == deadline:
        watch._timer_at = NEVER
        watch.drain()
