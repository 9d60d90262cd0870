# SPDX-License-Identifier: BSD-3-Clause
"""Chains: what runs one after another.

A step that has begun belongs to the chain, which holds its lock until it has
ended (`Flight.root`).

A chain that is a step is taken in: its steps, and the one that it is about, become
steps of the chain that comes to it, with an `_End` behind them. Until then it is as
if it were running: what is asked of it is asked of its root. At its `_End` it has
the value of the step before. If a step fails, all chains whose `_End` is to come
fail with it, the innermost first. If nobody holds the future of the chain that is
taken in, nobody can tell that there was one, and there is no `_End`. So nothing
recurses, however deep chains are nested, and a chain whose last function returns
another chain does not grow. A chain that another thread is about, or that is taken
in elsewhere, is waited for instead, unless that one waits for this one: then both would
wait in vain, and the chain that sees it fails (`_circle`).

A chain that was dropped goes on, if it can do so by itself. If it needs somebody
to step a future of the user's own, nobody ever will: it begins nothing more, ends
with what C has of it, and holds nothing from then on. A future of the user's own
that it has come to is given back as it is: it may be somebody's.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable, Iterator
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import ref

from miniasync._circle import is_waited_for_by
from miniasync._daemon import threads
from miniasync._driven import Driven, without_this_frame
from miniasync._ends import CANCELLED, FAILED, PENDING, SUCCESS
from miniasync._future import Future
from miniasync._group import SHARED_NS
from miniasync._interest import interest_of, keep_owner
from miniasync._locks import enter
from miniasync._segment import Segment, give_back, give_up, hand_over, take_links

if TYPE_CHECKING:
    from miniasync._ffi import CData
    from miniasync._flight import Flight
    from miniasync._interest import Interest

_CIRCLE = "a chain would wait for itself: a function returned one that waits for it"

_Step: TypeAlias = "Future[Any] | Callable[[Any], Any]"


class _End:
    """Where a chain that was taken in ends."""

    __slots__ = ("chain",)

    def __init__(self, chain: Chain) -> None:
        self.chain = chain


class Chain(Driven):
    """What stands behind a chain."""

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
        self._heir: list[_Step | _End] | None = None
        self._steps: list[_Step | _End] = [*steps[::-1]]
        self._own: list[Flight] = []
        self._is_deep = self._wanted = False
        self._within: list[Chain] = []
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
            and (not isinstance(flight, Chain) or flight.needs_waiter() or flight._own)
            for flight in reversed(chain._own)
        )

    def describe(self) -> str:
        """Say what it is, in a few words."""
        return f"chain of {self._count} steps"

    def root(self) -> Chain:
        """The chain that it was taken into, or itself."""
        root = super().root()
        assert isinstance(root, Chain)
        return root

    def begin(self) -> CData:
        """There is nothing to prepare."""
        return True

    def hurry(self) -> None:
        """The next `advance` is not to wait until it is due."""
        self.due = None
        flight = self._current
        if isinstance(flight, Driven) and not isinstance(flight, Chain):
            flight.hurry()

    def ask_to_end(self) -> None:
        """Begin no further step."""
        self._asked = True
        root = self.root()
        if root is not self:
            root._asked_within = True  # `_take_in` looks the other way round

    def withdraw(self) -> None:
        """A watch polls it no more."""
        if self._current is not None and self._current.parent is self:
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
            if flight is None:
                self._begin_step()
                continue
            if flight.code == PENDING:
                if not (flight.parent is self and flight.can_be_driven):
                    if self._is_stuck():
                        if flight.parent is self:
                            self._give_back(flight)
                        self._end(CANCELLED)
                        return None
                    if isinstance(flight, Chain):
                        taken = self._take_in(flight)
                    else:
                        taken = flight.parent is self or self._take(flight)
                    if not taken:
                        # Another thread waits for it, or another chain has it.
                        if is_waited_for_by(self, flight):
                            self._end(FAILED, RuntimeError(_CIRCLE))
                            return None
                        self.due = monotonic_ns() + SHARED_NS
                        return None
                    if self._current is not flight:
                        continue
                if self._is_to_end():
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
            if isinstance(step, Future) and isinstance(step._flight, Chain):
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
        return not (flight is None or isinstance(flight, Chain) or flight.can_be_driven)

    def _is_stuck(self) -> bool:
        """Whether it was dropped and needs somebody who waits for it."""
        interest = self.interest
        return interest is not None and interest.dropped and not self.can_be_driven

    def _is_to_end(self) -> bool:
        if self._asked:
            return True
        interest = self.interest
        if interest is not None and interest.dropped and not self.can_be_driven:
            self._asked = True  # as in `_is_stuck`
            return True
        return self._asked_within and any(chain._asked for chain in self._within)

    def _begin_step(self) -> None:
        self.due = None
        steps = self._steps
        if not steps:
            self.settle(SUCCESS)
            return
        step = steps[-1]
        if isinstance(step, _End):
            self._go_past(step.chain)
            return
        if self._is_to_end():
            self._end(CANCELLED)
            return
        if not isinstance(step, Future):
            try:
                step = step(self.value)
                if self.code != PENDING:
                    return  # it forked, and this is the child
                if not isinstance(step, Future):
                    self.value = step
                    del steps[-1]
                    return
                steps[-1] = step
            except BaseException as exception:
                self._end(FAILED, without_this_frame(exception))
                if isinstance(exception, (KeyboardInterrupt, SystemExit)):
                    # It is for the program, too; but what a function has done
                    # halfway is neither done again nor left out.
                    raise
                return
        flight = step._flight
        if flight.runs_python and isinstance(flight, Chain) and flight.code == PENDING:
            if flight.root() is self:
                self._end(FAILED, RuntimeError(_CIRCLE))
                return
            # It remains in the steps until it is taken in or has ended.
            self._future, self._current = step, flight
            return
        # No call in between, so that no exception loses a step.
        self._future, self._current = step, flight
        del steps[-1]
        if self._own and self._own[-1] is flight:
            del self._own[-1]
        if not flight.is_brief:
            self._go_on_in_c(step)

    def _take_in(self, inner: Chain) -> bool:
        """Make the steps of another chain, the next step, steps of this one.

        Returns:
            Whether it could be done: nobody is about it or has taken it in.
        """
        if inner.parent is not None:
            return False
        end = _End(inner)
        at, depth = len(self._steps) - 1, len(self._within)
        future = self._steps[at]  # until the chain is a step: then who listens keeps it
        is_held = ref(future)
        taken = False
        for taken in map(enter, (inner,)):
            if taken:
                try:
                    self._merge(inner, end, at)
                    keep_owner(inner)
                except BaseException:
                    if inner.parent is None:
                        self._give_back(inner)
                    keep_owner(inner)
                    raise
        del future
        if taken and is_held() is None and not inner._asked and self._steps[at] is end:
            del self._steps[at], self._within[depth]
        return taken

    def _merge(self, inner: Chain, end: _End, at: int) -> None:
        steps, own, current = self._steps, self._own, inner._current
        within = self._within
        merged = [end, *inner._steps]
        merged_chains = [inner, *inner._within]
        of_user = [*(own[:-1] if own and own[-1] is inner else own), *inner._own]
        has_it = current is not None and current.parent is inner
        moved = current if current is not None and has_it else inner
        slot = True if inner.slot is None else inner.slot
        # A signal handler finds all of this done, or nothing: no call, and no jump.
        inner.parent = moved.parent = self
        steps[at:] = merged
        within += merged_chains
        self._wanted = True
        self._own = of_user
        self._current, self._future = current, inner._future
        self.value = inner.value
        self._asked_within |= inner._asked | inner._asked_within
        inner.slot = slot
        inner._steps, inner._own, inner._within = [], [], []
        self._is_deep = True
        inner._current = inner._future = inner.value = None

    def _go_past(self, inner: Chain) -> None:
        """End a chain that was taken in, after its last step."""
        if inner.code == PENDING:
            inner.value = self.value
            inner.settle(SUCCESS)
        if inner.parent is not None:
            self._give_back(inner)
        if inner.code == SUCCESS:
            del self._steps[-1], self._within[-1]
        else:
            self._end(inner.code, inner.error() if inner.code == FAILED else None)

    def _go_on_in_c(self, first: Future[Any]) -> None:
        """Have C go through the first step and those after it that need no Python."""
        taken: list[Flight] = []
        segments: list[Segment] = []
        try:
            futures, links = take_links(first, self._steps, self._take, taken)
            count = len(links)
            if count > 1:
                segment = Segment(futures, links)
                segment.parent = self
                segments.append(segment)
                segment.enter()
                hand_over(futures, segment)
                # No call from here on: the steps are the segment's, and it is ours.
                self._current = segment
                self._wanted = True
                del self._steps[1 - count :]
            del taken[:count]  # a single one it keeps
            del segments[:]
        finally:
            try:
                give_up(taken, segments, self)
            except BaseException:
                give_up(taken, segments, self)
                raise

    def _take(self, flight: Flight) -> bool:
        """Make it a step of this chain, if it is not somebody else's now."""
        if flight.code == PENDING and flight.parent is None:
            for mine in map(enter, (flight,)):
                if mine:
                    flight.parent = self
                    # Who is interested from now on sees to it himself.
                    self._wanted |= flight.interest is not None
                    return True
        return False

    def _give_back(self, flight: Flight) -> None:
        give_back(flight, self)

    def _end_step(self, flight: Flight) -> None:
        if flight.parent is self:
            self._give_back(flight)
        if flight.code == SUCCESS:
            self.value = flight.value
            self._current = self._future = None
        else:
            self._end(flight.code, flight.error() if flight.code == FAILED else None)

    def _end(self, code: int, exception: BaseException | None = None) -> None:
        """End it, and before it those that it has taken in."""
        for chain in reversed(self._within):
            if chain.code == PENDING:
                chain._settle(code, exception)
            if chain.parent is not None:
                self._give_back(chain)
        self._settle(code, exception)

    def _settle(self, code: int, exception: BaseException | None) -> None:
        if code != SUCCESS:
            self.value = None
        if exception is None:
            self.settle(code)
        else:
            self.fail(exception)
