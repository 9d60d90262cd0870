# SPDX-License-Identifier: BSD-3-Clause
"""What is on its way, whoever still cares about it.

A future is what the user holds and may forget. Behind it stands a `Flight`,
which holds what C works with. From before its first call into C until its end is
known, a flight that C works for is in `outstanding`, so that nothing a program
does can free memory under a copy.

* Only who holds a flight's lock calls C with its slot. Calls release the
  interpreter lock, and a C future bears one poll at a time. A flight that
  somebody watches (`_watch`) is taken back from the watch by who gets the lock.
* The lock is taken after the flight is in `outstanding`: `fork` may find it
  taken by a thread that the child does not have, and renews it there. It stays in
  there when a chain gives it back idle, since others may be waiting for the lock.
* A lock is taken in the head of a loop (`TRY`, `enter`), and given back in the body of
  a finally: so no exception of a signal handler leaves it taken. The same exception
  may come instead of a call of `attend`, which is repeated then. Python 3.10 looks at
  signals after a jump, too, which an `if` is that does not hold: so what is done with
  the lock follows an `if` that it was taken, not a `break` if it was not. Python 3.13
  has the jump back at the end of a loop outside the try that the loop is in, if an
  `if` is the last in it: so such loops are in functions that the try calls.
* What waits, waits in C, interrupted by signals and in the main thread by the
  clock: signal handlers run between two calls. Whatever they raise, the flight
  stays outstanding.
* Who has the lock of a flight that is no step of another says so in `holder`,
  from the first instruction after taking it to the last before giving it back,
  with no call in between that a handler could follow. A handler that closes the
  mover cannot wait for what it interrupted: it takes what C has of it to its end
  (`_ending`), as if C had been quick, and lets go of its buffers, which C needs no
  more. The slot, and the rest, it leaves to its holder: so what is passed to C is
  looked at before the code is. One that waits for it is refused (`_locks`). One that
  forks comes back into the holder's work, in the child as well.
* `settle` is the only end. It unpins the memory, which C is done with, before it
  writes the code, and lets go of the rest afterwards: who sees the code needs no
  lock, and may resize, close or free what was pinned.
* Who gives the lock back attends to those interested (`_interest`), with no
  other lock held: callbacks may wait for, close and drop what they want.
* A step of a chain that has begun belongs to the chain: whatever is asked of it
  is asked of its `root`. The chain has its lock, for longer than anybody else and
  perhaps with nobody who takes the chain further. It may take it just after one who
  waits has seen that none has, and give it back, running or idle, long before its
  end, if it was asked to end. So a wait for the lock, or with a chain, looks at
  `parent` again every so often, and begins anew with what it finds, until the end or
  the deadline. `poll` starts what a chain has given back meanwhile, `look` does not.
* Who has the lock of one that is idle need not be about to start it: one that closes
  the mover looks at it only. That takes a moment; who has to start it waits so long.
"""

from __future__ import annotations

import threading
from _thread import allocate_lock, get_ident
from itertools import repeat
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from miniasync import _ffi, _outstanding
from miniasync._ends import CANCELLED, PENDING, error_of
from miniasync._ffi import NULL
from miniasync._interest import attend
from miniasync._locks import (
    SLICE_NS,
    TRY,
    enter,
    refuse,
    wait_for_lock,
    wait_for_starter,
)
from miniasync._outstanding import outstanding
from miniasync._waiters import shared

if TYPE_CHECKING:
    from collections.abc import Iterable

    from miniasync._ffi import CData
    from miniasync._handle import Handle
    from miniasync._interest import Interest


