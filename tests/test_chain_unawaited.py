# SPDX-License-Identifier: BSD-3-Clause
"""Chains that nobody waits for, with steps that somebody does."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from time import monotonic
from types import FrameType
from typing import Any

import anyio
import pytest
from gate import Gate
from loops import Run, entered
from own import Countdown

from miniasync import PENDING, Future, Pending, Waker, chain
from miniasync._sequence import Chain


class Never(Future[str]):
    """Not complete unless told; notes the threads that it is stepped in."""

    def __init__(self) -> None:
        super().__init__()
        self.over = False
        self.stepped_in: set[int] = set()

    def step(self, waker: Waker) -> str | Pending:
        self.stepped_in.add(threading.get_ident())
        return "over" if self.over else PENDING


def alone(gate: Gate) -> tuple[Future[Any], Future[Any]]:
    copy = gate.mover.memcpy(bytearray(5), b"12345")
    return copy, chain(copy, Never())


def in_c(gate: Gate) -> tuple[Future[Any], Future[Any]]:
    first = gate.mover.memcpy(bytearray(5), b"abcde")
    copy = gate.mover.memcpy(bytearray(5), b"12345")
    return copy, chain(first, copy, Never())


def in_a_chain(gate: Gate) -> tuple[Future[Any], Future[Any]]:
    copy = gate.mover.memcpy(bytearray(5), b"abcde")
    inner = chain(copy, lambda _: b"12345")
    return inner, chain(inner, Never())


def deep_within(gate: Gate) -> tuple[Future[Any], Future[Any]]:
    copy = gate.mover.memcpy(bytearray(5), b"12345")
    inner = chain(lambda _: copy, lambda _: None)
    return copy, chain(chain(inner, Never()), Never())


@pytest.fixture(params=[alone, in_c, in_a_chain, deep_within])
def made(request: pytest.FixtureRequest, gate: Gate) -> tuple[Future[Any], Future[Any]]:
    """A step that is or has a copy at the gate, and the chain that is not awaited."""
    step, whole = request.param(gate)
    return step, whole


class Called:
    """A callback of a step."""

    def __init__(self) -> None:
        self._calls = threading.Semaphore(0)

    def __call__(self, _: object) -> None:
        self._calls.release()

    def wait(self, gate: Gate) -> None:
        """Let the copy through; return when the callback has been called."""
        gate.wait_entered()
        gate.open()
        assert self._calls.acquire(timeout=30)


def test_a_step_is_awaited(
    run: Run, gate: Gate, made: tuple[Future[Any], Future[Any]]
) -> None:
    step, whole = made
    whole.poll()
    got: list[object] = []

    async def wait_for() -> None:
        got.append(await step)

    async def main() -> None:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(wait_for)
                await entered(gate)
                gate.open()

    run(main)
    assert got == [b"12345"]
    assert whole.running()


def test_a_step_has_a_callback(
    gate: Gate, made: tuple[Future[Any], Future[Any]]
) -> None:
    step, whole = made
    whole.poll()
    called = Called()
    step.add_done_callback(called)
    called.wait(gate)
    assert step.result() == b"12345"
    assert whole.running()


def test_a_callback_was_there_before_the_chain(
    gate: Gate, made: tuple[Future[Any], Future[Any]]
) -> None:
    step, whole = made
    called = Called()
    step.add_done_callback(called)
    whole.poll()
    called.wait(gate)


def test_a_step_is_looked_at(gate: Gate, made: tuple[Future[Any], Future[Any]]) -> None:
    step, whole = made
    whole.poll()
    gate.wait_entered()
    gate.open()
    deadline = monotonic() + 30
    while not step.done():
        assert monotonic() < deadline
    assert whole.running()


def test_a_step_of_the_users_own_is_awaited(run: Run, gate: Gate) -> None:
    own = Countdown(5)
    copy = gate.mover.memcpy(bytearray(5), b"12345")
    whole = chain(own, copy, Never())
    whole.poll()
    got: dict[Future[Any], object] = {}

    async def wait_for(future: Future[Any]) -> None:
        got[future] = await future

    async def main() -> None:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(wait_for, own)
                group.start_soon(wait_for, copy)
                await entered(gate)
                gate.open()

    run(main)
    assert got == {own: "liftoff", copy: b"12345"}
    assert whole.running()


def test_no_thread_steps_what_is_the_users_own(gate: Gate) -> None:
    copy = gate.mover.memcpy(bytearray(5), b"12345")
    never = Never()
    whole = chain(copy, never, lambda _: None)
    never.add_done_callback(lambda _: None)
    called = Called()
    copy.add_done_callback(called)
    whole.poll()
    called.wait(gate)
    never.over = True
    whole.result()
    assert never.stepped_in == {threading.get_ident()}


def test_a_loop_that_rests_keeps_no_callback_waiting(
    gate: Gate, made: tuple[Future[Any], Future[Any]]
) -> None:
    step, whole = made
    whole.poll()
    called = Called()

    async def wait_for() -> None:
        await step

    loop = asyncio.new_event_loop()
    task = loop.create_task(wait_for())
    loop.run_until_complete(asyncio.sleep(0))
    step.add_done_callback(called)
    called.wait(gate)
    loop.run_until_complete(task)
    loop.close()


@pytest.mark.parametrize("place", ["_merge", "begun_steps"])
def test_a_callback_comes_while_a_chain_is_taken_in(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Who comes finds neither the one chain nor the other, or the first one only."""
    copy = gate.mover.memcpy(bytearray(5), b"12345")
    inner = chain(copy, Never())
    whole = chain(inner, lambda _: None)
    inner.start()
    called = Called()
    acts: list[Callable[[], object]] = [
        lambda: copy.add_done_callback(called),
        whole.poll,
    ]
    first, then = acts[::-1] if place == "_merge" else acts
    real = getattr(Chain, place)

    def interrupted(*args: Any) -> Any:
        monkeypatch.undo()
        thread = threading.Thread(target=then)
        thread.start()
        thread.join(30)
        return real(*args)

    monkeypatch.setattr(Chain, place, interrupted)
    first()
    assert getattr(Chain, place) is real
    assert inner._flight.parent is whole._flight
    called.wait(gate)


def calls(function: Callable[[], object]) -> int:
    """How many functions it calls, and theirs."""
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", ["long", "nested"])
def test_a_look_takes_no_longer_for_one_with_many_steps(kind: str) -> None:
    counts: list[int] = []
    for many in (3, 300):
        made: list[Future[Any]] = [Never()]
        for _ in range(many):
            made.append(Never() if kind == "long" else chain(made[-1], str))
        whole = chain(*made) if kind == "long" else made[-1]
        whole.poll()
        counts.append(calls(whole.poll))
    assert counts[0] == counts[1]
