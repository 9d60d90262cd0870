# SPDX-License-Identifier: BSD-3-Clause
"""Chains: what runs one after another.

A step that has begun belongs to the chain, which holds its lock until it has
ended (`Flight.root`).

A chain that was dropped goes on, if it can do so by itself. If it needs somebody
to step a future of the user's own, nobody ever will: it begins nothing more, ends
with what C has of it, and holds nothing from then on. A future of the user's own
that it has come to is given back as it is: it may be somebody's.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from miniasync._daemon import threads
from miniasync._driven import Driven
from miniasync._ends import CANCELLED, FAILED, PENDING, SUCCESS
from miniasync._future import Future, Operation
from miniasync._group import SHARED_NS
from miniasync._interest import interest_of
from miniasync._segment import Segment, give_back

if TYPE_CHECKING:
    from miniasync._ffi import CData
    from miniasync._flight import Flight


T = TypeVar("T")

_Step: TypeAlias = "Future[Any] | Callable[[Any], Any]"


class Chain(Driven):
    """What stands behind a chain."""

    __slots__ = ("_asked", "_count", "_current", "_future", "_steps")

    drives_itself = True

    def __init__(self, steps: tuple[_Step, ...]) -> None:
        Driven.__init__(self)
        self._asked = False
        self._count = len(steps)
        self._current: Flight | None = None
        self._future: Future[Any] | None = None  # of the current flight
        self._steps = list(reversed(steps))
        interest_of(self)

    @property
    def can_be_driven(self) -> bool:  # type: ignore[override]
        """A future of the user's own is polled by who waits for it only."""
        if self._current is not None and not self._current.can_be_driven:
            return False
        return all(
            step._flight.can_be_driven
            for step in self._steps
            if isinstance(step, Future)
        )

    def describe(self) -> str:
        """Say what it is, in a few words."""
        return f"chain of {self._count} steps"

    def begin(self) -> CData:
        """There is nothing to prepare."""
        return True

    def hurry(self) -> None:
        """The next `advance` is not to wait until it is due."""
        self.due = None
        if isinstance(self._current, Driven):
            self._current.hurry()

    def ask_to_end(self) -> None:
        """Begin no further step."""
        self._asked = True

    def withdraw(self) -> None:
        """A watch polls it no more."""
        if self._current is not None:
            self._current.withdraw()

    def upcoming(self) -> CData:
        """What C is to poll; None if it is to be advanced when it is `due`."""
        flight = self._current
        if flight is None or flight.code != PENDING:
            self.due = 0
            return None
        if flight.parent is not self:
            self.due = self.due or 0  # another has it
            return None
        leaf = flight.peek()
        self.due = flight.due if flight.code == PENDING else 0
        return leaf

    def proceed(self) -> CData:
        """Go from step to step until one is not complete."""
        while self.code == PENDING:
            flight = self._current
            if not self._asked and self._is_stuck():
                self._asked = True
            if flight is None:
                self._begin_step()
                continue
            if flight.code == PENDING:
                ours = flight.parent is self
                if not (ours and flight.can_be_driven) and self._is_stuck():
                    if ours:
                        self._give_back(flight)
                    self.settle(CANCELLED)
                    return None
                if flight.parent is not self and not self._take(flight):
                    # Another thread waits for it, or another chain has it.
                    self.due = monotonic_ns() + SHARED_NS
                    return None
                if self._asked:
                    flight.ask_to_end()
                elif not flight.can_be_driven and get_ident() in threads:
                    self.due = 0  # an event loop's turn, or who waits
                    return None
                leaf = flight.advance()
                if flight.code == PENDING:
                    self.due = flight.due
                    return leaf
            self._end_step(flight)
        return None

    def let_go(self) -> None:
        """Forget the steps."""
        self._current = self._future = None
        self._steps.clear()

    def _is_stuck(self) -> bool:
        """Whether it was dropped and needs somebody who waits for it."""
        interest = self.interest
        return interest is not None and interest.dropped and not self.can_be_driven

    def _begin_step(self) -> None:
        self.due = None
        if not self._steps:
            self.settle(SUCCESS)
            return
        if self._asked:
            self.settle(CANCELLED)
            return
        step = self._steps[-1]
        if not isinstance(step, Future):
            try:
                step = step(self.value)
                if self.code != PENDING:
                    return  # it forked, and this is the child
                self._steps.pop()
            except BaseException as exception:
                traceback = exception.__traceback__
                if traceback is not None:
                    # Without this frame, which refers to the exception.
                    exception.__traceback__ = traceback.tb_next
                self.fail(exception)
                if not isinstance(exception, Exception):
                    # It is for the program, too; but what a function has done
                    # halfway is neither done again nor left out.
                    raise
                return
            if not isinstance(step, Future):
                self.value = step
                return
            self._future, self._current = step, step._flight
        else:
            # In this order, so that no exception loses a step.
            self._future, self._current = step, step._flight
            self._steps.pop()
        segment = self._segment(step)
        if segment is not None:
            self._current = segment

    def _segment(self, first: Future[Any]) -> Segment | None:
        """Have C go through the first step and those after it that need no Python."""
        taken: list[Future[Any]] = []
        links: list[tuple[CData, CData]] = []
        segment: Segment | None = None
        step: _Step | None = first
        try:
            while isinstance(step, Future) and self._take(step._flight):
                taken.append(step)
                link = step._flight.link()
                if link is None:
                    self._give_back(taken.pop()._flight)
                    break
                links.append(link)
                after = len(self._steps) - len(taken)
                step = self._steps[after] if after >= 0 else None
            if len(taken) < 2:
                taken = []
                return None
            last = 1 - len(taken)
            segment = Segment(taken, links)
            segment.parent = self
            segment.enter()
            del self._steps[last:]
            taken = []
            return segment
        finally:
            if taken and segment is not None:
                segment.settle(CANCELLED)  # C never polls it
            for future in reversed(taken):
                self._give_back(future._flight)

    def _take(self, flight: Flight) -> bool:
        """Make it a step of this chain, if it is not somebody else's now."""
        if flight.code != PENDING or flight.parent is not None or not flight.enter():
            return False
        flight.parent = self
        return True

    def _give_back(self, flight: Flight) -> None:
        give_back(flight, self)

    def _end_step(self, flight: Flight) -> None:
        if flight.parent is self:
            self._give_back(flight)
        self._current = self._future = None
        if flight.code == SUCCESS:
            self.value = flight.value
        elif flight.code == FAILED:
            self.fail(flight.error())
        else:
            self.settle(flight.code)


