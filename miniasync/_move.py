# SPDX-License-Identifier: BSD-3-Clause
"""One operation of a mover."""

from __future__ import annotations

import os
from _thread import allocate_lock
from typing import TYPE_CHECKING, Any

from miniasync import _ffi
from miniasync._ends import CLOSED, PENDING, STRANDED, SUCCESS
from miniasync._ffi import NULL, SLOT, lib, new, release, run
from miniasync._flight import Flight
from miniasync._interest import interest_of
from miniasync._outstanding import outstanding

if TYPE_CHECKING:
    from miniasync._buffers import Pinned
    from miniasync._ffi import CData
    from miniasync._handle import Handle

_OPERATIONS = {
    _ffi.MEMCPY: "memcpy",
    _ffi.MEMMOVE: "memmove",
    _ffi.MEMSET: "memset",
    _ffi.FLUSH: "flush",
}


class Move(Flight):
    """One operation of a mover.

    Attributes:
        dst: The destination, or what is flushed, until the end.
        handle: The mover, until the end.
        how: One of the C library's operation types, what to set bytes to, and bits
            of `Flags`; mostly shared, since there are many operations.
        nbytes: How many bytes it is about.
        src: The source, NULL, or bytes, until the end.
    """

    __slots__ = ("dst", "handle", "how", "nbytes", "src")

    def __init__(
        self,
        handle: Handle,
        how: tuple[int, int, int],
        pinned: Pinned,
        value: Any,
    ) -> None:
        # Flight's, without the call.
        self.code = PENDING
        self.holder = None
        self.interest = None
        self.lock = allocate_lock()
        self.parent = None
        self.slot = None
        self.value = value
        self.handle: Handle | None = handle
        self.how = how
        self.dst, self.src, self.nbytes = pinned
        if handle.is_silent:
            interest_of(self)

    @property
    def drives_itself(self) -> bool:  # type: ignore[override]
        """Whether its mover wakes nobody, so that somebody has to look."""
        return self.handle is not None and self.handle.is_silent

    def describe(self) -> str:
        """Say what it is, in a few words."""
        return f"{_OPERATIONS[self.how[0]]} of {self.nbytes} bytes"

    def uses(self, handle: Handle) -> bool:
        """Whether it is on its way on this mover."""
        return self.handle is handle

    def advance(self) -> CData:
        """Make the C future, or see whether it is complete."""
        slot = self.slot
        if slot is None or not _ffi.is_made(slot):
            if self.run(NULL, _ffi.MAKE_ONLY) != PENDING:
                return None
            slot = self.slot
        code = _ffi.outcome(slot)
        if code != PENDING:
            self.settle(code)
            return None
        return _ffi.as_future(slot)

    def begun(self) -> CData:
        """The ``struct future *`` that C polls for it, None if there is none yet."""
        slot = self.slot
        if slot is None or not _ffi.is_made(slot):
            return None
        return _ffi.as_future(slot)

    def outcome(self) -> int:
        """How it has ended in C."""
        slot = self.slot
        return PENDING if slot is None else _ffi.outcome(slot)

    def link(self) -> tuple[CData, CData] | None:
        """Make it, to be a link of a chain in C."""
        leaf = Move.advance(self)
        return None if leaf is None else (leaf, _ffi.result_of(self.slot))

    def release(self) -> None:
        """Make it idle again, if it is that in C: a chain ended before it."""
        if self.slot[0].base.context.state != _ffi.STATE_IDLE:
            return
        lib.vdm_operation_release(self.slot)
        self.slot = None

    def run(self, waiter: CData, timeout_ns: int) -> int:
        """Make it, start it, wait for it: the one call into C."""
        handle, dst, src = self.handle, self.dst, self.src
        if handle is None or dst is None:
            # Again, since something may have come between its steps.
            return self.settle(self.code)
        vdm = handle.vdm
        if self.code != PENDING:
            return self.settle(self.code)
        if self.slot is None:
            if handle.closed:
                return self.settle(CLOSED)
            if handle.home is not None and handle.home != os.getpid():
                return self.settle(STRANDED)
            outstanding[self] = None
            self.slot = new(SLOT)
        kind, byte, flags = self.how
        code = run(
            self.slot,
            vdm,
            kind,
            dst,
            src,
            byte,
            self.nbytes,
            flags,
            waiter,
            timeout_ns,
        )
        return code if code == PENDING else self.settle(code)

    def unpin(self) -> None:
        """Give the program its memory back, with the code to follow; twice is fine."""
        dst, src = self.dst, self.src
        if dst is not None:
            release(dst)
            if src is not NULL and type(src) is not bytes:
                release(src)

    def let_go(self) -> None:
        """Forget the memory and the mover."""
        handle = self.handle
        self.handle = self.dst = self.src = None  # it is counted once
        if handle is not None and self.code == SUCCESS:
            handle.count(1, self.nbytes)