class Flight:
    """Something on its way, from its arguments to its end.

    Attributes:
        code: `PENDING`, or how it ended.
        due: When to advance it even if C has nothing new, or None.
        holder: The thread that has the lock, unless a chain has it.
        interest: Who wants to know of its end without waiting for it.
        lock: Held by who calls C with the slot.
        parent: The chain that has begun with it as one of its steps.
        slot: What C polls, from the start to the end.
        value: The result of a success.
    """

    __slots__ = ("code", "holder", "interest", "lock", "parent", "slot", "value")

    due: int | None = None
    # Does it go on without anybody who waits or wants to know?
    drives_itself = False
    # May somebody who does not wait for it advance it?
    can_be_driven = True
    # Does advancing it run Python code of the user's?
    runs_python = False
    # Is it over as soon as it has been started?
    is_brief = False

    def __init__(self, value: Any) -> None:
        self.code = PENDING
        self.holder: int | None = None
        self.interest: Interest | None = None
        self.lock = allocate_lock()
        self.parent: Flight | None = None
        self.slot: CData = None
        self.value = value

    def describe(self) -> str:
        """Say what it is, in a few words."""
        raise NotImplementedError

    def uses(self, handle: Handle) -> bool:
        """Whether it is on its way on this mover."""
        raise NotImplementedError

    def advance(self) -> CData:
        """Take it as far as it goes without waiting. The lock is held.

        Returns:
            What C is to poll next, or None: it has ended, or is to be advanced
            again when it is `due`.
        """
        raise NotImplementedError

    def begun(self) -> CData:
        """The ``struct future *`` that C polls for it, None if there is none yet."""
        return None

    def outcome(self) -> int:
        """How it has ended in C; `PENDING` if it has not, or C does not know."""
        return PENDING

    def peek(self) -> CData:
        """What `advance` returns, without running Python code of the user's.

        If there is such code to run, `due` is 0.
        """
        return self.advance()

    def run(self, waiter: CData, timeout_ns: int) -> int:
        """Start it or go on, until its end or for so long. The lock is held.

        Args:
            waiter: What to wait with; NULL polls once.
            timeout_ns: How long; a signal may cut it short.
        """
        leaf = self.advance()
        if leaf is not None:
            _ffi.run_future(leaf, waiter, timeout_ns)
            self.advance()
        return self.code

    def link(self) -> tuple[CData, CData] | None:
        """Get ready to be a link of a chain in C. The lock is held.

        Returns:
            The ``struct future *`` and where its result will be, an ``int *``;
            None if it takes Python, or has ended.
        """
        return None

    def release(self) -> None:
        """Make it idle again: a chain in C ended before it. The lock is held.

        Nothing if it was running before the chain took it.
        """
        raise NotImplementedError

    def ask_to_end(self) -> None:
        """Begin nothing more, if there is such a choice. Does not wait."""

    def withdraw(self) -> None:
        """A watch polls it no more."""

    def tell_of_steps(self) -> None:
        """Attend to steps that it has given back. Without its lock."""

    def about(self) -> Flight | None:
        """The step that it has come to, if it has steps."""
        return None

    def begun_steps(self) -> Iterable[Flight]:
        """What it has begun and not given back, what ends first before the rest."""
        return ()

    def want_step(self) -> None:
        """Somebody wants to know of the end of a step."""

    def interest_in_step(self, is_awaited: bool) -> Interest | None:
        """That in the first step that somebody, or a loop, wants to know the end of."""
        return None

    def needs_waiter(self) -> bool:
        """Whether it has come to where only who waits for it takes it further."""
        return not self.can_be_driven

    def root(self) -> Flight:
        """The chain that it is a step of, or itself."""
        flight = self
        parent = flight.parent
        while parent is not None:
            flight = parent
            # Read once: the chain may give it back at any moment.
            parent = flight.parent
        return flight

    def error(self) -> BaseException:
        """What to raise. It has ended, and not with success."""
        return error_of(self.code)

    def poll(self, starts: bool = True) -> int:
        """Start it, unless told not to, or see how far it is, without waiting."""
        if self.parent is not None:
            self.root().poll(starts)
            if not starts or self.parent is not None:
                return self.code
        if self.code == PENDING:
            for mine in map(enter, repeat(self)):
                if mine:
                    try:
                        if not starts and self.slot is None:
                            return self.code
                        if self.run(NULL, 0) == PENDING and _outstanding.exiting:
                            self.run_to_end()
                        return self.code
                    finally:
                        self.holder = None
                        try:
                            self.lock.release()
                            self.attend()
                        except BaseException:
                            self.attend()
                            raise
                elif not starts or not wait_for_starter(self):
                    break
        return self.code

    def look(self) -> int:
        """See how far it is, but do not start it."""
        if self.code == PENDING and self.slot is not None:
            root = self.root()
            # One that was taken in ends when its chain gets there.
            if self.can_be_driven or (root is not self and not root.needs_waiter()):
                return self.poll(False)
        return self.code

    def wait(self) -> int:
        """Start it and wait for its end."""
        me = get_ident()
        while True:
            if self.parent is None:
                outstanding[self] = None
                for mine in map(self.lock.acquire, TRY):
                    if mine:
                        self.holder = me
                        try:
                            if self.interest is not None:
                                self.take_back()
                            # Most operations need no more than this.
                            if self.run(shared.cdata, SLICE_NS) == PENDING:
                                self.run_to_end()
                            return self.code
                        finally:
                            self.holder = None
                            try:
                                self.lock.release()
                                if self.interest is not None:
                                    attend(self)
                            except BaseException:
                                self.attend()
                                raise
            self._wait_for_others(me, None)
            if self.code != PENDING:
                return self.code

    def wait_until(self, deadline: int) -> int:
        """Start it and wait for its end, or until a time of `monotonic_ns`."""
        me = get_ident()
        while True:
            if self.parent is None:
                outstanding[self] = None
                for mine in map(self.lock.acquire, TRY):
                    if mine:
                        self.holder = me
                        try:
                            if self.interest is not None:
                                self.take_back()
                            return self._run_until(deadline)
                        finally:
                            self.holder = None
                            try:
                                self.lock.release()
                                self.attend()
                            except BaseException:
                                self.attend()
                                raise
            self._wait_for_others(me, deadline)
            if self.code != PENDING or monotonic_ns() >= deadline:
                return self.poll()

    def cancel(self) -> bool:
        """End it unless it has been started. Did it end that way?"""
        if self.code == PENDING and self.slot is None:
            for mine in map(enter, (self,)):
                if mine:
                    try:
                        if self.code != PENDING:
                            self.settle(self.code)
                        elif self.slot is None:
                            self.settle(CANCELLED)
                    finally:
                        self.holder = None
                        try:
                            self.lock.release()
                            self.attend()
                        except BaseException:
                            self.attend()
                            raise
        return self.code == CANCELLED

    def enter(self) -> bool:
        """Take the lock, if it is free, and the flight from who watches it."""
        outstanding[self] = None
        me = get_ident()
        for mine in map(self.lock.acquire, TRY):
            if mine:
                self.holder = me
                try:
                    if self.interest is not None:
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
        self._leave_outstanding_if_settled()
        return False

    def attend(self) -> None:
        """See to those interested, when the lock has been given back."""
        if self.interest is not None:
            attend(self)

    def settle(self, code: int) -> int:
        """Write down how it ended and let go of everything at once."""
        try:
            try:
                self.unpin()
            except BaseException:
                self.unpin()
                raise
            finally:
                # However often that was interrupted: nobody starts it again.
                self.code = code
            outstanding.pop(self, None)
            self.let_go()
        except BaseException:
            outstanding.pop(self, None)
            self.let_go()
            raise
        finally:
            self.slot = None
        return code

    def unpin(self) -> None:
        """Give the program its memory back, with the code to follow; twice is fine."""

    def let_go(self) -> None:
        """Let go of what else it holds, apart from the slot; twice is fine."""

    def take_back(self) -> None:
        """Take it from who watches it. The lock is held."""
        interest = self.interest
        if interest is not None and interest.watch is not None:
            interest.watch.remove(self)

    def run_to_end(self) -> int:
        """Start it or go on until its end. The lock is held."""
        # Signal handlers run in the main thread only.
        is_main = get_ident() == threading.main_thread().ident
        timeout_ns = SLICE_NS if is_main else _ffi.FOREVER
        while self.run(shared.cdata, timeout_ns) == PENDING:
            pass
        return self.code

    def _run_until(self, deadline: int) -> int:
        """Start it or go on until its end or the deadline. The lock is held."""
        while True:
            left = max(deadline - monotonic_ns(), 0)
            self.run(shared.cdata, min(left, SLICE_NS))
            if left == 0 and _outstanding.exiting:
                self.run_to_end()
            if self.code != PENDING or left == 0:
                return self.code

    def _wait_for_others(self, me: int, deadline: int | None) -> None:
        """Wait for the chain that has it; or for its lock, and not for long."""
        left = None if deadline is None else max(deadline - monotonic_ns(), 0)
        if self.parent is not None:
            root = self.root()
            if deadline is None:
                root.wait()
            else:
                root.wait_until(deadline)
        elif self.holder == me:
            refuse()
        else:
            wait_for_lock(self, SLICE_NS if left is None else min(left, SLICE_NS))
        self._leave_outstanding_if_settled()

    def _leave_outstanding_if_settled(self) -> None:
        # Who has the lock may have ended it, and taken it out before we put it in.
        if self.code != PENDING:
            outstanding.pop(self, None)
