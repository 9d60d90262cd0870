# SPDX-License-Identifier: BSD-3-Clause
"""What is to be looked at, and when: against a dict, and interrupted."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniasync import PENDING, Future, Pending, Waker, _due
from miniasync._due import NEVER, Due
from miniasync._flight import Flight

FLIGHTS = [Flight(None) for _ in range(5)]
OTHER = Flight(None)

which = st.integers(0, len(FLIGHTS) - 1)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("add"), which, st.integers(0, 20)),
        st.tuples(st.just("discard"), which, st.just(0)),
        st.tuples(st.just("first"), st.just(0), st.just(0)),
        st.tuples(st.just("take"), st.just(0), st.integers(0, 20)),
    ),
    max_size=300,
)


class Model:
    """What a dict would do."""

    def __init__(self) -> None:
        self.due: dict[Flight, int] = {}

    def act(self, due: Due, action: str, flight: Flight, when: int) -> None:
        if action == "add":
            due.add(flight, when)
            self.due[flight] = when
        elif action == "discard":
            due.discard(flight)
            self.due.pop(flight, None)
        elif action == "first":
            assert due.first() == min(self.due.values(), default=NEVER)
        else:
            taken = due.take(when)
            assert set(taken) == {f for f, at in self.due.items() if at <= when}
            times = [self.due[flight] for flight in taken]
            assert times == sorted(times)
            for flight in taken:
                due.discard(flight)
                del self.due[flight]

    def check(self, due: Due) -> None:
        assert len(due) == len(self.due)
        assert set(due.flights()) == set(self.due)
        assert all(flight in due for flight in self.due)
        self.act(due, "first", FLIGHTS[0], 0)
        self.act(due, "take", FLIGHTS[0], 100)


@given(actions)
def test_as_a_dict(actions: list[tuple[str, int, int]]) -> None:
    due, model = Due(), Model()
    for action, i, when in actions:
        model.act(due, action, FLIGHTS[i], when)
    model.check(due)


class Interruption(Exception):
    pass


ACTIONS: dict[str, Callable[[Due], object]] = {
    "first": Due.first,
    "take": lambda due: due.take(6),
    "take fewer": lambda due: due.take(2),
    "add": lambda due: due.add(FLIGHTS[4], 4),
    "discard": lambda due: due.discard(FLIGHTS[1]),
}

MEANWHILE: dict[str, Callable[[Due], object]] = {
    "nothing": lambda due: None,
    "first": Due.first,
    "add": lambda due: due.add(OTHER, 0),
    "discard": lambda due: due.discard(FLIGHTS[2]),
}


def interrupted(
    action: Callable[[Due], object],
    due: Due,
    step: int,
    then: Callable[[Due], object],
    raise_after: int | None,
) -> tuple[bool, object]:
    """Do something before one bytecode of an action; was there such a one?"""
    left = step

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename != _due.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            if left == 0:
                sys.settrace(None)
                left -= 1
                then(due)
                sys.settrace(trace)
            left -= 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        found = action(due)
    finally:
        sys.settrace(before)
    return left < 0, found


@pytest.mark.parametrize("raise_after", [None, *range(12)])
@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("action", ACTIONS)
def test_between_any_two_steps(
    action: str,
    meanwhile: str,
    raise_after: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Signal handlers, finalizers and other threads come anywhere."""
    act, then = ACTIONS[action], MEANWHILE[meanwhile]

    for step in range(1000):
        monkeypatch.setattr(_due, "_FEW", 64)
        due, model = Due(), {FLIGHTS[1]: 6, FLIGHTS[2]: 5, FLIGHTS[3]: 9}
        for when in (1, 2, 3):
            due.add(FLIGHTS[0], when)
        due.add(FLIGHTS[1], 4)  # later it is 6
        for flight, when in model.items():
            due.add(flight, when)
        due.discard(FLIGHTS[0])
        if action == "add":
            monkeypatch.setattr(_due, "_FEW", -5)  # it is to sweep
        if meanwhile == "add":
            model[OTHER] = 0
        if meanwhile == "discard":
            del model[FLIGHTS[2]]
        if action == "add":
            model[FLIGHTS[4]] = 4
        if action == "discard":
            model.pop(FLIGHTS[1])
        try:
            was_there, taken = interrupted(act, due, step, then, raise_after)
        except Interruption:
            was_there, taken = True, []
            # As who is interrupted does.
            if action in ("add", "discard"):
                act(due)
            if action.startswith("take"):
                for flight in due.flights():
                    due.add(flight, model[flight])
        if not was_there:
            break
        if action.startswith("take"):
            assert isinstance(taken, list)
            for flight in taken:
                if flight in due:
                    due.add(flight, model[flight])
        assert due.first() == min(model.values())
        assert {*due.take(NEVER)} == {*model}
    assert 5 < step < 999


