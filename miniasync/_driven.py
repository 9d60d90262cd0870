# SPDX-License-Identifier: BSD-3-Clause
"""Flights that take Python to advance.

C works for none of them itself, so they are not in `outstanding`: what is not
waited for, watched or held is gone, like any object.

What Python code raises refers, by its traceback, to the frames that called it, ours
among them, and those refer to flights. So it is kept by the future, to which no
flight refers, and which no frame of ours refers to when it has returned: else it
would be a cycle, and with it live on what it is about, however large.
"""

from __future__ import annotations

from _thread import get_ident
from itertools import repeat
from time import monotonic_ns, sleep
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from miniasync import _ffi
from miniasync._ends import FAILED, PENDING
from miniasync._ffi import NULL
from miniasync._flight import Flight
from miniasync._interest import attend
from miniasync._locks import SLICE_NS, TRY, WAIT, refuse
from miniasync._waiters import shared

if TYPE_CHECKING:
    from collections.abc import Callable

    from miniasync._ffi import CData
    from miniasync._future import Future
    from miniasync._handle import Handle

taken: WeakSet[Driven] = WeakSet()
"""Of these somebody may have the lock."""


def without_this_frame(exception: BaseException) -> BaseException:
    """Take the caller out of the traceback of what it has caught."""
    traceback = exception.__traceback__
    if traceback is not None:
        exception.__traceback__ = traceback.tb_next
    return exception


def _no_future() -> None:
    """What refers to the future before there is one."""


class Driven(Flight):
    """A flight that takes Python to advance.

    Attributes:
        due: When to advance it even if C has nothing new, or None.
        future: A weak reference to its future.
        left: Steps that have ended and whose end nobody was told yet.
    """

    __slots__ = ("__weakref__", "due", "future", "left")

    runs_python = True

    def __init__(self) -> None:
        Flight.__init__(self, None)
        self.due: int | None = None
        self.future: Callable[[], Future[Any] | None] = _no_future
        self.left: list[Flight] = []

    def begin(self) -> CData:
        """Prepare to be advanced for the first time; what `slot` is from now on."""
        raise NotImplementedError

    def proceed(self) -> CData:
        """What `advance` does."""
        raise NotImplementedError

    def hurry(self) -> None:
        """The next `advance` is not to wait until it is due."""
        self.due = None

    def peek(self) -> CData:
        """What C is to poll; None if it is to be advanced when it is `due`."""
        if self.code == PENDING and self.slot is not None:
            return self.upcoming()
        self.due = 0
        return None

    def upcoming(self) -> CData:
        """What `peek` does with one that has begun."""
        raise NotImplementedError

    def advance(self) -> CData:
        """Take it as far as it goes without waiting. The lock is held."""
        if self.code != PENDING:
            self.settle(self.code)
            return None
        if self.slot is None:
            self.slot = self.begin()
        return self.proceed()

    def root(self) -> Driven:
        """The chain that it is a step of, or itself."""
        root = super().root()
        assert isinstance(root, Driven)
        return root

    def tell_of_steps(self) -> None:
        """Attend to steps that it has given back. Without its lock."""
        step: Flight | None = None
        try:
            # As in `Interest.tell`.
            for step in map(self.left.pop, repeat(0)):
                try:
                    attend(step)
                except BaseException:
                    attend(step)
                    raise
                step = None
        except IndexError:
            if step is not None:
                raise

    def fail(self, exception: BaseException) -> None:
        """Settle it with what Python code raised."""
        future = self.future()
        if future is not None:
            future._raised = exception
        self.settle(FAILED)

    def error(self) -> BaseException:
        """What to raise. It has ended, and not with success."""
        future = self.future() if self.code == FAILED else None
        return super().error() if future is None else future._raised

    def uses(self, handle: Handle) -> bool:
        """Whether C is busy for it on this mover: never for itself."""
        return False

    def run(self, waiter: CData, timeout_ns: int) -> int:
        """Advance it until its end, or for so long. The lock is held."""
        end = None
        told = len(self.left)
        if waiter is NULL:
            self.hurry()
        while True:
            leaf = self.advance()
            if self.code != PENDING:
                break
            # Started, that is; complete at once if it is small. What is due has had
            # its turn, even if it wants another one.
            if waiter is NULL and (
                self.due is not None or not _ffi.run_future(leaf, NULL, 0)
            ):
                break
            if len(self.left) != told:
                break  # first their ends are to be told
            if waiter is NULL:
                continue
            now = monotonic_ns()
            if end is None:
                end = now + min(timeout_ns, SLICE_NS)
            until = end if self.due is None else min(end, self.due)
            left = max(until - now, 0)
            if leaf is not None:
                _ffi.run_future(leaf, waiter, left)
            elif left:
                sleep(left / 1e9)
            if now >= end:
                break
        return self.code

    def enter(self) -> bool:
        """Take the lock, if it is free, and the flight from who watches it."""
        me = get_ident()
        if self.slot is None:
            taken.add(self)
        for mine in map(self.lock.acquire, TRY):
            if mine:
                self.holder = me
                try:
                    self.take_back()
                except BaseException:
                    self.holder = None
                    try:
                        self.lock.release()
                        self.attend()
                    except BaseException:
                        self.attend()
                        raise
                    raise
                return True
        return False

    def wait(self) -> int:
        """Start it and wait for its end."""
        while self.wait_until(monotonic_ns() + SLICE_NS) == PENDING:
            pass
        return self.code

    def wait_until(self, deadline: int) -> int:
        """Start it and wait for its end, or until a time of `monotonic_ns`."""
        me = get_ident()
        if self.slot is None:
            taken.add(self)
        while True:
            left = max(deadline - monotonic_ns(), 0)
            if self.parent is not None:
                self.root().wait_until(deadline)
                if self.code != PENDING or not left:
                    break
                continue
            if self.holder == me:
                refuse()
            # In slices: a chain may take it, or be about to.
            seconds = min(left, SLICE_NS) / 1e9
            for mine in map(self.lock.acquire, WAIT, (seconds,)):
                if mine:
                    self.holder = me
                    try:
                        self.take_back()
                        left = self._run_until_a_step_ends(deadline)
                    finally:
                        self.holder = None
                        try:
                            self.lock.release()
                            self.attend()
                        except BaseException:
                            self.attend()
                            raise
            if self.code != PENDING or not left:
                break
        return self.code

    def _run_until_a_step_ends(self, deadline: int) -> int:
        """Or until its own end, or the deadline; the time that is left until then."""
        left = max(deadline - monotonic_ns(), 0)
        while self.run(shared.cdata, left) == PENDING and left:
            left = max(deadline - monotonic_ns(), 0)
            if self.left:
                break
        return left
