# SPDX-License-Identifier: BSD-3-Clause
"""What memory is to hold after each operation, and whose it is meanwhile."""

from __future__ import annotations

import operator
import threading
from typing import Any, ClassVar

import miniasync
from miniasync import DataMover, Future

RED = 64
_RED_ZONE = b"\xa5" * RED
# Larger ones are compared when something is known of them to have ended.
_SMALL = 5000


class Zone:
    """Memory with red zones before and behind what operations are given.

    Attributes:
        want: What all of it, the red zones included, is to hold.
    """

    def __init__(self, content: bytes) -> None:
        self.want = _RED_ZONE + content + _RED_ZONE
        self.memory = bytearray(self.want)
        self._busy = False
        self._after = self.want
        self._given: list[memoryview] = []

    @property
    def size(self) -> int:
        """How many bytes there are between the red zones."""
        return len(self.want) - 2 * RED

    def give(self, start: int = 0, size: int | None = None) -> memoryview:
        """Some of it, for one operation."""
        stop = self.size if size is None else start + size
        view = memoryview(self.memory)[RED + start : RED + stop]
        self._given.append(view)
        return view

    def will_be(self, start: int, content: bytes) -> None:
        """An operation that was given some of it is going to write this."""
        self._busy = True
        start += RED
        self._after = (
            self._after[:start] + content + self._after[start + len(content) :]
        )

    def is_pinned(self) -> bool:
        """Whether an operation holds any of it."""
        try:
            for view in self._given:
                view.release()
        except BufferError:
            return True
        return False

    def ended(self, written: bool | None) -> bool:
        """The operation has ended, and can be told nothing more of.

        Args:
            written: Whether it has done its work; None if that is to be found out.

        Returns:
            Whether it has.
        """
        assert not self.is_pinned(), "pinned after the end"
        self._given.clear()
        # As users do it, and at once, without the garbage collector.
        self.memory.append(0)
        del self.memory[-1]
        if written is None:
            written = self.memory != self.want
        if written:
            self.want = self._after
        self._after = self.want
        self._busy = False
        assert self.memory == self.want
        return written

    def check(self, thoroughly: bool = False) -> None:
        """Nothing was written but what was asked for."""
        assert self.memory.startswith(_RED_ZONE)
        assert self.memory.endswith(_RED_ZONE)
        if not self._busy and (thoroughly or len(self.want) < _SMALL):
            assert self.memory == self.want


class Own(Future[object]):
    """A future of the user's own that is complete after some steps.

    Args:
        steps: How many.
        way: How it has itself stepped again: by nobody, at once, by a thread.
    """

    WAYS: ClassVar = ("nobody", "at once", "thread")

    def __init__(self, steps: int, way: str) -> None:
        super().__init__()
        self.left = steps
        self.way = way
        self.result_is = object()

    def step(self, waker: miniasync.Waker) -> object:
        """Count down."""
        if self.left == 0:
            return self.result_is
        self.left -= 1
        if self.way == "at once":
            waker.wake()
        elif self.way == "thread":
            threading.Thread(target=waker.wake).start()
        return miniasync.PENDING


def same(result: object, value: object) -> bool:
    """Whether a result is the very object, or has the very objects in it."""
    if isinstance(result, list) and isinstance(value, list):
        return all(map(operator.is_, result, value)) and len(result) == len(value)
    return result is value


class Job:
    """A future, and what is to become of it.

    Attributes:
        doomed: It needs a mover that was closed before it was started.
        drives_itself: It ends without anybody who waits.
        first: The first step's future, if it is a chain.
        future: None when it was dropped.
        is_chain: It has steps; that it was started does not mean all were.
        makes_more: It makes operations when it has come to them.
        movers: On which it depends.
        state: ``new``, ``started``, ``complete``, ``failed`` or ``cancelled``.
        value: What its result has to be.
        zones: What it was given.
    """

    def __init__(
        self,
        future: Future[Any],
        zones: list[Zone],
        value: object,
        *movers: DataMover,
        is_chain: bool = False,
        drives_itself: bool = True,
    ) -> None:
        self.future: Future[Any] | None = future
        self.zones = zones
        self.value = value
        self.movers = movers
        self.is_chain = is_chain
        self.drives_itself = drives_itself
        self.first: Future[Any] | None = None
        self.makes_more = False
        self.state = "new"
        self.doomed = False
        self.expected_calls = 0
        self.calls = 0

    def get(self) -> Future[Any]:
        """The future, which was not dropped."""
        assert self.future is not None
        return self.future

    @property
    def has_ended(self) -> bool:
        """Whether the model knows of its end."""
        return self.state not in ("new", "started")

    def called(self, future: Future[Any]) -> None:
        """What is called when it is done."""
        assert future.done()
        self.calls += 1

    def mover_closes(self, mover: DataMover) -> None:
        """Tell it that one of its movers is closed now."""
        if mover not in self.movers or self.has_ended:
            return
        if self.state == "new" or self.is_chain:
            self.doomed = True
        elif self.future is not None:
            # Closing has waited for it, and let go of what it held.
            assert self.future.done()
            self.complete()

    def complete(self) -> None:
        """It has done all of its work."""
        assert not self.doomed or self.is_chain
        self._end("complete", True)
        if self.future is not None:
            assert same(self.future.result(0), self.value)
            assert self.future.state is miniasync.State.COMPLETE

    def fail(self) -> None:
        """It was to begin something on a closed mover."""
        assert self.doomed, "failed, but its movers are open"
        if self.state == "new" and not self.is_chain:
            self._end("failed", False)
        else:
            self._end("failed", None)

    def cancel(self) -> None:
        """It was cancelled before it was started, or a chain before its end."""
        assert self.state == "new" or self.is_chain or not self.drives_itself
        self._end("cancelled", False if self.state == "new" else None)

    def _end(self, state: str, written: bool | None) -> None:
        self.state = state
        self.first = None  # which holds its own memory, also if it never began
        # The steps of a chain are done one after another.
        order = [zone.ended(written) for zone in self.zones if zone._busy]
        assert order == sorted(order, reverse=True)
        for zone in self.zones:
            if zone._given:
                zone.ended(False)