def test_what_is_forgotten_is_not_kept() -> None:
    """Added again and again behind one that stays, as by who polls it."""
    due = Due()
    due.add(FLIGHTS[0], 0)
    for when in range(10_000):
        due.add(FLIGHTS[1], 1 + when)
        due.discard(FLIGHTS[1])
    assert len(due._heap) < 200
    assert due.first() == 0


def test_several_threads_lose_none() -> None:
    due = Due()
    flights = [[Flight(None) for _ in range(50)] for _ in range(3)]
    over = threading.Event()

    def add(mine: list[Flight]) -> None:
        for turn in range(40):
            for i, flight in enumerate(mine):
                due.add(flight, turn + i)
                if turn % 3:
                    due.discard(flight)
                    due.add(flight, i)

    def look() -> None:
        while not over.is_set():
            due.first()

    threads = [threading.Thread(target=add, args=(mine,)) for mine in flights]
    looker = threading.Thread(target=look)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        looker.start()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        over.set()
        looker.join()
        sys.setswitchinterval(interval)
    assert set(due.take(NEVER)) == {flight for mine in flights for flight in mine}


class Counted(dict[Flight, Any]):
    """Counts how often somebody goes through all of it."""

    times = 0

    def copy(self) -> Counted:
        self.times += 1
        return Counted(super().copy())

    def __iter__(self) -> Iterator[Flight]:
        self.times += 1
        return super().__iter__()


def test_awaiting_one_does_not_go_through_the_others() -> None:
    """User futures that are pending cost those that begin or end nothing."""

    class Event(Future[int]):
        value: int | None = None
        waker: Waker | None = None

        def step(self, waker: Waker) -> int | Pending:
            self.waker = waker
            return PENDING if self.value is None else self.value

    async def wait_for(event: Event) -> int:
        return await event

    async def main() -> None:
        from miniasync._asyncio import _watches

        first = asyncio.ensure_future(wait_for(event := Event()))
        await asyncio.sleep(0)
        due = _watches[asyncio.get_running_loop()]._due
        entries = due._entries = Counted(due._entries)
        events = [Event() for _ in range(300)]
        tasks = [asyncio.ensure_future(wait_for(event)) for event in events]
        await asyncio.sleep(0)
        assert len(entries) == 301
        for pending in [event, *events]:
            pending.value = 1
            assert pending.waker is not None
            pending.waker.wake()
        assert sum(await asyncio.gather(first, *tasks)) == 301
        # Now and then what is no longer needed is swept out.
        assert entries.times <= 10

    asyncio.run(main())


@pytest.mark.parametrize("taken_meanwhile", [False, True])
def test_another_thread_takes_the_last(taken_meanwhile: bool) -> None:
    class Heap(list[Any]):
        """Another thread comes between the look at it and the next step."""

        def __bool__(self) -> bool:
            is_full = len(self) > 0
            if taken_meanwhile:
                self.clear()
            return is_full

    for act in (Due.first, lambda due: due.take(9)):
        due = Due()
        due._heap = Heap()
        due.add(FLIGHTS[0], 5)
        found = act(due)
        assert (found in (NEVER, [])) is taken_meanwhile
