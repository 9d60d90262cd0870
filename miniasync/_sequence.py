# SPDX-License-Identifier: BSD-3-Clause
"""Chains: what runs one after another.

A step that has begun belongs to the chain, which holds its lock until it has
ended (`Flight.root`).

A chain that is a step is taken in: its steps, and the one that it is about, become
steps of the chain that comes to it, with an `End` behind them. Until then it is as
if it were running: what is asked of it is asked of its root. At its `End` it has
the value of the step before. If a step fails, all chains whose `End` is to come
fail with it, the innermost first. If nobody holds the future of the chain that is
taken in, nobody can tell that there was one, and there is no `End`. So nothing
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
from time import monotonic_ns
from typing import TYPE_CHECKING, Any
from weakref import ref

from miniasync._chain_steps import End, Steps
from miniasync._circle import is_waited_for_by
from miniasync._daemon import threads
from miniasync._driven import Driven, without_this_frame
from miniasync._ends import CANCELLED, FAILED, PENDING, SUCCESS
from miniasync._future import Future
from miniasync._group import SHARED_NS
from miniasync._interest import keep_owner
from miniasync._locks import enter
from miniasync._segment import Segment, give_back, give_up, hand_over, take_links

if TYPE_CHECKING:
    from miniasync._ffi import CData
    from miniasync._flight import Flight

_CIRCLE = "a chain would wait for itself: a function returned one that waits for it"


class Chain(Steps):
    """What stands behind a chain."""

    __slots__ = ()

    def begin(self) -> CData:
        """There is nothing to prepare."""
        return True

    def hurry(self) -> None:
        """The next `advance` is not to wait until it is due."""
        self.due = None
        flight = self._current
        if isinstance(flight, Driven) and not isinstance(flight, Chain):
            flight.hurry()

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

    def _begin_step(self) -> None:
        self.due = None
        steps = self._steps
        if not steps:
            self.settle(SUCCESS)
            return
        step = steps[-1]
        if isinstance(step, End):
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
        end = End(inner)
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

    def _merge(self, inner: Chain, end: End, at: int) -> None:
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

    def _go_past(self, inner: Steps) -> None:
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