@overload
def chain(step: Future[T], /) -> Future[T]: ...
@overload
def chain(a: _Step, step: Future[T], /) -> Future[T]: ...
@overload
def chain(a: _Step, b: _Step, step: Future[T], /) -> Future[T]: ...
@overload
def chain(a: _Step, b: _Step, c: _Step, step: Future[T], /) -> Future[T]: ...
@overload
def chain(*steps: _Step) -> Future[Any]: ...


def chain(*steps: _Step) -> Future[Any]:
    r"""Run futures and functions one after another.

    Nothing starts by this call. Each step begins when the one before it is
    complete; once the chain has begun with a step, waiting for that step's own
    future waits for the chain. If a step fails, so does the chain, and the rest
    is not started.

    Args:
        *steps: Futures, best such as have not been started, and functions. A
            function is called with the result of the step before it, None if it
            is the first, by who waits for the chain or on an event loop, else on
            a thread of this package. What it returns is its result; if that is
            a future, that future's result.

    Returns:
        A future with the result of the last step.

    Raises:
        TypeError: A step is neither a future nor callable.
        ValueError: There is no step.

    Example:
        >>> import miniasync
        >>> a, b = bytearray(3), bytearray(3)
        >>> fill, copy = miniasync.memset(a, 7), miniasync.memcpy(b, a)
        >>> miniasync.chain(fill, copy, bytes).result()
        b'\x07\x07\x07'
    """
    if not steps:
        raise ValueError("chain needs at least one step")
    for index, step in enumerate(steps):
        if not isinstance(step, Future) and not callable(step):
            raise TypeError(
                f"step {index} must be a future or a function, not"
                f" {type(step).__name__}"
            )
    return Operation(Chain(steps))
