# SPDX-License-Identifier: BSD-3-Clause
"""What a chain has of its steps, and what can be said of it without going on.

Who asks need not have the chain's lock, unless he makes it forget them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from miniasync._driven import Driven
from miniasync._ends import PENDING, SUCCESS
from miniasync._future import Future
from miniasync._interest import interest_of

if TYPE_CHECKING:
    from miniasync._flight import Flight
    from miniasync._interest import Interest

_Step: TypeAlias = "Future[Any] | Callable[[Any], Any]"


class End:
    """Where a chain that was taken in ends."""

    __slots__ = ("chain",)

    def __init__(self, chain: Steps) -> None:
        self.chain = chain


class Steps(Driven):
    """The steps of a chain: those to come, and what has become of the others."""

    __slots__ = (
        "_asked",  # to end
        "_asked_within",  # whether one that it has taken in is, perhaps
        "_count",
        "_current",
        "_future",  # of the current flight
        "_heir",
        "_is_deep",  # whether there may be chains among its steps
        "_own",  # those of `_steps` that somebody has to wait for, the first last
        "_steps",  # the first last
        "_wanted",  # whether somebody wants to know of one's end, perhaps
        "_within",  # those that it has taken in, the innermost last
    )

    drives_itself = True

    def __init__(self, steps: tuple[_Step, ...]) -> None:
        Driven.__init__(self)
        self._asked = self._asked_within = False
        self._count = len(steps)
        self._current: Flight | None = None
        self._future: Future[Any] | None = None
        self._heir: list[_Step | End] | None = None
        self._steps: list[_Step | End] = [*steps[::-1]]
        self._own: list[Flight] = []
        self._is_deep = self._wanted = False
        self._within: list[Steps] = []
        for step in self._steps:
            if isinstance(step, Future) and step._flight.runs_python:
                self._is_deep = True
                if not step._flight.can_be_driven:
                    self._own.append(step._flight)
        interest_of(self)

    @property
    def can_be_driven(self) -> bool:  # type: ignore[override]
        """A future of the user's own is polled by who waits for it only."""
        chain = self if self.parent is None else self.root()
        return not chain.needs_waiter() and not any(
            flight.code == PENDING
            # One that was started before may have got past them.
            and (not isinstance(flight, Steps) or flight.needs_waiter() or flight._own)
            for flight in reversed(chain._own)
        )

    def describe(self) -> str:
        """Say what it is, in a few words."""
        return f"chain of {self._count} steps"

    def root(self) -> Steps:
        """The chain that it was taken into, or itself."""
        root = super().root()
        assert isinstance(root, Steps)
        return root

    def ask_to_end(self) -> None:
        """Begin no further step."""
        self._asked = True
        root = self.root()
        if root is not self:
            root._asked_within = True  # `_take_in` looks the other way round

    def let_go(self) -> None:
        """Forget the steps."""
        self._current = self._future = None
        if self._own:
            self._own = []
        if self._within:
            self._within = []
        steps = self._steps
        if self._heir is not None:
            self._heir.extend(steps)
            steps.clear()
        if not self._is_deep:
            steps.clear()
        while steps:
            step = steps.pop()
            if isinstance(step, Future) and isinstance(step._flight, Steps):
                # If it is dropped with this, it leaves its steps to this loop.
                chain = step._flight
                chain._heir = steps
                del step
                chain._heir = None

    def begun_steps(self) -> Iterator[Flight]:
        """What it has begun, those that it has taken in included."""
        flight = self._current
        if flight is not None and flight.parent is self:
            yield from flight.begun_steps()
            yield flight
        # Others may change the list meanwhile; they look afterwards themselves.
        yield from reversed(self._within)

    def want_step(self) -> None:
        """Somebody wants to know of the end of a step."""
        self._wanted = True

    def interest_in_step(self, is_awaited: bool) -> Interest | None:
        """That in the first step that somebody, or a loop, wants to know the end of."""
        if not self._wanted:
            return None
        self._wanted = False  # before looking: others may write it meanwhile
        try:
            for step in self.begun_steps():
                interest = step.interest
                if interest is not None and interest.listeners:
                    self._wanted = True
                    if interest.is_awaited or not is_awaited:
                        return interest
        except BaseException:
            self._wanted = True
            raise
        return None

    def about(self) -> Flight | None:
        """The step that it has come to."""
        return self._current

    def needs_waiter(self) -> bool:
        """Whether it is at a step that only who waits for it takes further."""
        flight = self._current
        return not (flight is None or isinstance(flight, Steps) or flight.can_be_driven)

    def _is_stuck(self) -> bool:
        """Whether it was dropped and needs somebody who waits for it."""
        interest = self.interest
        return interest is not None and interest.dropped and not self.can_be_driven

    def _is_to_end(self) -> bool:
        if self._asked:
            return True
        if self._is_stuck():
            self._asked = True
            return True
        return self._asked_within and any(chain._asked for chain in self._within)

    def _settle(self, code: int, exception: BaseException | None) -> None:
        if code != SUCCESS:
            self.value = None
        if exception is None:
            self.settle(code)
        else:
            self.fail(exception)
