# SPDX-License-Identifier: BSD-3-Clause
"""The steps of a chain that C goes through by itself.

A segment holds the locks of its steps, which it made; they end with it. It is in
`outstanding`, and so are they.

Who wants to know of a step is told after the chain's lock has been given back, and
by then the chain may have held the last reference to the step's future: so an
interest that is to be called with the future keeps it from the giving back on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from miniasync import _ffi
from miniasync._driven import Driven
from miniasync._ends import CANCELLED, PENDING, SUCCESS
from miniasync._ffi import lib
from miniasync._flight import Flight
from miniasync._future import Future
from miniasync._interest import keep_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from miniasync._ffi import CData
    from miniasync._handle import Handle


class Segment(Flight):
    """Several steps of a chain, one after another in C."""

    __slots__ = ("_error", "_futures")

    def __init__(
        self, futures: Sequence[Future[Any]], links: Sequence[tuple[CData, CData]]
    ) -> None:
        Flight.__init__(self, futures[-1]._flight.value)
        self._error: BaseException | None = None
        self._futures = futures  # or they would be dropped while they run
        self.slot = _ffi.new_chain(links)

    def describe(self) -> str:
        """Say what it is, in a few words."""
        return f"{len(self._futures)} steps of a chain"

    def uses(self, handle: Handle) -> bool:
        """Whether it is on its way on this mover."""
        return any(future._flight.uses(handle) for future in self._futures)

    def error(self) -> BaseException:
        """What the step that failed raises."""
        return super().error() if self._error is None else self._error

    def ask_to_end(self) -> None:
        """Begin no further step."""
        lib.ma_chain_stop(self.slot)

    def begun_steps(self) -> Iterable[Flight]:
        """Its steps: they end with it."""
        return [future._flight for future in self._futures]

    def begun(self) -> CData:
        """The ``struct future *`` that C polls for it, None if there is none."""
        return None if self.slot is None else _ffi.chain_future(self.slot)

    def advance(self) -> CData:
        """See whether C has gone through."""
        chain = self.slot
        if self.code == PENDING and chain.code == _ffi.RUNNING:
            return _ffi.chain_future(chain)
        self.settle(self._end() if self.code == PENDING else self.code)
        return None

    def let_go(self) -> None:
        """Forget the steps, which have ended."""
        self._futures = ()

    def _end(self) -> int:
        """Give the steps back; the code of the one that failed, if one did."""
        code = SUCCESS
        for future in self._futures:
            flight = future._flight
            # Not so if an exception came before: this is the second time then.
            ours = flight.parent is self
            if code == SUCCESS:
                if ours:
                    flight.advance()
                if flight.code == PENDING:
                    code = CANCELLED  # stopped before it
                elif flight.code != SUCCESS:
                    code = flight.code
                    self._error = flight.error()
            if ours:
                if flight.code == PENDING:
                    flight.release()
                give_back(flight, self)
        return code


def take_links(
    first: Future[Any],
    steps: Sequence[object],
    take: Callable[[Flight], bool],
    taken: list[Flight],
) -> tuple[list[Future[Any]], list[tuple[CData, CData]]]:
    """Take steps of a chain as long as C can go through them.

    Args:
        first: The first of them.
        steps: Those that follow, the next one last.
        take: What takes one, unless it is somebody else's.
        taken: Where those that were taken are added, the last of which may be one
            that C cannot go through.

    Returns:
        Those that it can go through, and what links them.
    """
    futures: list[Future[Any]] = []
    links: list[tuple[CData, CData]] = []
    step: object = first
    while isinstance(step, Future) and not step._flight.runs_python:
        flight = step._flight
        # In one step with the taking.
        taken.extend(filter(take, (flight,)))
        if len(taken) == len(links):
            break
        link = flight.link()
        if link is None:
            break
        futures.append(step)
        links.append(link)
        if len(links) > len(steps):
            break
        step = steps[-len(links)]
    return futures, links


def hand_over(futures: Sequence[Future[Any]], segment: Segment) -> None:
    """Make them steps of the segment."""
    for future in futures:
        future._flight.parent = segment


def give_up(
    taken: Sequence[Flight], segments: Sequence[Segment], chain: Flight
) -> None:
    """Give back what was taken for a segment that there is not; twice is fine."""
    for segment in segments:
        segment.settle(CANCELLED)  # C never polls it
    for flight in taken:
        parent = flight.parent
        if parent is chain or parent in segments:
            give_back(flight, chain)


def give_back(step: Flight, chain: Flight) -> None:
    """End the time of a step with a chain.

    Who wants to know of it is told when no lock is held any more.
    """
    root = chain.root()
    assert isinstance(root, Driven)
    if step.code != PENDING or step.slot is not None:
        keep_owner(step)  # `attend` lets go of it
    # Now, since a signal handler's exception may follow; and below, since who looks
    # now still finds the lock taken. One that goes on may be of interest in between.
    if step.interest is not None or step.code == PENDING:
        root.left.append(step)
    # In this order: who sees that no chain has it does not take its `holder`, who
    # began it with the chain, for somebody who is about it now.
    step.holder = None
    step.parent = None
    step.lock.release()
    if step.interest is not None:
        root.left.append(step)
