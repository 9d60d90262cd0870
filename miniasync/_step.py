# SPDX-License-Identifier: BSD-3-Clause
"""Futures of the user's own, which are stepped until they are complete."""

from __future__ import annotations

from time import monotonic_ns
from typing import TYPE_CHECKING, Any, final
from weakref import ref

from miniasync import _ffi
from miniasync._driven import Driven, without_this_frame
from miniasync._ends import CANCELLED, SUCCESS
from miniasync._ends import PENDING as _PENDING
from miniasync._ffi import lib

if TYPE_CHECKING:
    from miniasync._ffi import CData
    from miniasync._future import Future

# How long until the next step: without a waker; and to check on a waker that
# may have been forgotten. Doubled each time.
_NAP_NS = (50_000, 5_000_000)
_CHECK_NS = (4_000_000, 256_000_000)


@final
class Pending:
    """The type of `PENDING`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "miniasync.PENDING"

    def __reduce__(self) -> str:
        return "PENDING"


PENDING = Pending()
"""What `Future.step` returns when there is no result yet."""


@final
class Waker:
    """Tells those who wait for a future that another step is worthwhile.

    It may be kept, and used by any thread, also when nobody waits any more.
    """

    __slots__ = ("__weakref__", "_event")

    def __init__(self, event: CData) -> None:
        self._event = event

    def wake(self) -> None:
        """Have the future stepped again soon. Does not block."""
        lib.ma_event_set(self._event)


class Step(Driven):
    """What stands behind a future of the user's own."""

    __slots__ = ("_asked", "_pause_ns")

    # Only who waits for it, awaits it or polls it does that.
    can_be_driven = False

    def __init__(self, future: Future[Any]) -> None:
        Driven.__init__(self)
        self._asked = False
        self.future = ref(future)
        self._pause_ns = 0

    def describe(self) -> str:
        """Say what it is, in a few words."""
        return "of the user's own"

    def ask_to_end(self) -> None:
        """Step it no more: its next advance cancels it."""
        self._asked = True

    def withdraw(self) -> None:
        """Forget what a watch wanted to be woken by."""
        if self.slot is not None and lib.ma_event_reset(self.slot):
            lib.ma_event_set(self.slot)

    def begin(self) -> CData:
        """Make the event that wakers set."""
        return _ffi.new_event()

    def upcoming(self) -> CData:
        """What C is to poll; None if it is to be advanced when it is `due`."""
        if self.due is None:
            self.due = 0
        return lib.ma_event_future(self.slot)

    def proceed(self) -> CData:
        """Step the future if it was woken, or if it is time to."""
        event = self.slot
        woken = lib.ma_event_reset(event)
        if not woken and self.due is not None and monotonic_ns() < self.due:
            return lib.ma_event_future(event)
        future = self.future()
        if self._asked or future is None:
            self.settle(CANCELLED)
            return None
        waker = Waker(event)
        try:
            value = future.step(waker)
        except (KeyboardInterrupt, SystemExit):
            raise  # the program's: it is stepped again by who waits next
        except BaseException as exception:
            self.fail(without_this_frame(exception))
            return None
        finally:
            del future
        if self.code != _PENDING:
            return None  # it forked, and this is the child
        if value is not PENDING:
            self.value = value
            self.settle(SUCCESS)
            return None
        kept = ref(waker)
        del waker
        least, most = _NAP_NS if kept() is None else _CHECK_NS
        if woken:
            self._pause_ns = 0
        self._pause_ns = min(max(2 * self._pause_ns, least), most)
        self.due = monotonic_ns() + self._pause_ns
        return lib.ma_event_future(event)

    def let_go(self) -> None:
        """Forget who is to be woken: wakers may live on."""
        if self.slot is not None:
            lib.ma_event_reset(self.slot)
