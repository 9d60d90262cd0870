# SPDX-License-Identifier: BSD-3-Clause
"""Awaiting in trio.

Each run has a `Watch` and a system task that drains it, made when first needed.
The task ends with the run.

An exception in a system task ends the run as an internal error, and so does one in
what trio calls to abort a sleep. What steps, functions and callbacks raise in either
that is the program's, such as `SystemExit`, is handed to a task that awaits something
here, best the very future, and raised there at once. That future is watched no more
then, unless somebody else wants it: or it would raise that again, with nobody there.
"""

from __future__ import annotations

from _thread import get_ident
from contextlib import suppress
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import trio

from miniasync._due import NEVER
from miniasync._interest import listen, unlisten
from miniasync._watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from miniasync._flight import Flight


class RunWatch(Watch):
    """The watch of a run of trio."""

    __slots__ = ("_scope", "sleepers", "thread", "token")

    def __init__(self) -> None:
        super().__init__()
        self._scope = trio.CancelScope()
        self.sleepers: set[_Sleeper] = set()
        self.thread = get_ident()
        self.token = trio.lowlevel.current_trio_token()
        trio.lowlevel.spawn_system_task(self._main, name="miniasync")

    def attend(self, flight: Flight) -> bool:
        """Watch a flight, from any thread."""
        again = super().attend(flight)
        if get_ident() == self.thread:
            self._arm()
        else:
            self.kick()
        return again or self.closed

    async def _main(self) -> None:
        try:
            while True:
                with trio.CancelScope() as self._scope:
                    self._arm()
                    await trio.lowlevel.wait_readable(self.fd)
                try:
                    self.drain()
                except BaseException as error:
                    if not self.hand_over(error):
                        raise
        finally:
            self.close()
            # The run's variables refer to it, and are garbage in a cycle; this is
            # a descriptor.
            if _watch.get(None) is self:
                _watch.set(None)

    def hand_over(self, error: BaseException) -> bool:
        """Have a task raise it, if there is one."""
        found = None
        flight, self.at = self.at, None
        for sleeper in self.sleepers:
            if sleeper.error is None:
                found = sleeper
                if flight in (sleeper.flight, sleeper.flight.root()):
                    break
        if found is None:
            return False
        found.error = error
        found.wake()
        return True

    def _arm(self) -> None:
        """See to it that the task drains at the deadline."""
        deadline = self.deadline()
        if deadline == NEVER:
            self._scope.deadline = float("inf")
        else:
            seconds = max(deadline - monotonic_ns(), 0) / 1e9
            self._scope.deadline = trio.current_time() + seconds


_watch: trio.lowlevel.RunVar[RunWatch | None] = trio.lowlevel.RunVar("miniasync")


def wait_for_end(flight: Flight) -> Generator[Any, Any, None]:
    """Wait for a flight's end in the running task.

    Cancelling the task asks the flight to begin nothing more, and is raised when
    it has ended.
    """
    return (yield from _wait(flight).__await__())


async def _wait(flight: Flight) -> None:
    watch = _watch.get(None)
    if watch is None or watch.closed:
        watch = RunWatch()
        _watch.set(watch)
    sleeper = _Sleeper(watch, flight)

    def abort(raiser: Callable[[], None]) -> trio.lowlevel.Abort:
        sleeper.raise_cancel = raiser
        flight.ask_to_end()
        try:
            flight.poll()
        except BaseException as error:
            watch.at = flight
            watch.hand_over(error)
        return trio.lowlevel.Abort.FAILED

    listen(flight, sleeper.wake, watch)
    if not sleeper.woken:
        sleeper.task = trio.lowlevel.current_task()
        watch.sleepers.add(sleeper)
        try:
            await trio.lowlevel.wait_task_rescheduled(abort)
        finally:
            watch.sleepers.discard(sleeper)
        if sleeper.error is not None:
            unlisten(flight, sleeper.wake)
            try:
                raise sleeper.error
            finally:
                sleeper.error = None
        if sleeper.raise_cancel is not None:
            sleeper.raise_cancel()


class _Sleeper:
    """A task that sleeps until a flight has ended."""

    def __init__(self, watch: RunWatch, flight: Flight) -> None:
        self.error: BaseException | None = None
        self.flight = flight
        self.raise_cancel: Callable[[], None] | None = None
        self.task: trio.lowlevel.Task | None = None
        self.woken = False
        self._watch = watch

    def wake(self) -> None:
        """Go on; in any thread."""
        if get_ident() == self._watch.thread:
            self._wake()
        else:
            # Else nobody waits any more.
            with suppress(trio.RunFinishedError):
                self._watch.token.run_sync_soon(self._wake)

    def _wake(self) -> None:
        if self.woken:
            return
        self.woken = True
        if self.task is not None:
            trio.lowlevel.reschedule(self.task)
