# SPDX-License-Identifier: BSD-3-Clause
"""Operations on their way, whoever still cares about them.

A future is what the user holds and may forget. Behind it stands a `Flight`,
which holds what C works with: the pinned buffers, the slot with the C future,
the mover. From before its first call into C until its end is known, a flight is
in `outstanding`, so that nothing a program does can free memory under a copy.

* Only who holds a flight's lock calls C with its slot. Calls release the
  interpreter lock, and a C future bears one poll at a time.
* The lock is taken after the flight is in `outstanding`: `fork` may find it
  taken by a thread that the child does not have, and renews it there.
* What waits, waits in C, interrupted by signals and in the main thread by the
  clock: signal handlers run between two calls. Whatever they raise, the flight
  stays outstanding.
* `settle` is the only end. The code comes first: who sees it needs no lock.
"""

from __future__ import annotations

import atexit
import os
import threading
from _thread import allocate_lock, get_ident
from time import monotonic_ns
from typing import TYPE_CHECKING

from miniasync import _ffi
from miniasync._ffi import NULL, SLOT, new, run
from miniasync._waiters import shared

if TYPE_CHECKING:
    from miniasync._buffers import Pins
    from miniasync._ffi import CData
    from miniasync._handle import Handle

# A flight's code: this one until it has ended, then C's result or one of ours.
PENDING = _ffi.RUNNING
SUCCESS = _ffi.SUCCESS
CANCELLED = -1
CLOSED = -2
FORKED = -3
STRANDED = -4

# The longest sleep between two looks at signals.
SLICE_NS = 50_000_000

outstanding: set[Flight] = set()
_exiting = False


class Flight:
    """One operation, from its arguments to its end.

    Attributes:
        code: `PENDING`, or how it ended.
        handle: The mover, until the end.
        kind: One of the C library's operation types.
        lock: Held by who calls C with the slot.
        nbytes: How many bytes it is about.
        pins: The memory, until the end.
        slot: The C future, from the start to the end.
    """

    __slots__ = (
        "code",
        "flags",
        "handle",
        "kind",
        "lock",
        "nbytes",
        "pins",
        "slot",
        "value",
    )

    def __init__(
        self, handle: Handle, kind: int, pins: Pins, value: int, flags: int
    ) -> None:
        self.code = PENDING
        self.handle: Handle | None = handle
        self.kind = kind
        self.pins: Pins | None = pins
        self.nbytes = pins.nbytes
        self.value = value
        self.flags = flags
        self.slot: CData = None
        self.lock = allocate_lock()

    def poll(self) -> int:
        """Start it or see how far it is, without waiting for anybody."""
        if self.code == PENDING and self.try_lock():
            try:
                if self._run(NULL, 0) == PENDING and _exiting:
                    self._run_to_end()
            finally:
                self.lock.release()
        return self.code

    def look(self) -> int:
        """See how far it is, but do not start it."""
        if self.code == PENDING and self.slot is not None:
            return self.poll()
        return self.code

    def wait(self) -> int:
        """Start it and wait for its end."""
        outstanding.add(self)
        with self.lock:
            # Most operations need no more than this, nor a look at the thread.
            if self._run(shared.cdata, SLICE_NS) == PENDING:
                self._run_to_end()
        return self.code

    def wait_until(self, deadline: int) -> int:
        """Start it and wait for its end, or until a time of `monotonic_ns`."""
        outstanding.add(self)
        seconds = max(deadline - monotonic_ns(), 0) / 1e9
        if not self.lock.acquire(True, min(seconds, threading.TIMEOUT_MAX)):
            self._leave_outstanding_if_settled()
            return self.code
        try:
            while True:
                left = max(deadline - monotonic_ns(), 0)
                code = self._run(shared.cdata, min(left, SLICE_NS))
                if code != PENDING:
                    return code
                if left == 0:
                    return self._run_to_end() if _exiting else code
        finally:
            self.lock.release()

    def finish(self) -> None:
        """Wait for its end if it has been started."""
        with self.lock:
            if self.slot is not None:
                self._run_to_end()

    def cancel(self) -> bool:
        """End it unless it has been started. Did it end that way?"""
        if self.code == PENDING and self.slot is None and self.try_lock():
            try:
                if self.code != PENDING or self.slot is None:
                    self.settle(CANCELLED if self.code == PENDING else self.code)
            finally:
                self.lock.release()
        return self.code == CANCELLED

    def try_lock(self) -> bool:
        """Take the lock if it is free."""
        outstanding.add(self)
        if self.lock.acquire(False):
            return True
        self._leave_outstanding_if_settled()
        return False

    def prepare(self) -> bool:
        """Make the C future without polling it. The lock is held.

        Returns:
            Whether it is to be waited for; otherwise it has ended.
        """
        if self.slot is not None and _ffi.is_made(self.slot):
            return True
        return self._run(NULL, _ffi.MAKE_ONLY) == PENDING

    def harvest(self) -> None:
        """Settle it if C has completed it meanwhile. The lock is held."""
        code = _ffi.outcome(self.slot)
        if code != PENDING:
            self.settle(code)

    def settle(self, code: int) -> int:
        """Write down how it ended and let go of everything at once."""
        self.code = code
        outstanding.discard(self)
        if self.pins is not None:
            self.pins.release()
        self.pins = self.handle = self.slot = None
        return code

    def _run(self, waiter: CData, timeout_ns: int) -> int:
        """The one call into C. The lock is held."""
        handle, pins = self.handle, self.pins
        if self.code != PENDING or handle is None or pins is None:
            # Again, since an exception may have come between its steps.
            return self.settle(self.code)
        if self.slot is None:
            if handle.closed:
                return self.settle(CLOSED)
            if handle.home is not None and handle.home != os.getpid():
                return self.settle(STRANDED)
            self.slot = new(SLOT)
        code = run(
            self.slot,
            handle.vdm,
            self.kind,
            pins.dst,
            pins.src,
            self.value,
            self.nbytes,
            self.flags,
            waiter,
            timeout_ns,
        )
        return code if code == PENDING else self.settle(code)

    def _run_to_end(self) -> int:
        # Signal handlers run in the main thread only.
        is_main = get_ident() == threading.main_thread().ident
        timeout_ns = SLICE_NS if is_main else _ffi.FOREVER
        while self._run(shared.cdata, timeout_ns) == PENDING:
            pass
        return self.code

    def _leave_outstanding_if_settled(self) -> None:
        # Whoever has the lock may have ended it, and taken it out before we put
        # it in.
        if self.code != PENDING:
            outstanding.discard(self)


def finish_all(handle: Handle | None = None) -> None:
    """Wait for what has been started, by this mover or by all."""
    for flight in outstanding.copy():
        if handle is None or flight.handle is handle:
            flight.finish()


def finish_all_if_exiting() -> None:
    """Near the interpreter's end, wait: soon nobody can any more."""
    if _exiting:
        finish_all()


def _at_exit() -> None:
    global _exiting
    _exiting = True
    while True:
        try:
            return finish_all()
        except KeyboardInterrupt:
            # The interpreter would free memory that is being written to.
            continue


def _after_fork_in_child() -> None:
    # Workers and other threads stayed behind, with what they were doing.
    for flight in outstanding.copy():
        flight.lock = allocate_lock()
        if flight.slot is not None:
            flight.settle(FORKED)
    outstanding.clear()


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_after_fork_in_child)
