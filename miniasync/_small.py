# SPDX-License-Identifier: BSD-3-Clause
"""Operations so small that giving up the interpreter lock costs more.

Every call into C gives it up, and gets it back only when another thread that
computes has had its turn: see docs/decisions/0010. So these bytes are carried with
the lock held, by the thread that starts the operation, as C would do.

It is not in `outstanding` meanwhile, unless somebody has tried to get its lock, and
put it in before. Who does that looks at the code afterwards, and takes it out if it
has ended; who carries it writes the code and looks into `outstanding` afterwards.
One of both sees the other.

A step of a chain, or one of several that are waited for, is left to C, which completes
it in the call that starts it: no chain in C is made for it.

Not moves: repeated after an exception came in between, one that overlaps would do
harm.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from typing import TYPE_CHECKING

from miniasync import _ffi
from miniasync._ends import CLOSED, FORKED, PENDING, SUCCESS
from miniasync._ffi import MEMCPY, NULL, memmove
from miniasync._interest import attend
from miniasync._locks import TRY
from miniasync._move import Move
from miniasync._outstanding import outstanding

if TYPE_CHECKING:
    from miniasync._ffi import CData


_BYTE = [bytes([value]) for value in range(256)]


class SmallMove(Move):
    """A small memcpy or memset."""

    __slots__ = ()

    is_brief = True

    def wait(self) -> int:
        """Start it, which is all there is to it."""
        # Nobody else has memory that is in danger: it needs no `outstanding`.
        if self.slot is None:
            me = get_ident()
            for mine in map(self.lock.acquire, TRY):
                if mine:
                    self.holder = me
                    try:
                        if self.code == PENDING and self.slot is None:
                            self._carry()
                    finally:
                        self.holder = None
                        try:
                            self.lock.release()
                            if self.interest is not None:
                                attend(self)
                        except BaseException:
                            self.attend()
                            raise
                else:
                    self._give_up_if_left_behind()
            if self.code != PENDING:
                return self.code
        return Move.wait(self)

    def wait_until(self, deadline: int) -> int:
        """Start it and wait for its end, or until a time of `monotonic_ns`."""
        self._give_up_if_left_behind()
        return self.code if self.code != PENDING else Move.wait_until(self, deadline)

    def _leave_outstanding_if_settled(self) -> None:
        # Who could not get the lock does it.
        self._give_up_if_left_behind()
        Move._leave_outstanding_if_settled(self)

    def _give_up_if_left_behind(self) -> None:
        # Whoever carried it may have stayed in the parent process: it was not in
        # `outstanding`, which is gone through in the child. (Unless a thread of the
        # child has the same number.) What a chain has was: its `holder` is who
        # began it, and may have ended since.
        parent, holder = self.parent, self.holder
        if (
            self.code == PENDING
            and parent is None
            and holder is not None
            and holder not in sys._current_frames()
        ):
            self.settle(FORKED)

    def advance(self) -> CData:
        """Start it in C, which completes it; or see how far it is."""
        if self.slot is None:
            Move.run(self, NULL, 0)
        return Move.advance(self)

    def run(self, waiter: CData, timeout_ns: int) -> int:
        """Start it, or what C has been told to make."""
        if self.slot is not None or timeout_ns == _ffi.MAKE_ONLY:
            return Move.run(self, waiter, timeout_ns)
        outstanding.pop(self, None)
        return self._carry()

    def _carry(self) -> int:
        handle, dst = self.handle, self.dst
        if self.code != PENDING or handle is None or dst is None:
            return self.settle(self.code)
        if handle.closed:
            return self.settle(CLOSED)
        nbytes = self.nbytes
        kind, byte, _ = self.how
        source = self.src if kind == MEMCPY else _BYTE[byte] * nbytes
        memmove(dst, source, nbytes)
        # What `settle` does, where there is less to do.
        try:
            self.unpin()
        except BaseException:
            self.unpin()
            raise
        finally:
            self.code = SUCCESS
            self.handle = self.dst = self.src = None
            if outstanding:
                outstanding.pop(self, None)
            handle.count(1, nbytes)
        return SUCCESS
