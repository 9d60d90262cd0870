# SPDX-License-Identifier: BSD-3-Clause
"""Awaiting futures of the user's own, also as steps of a chain."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable

import anyio
import pytest
import trio
from gate import Gate
from loops import Run, entered

from miniasync import PENDING, Future, Pending, Waker, chain


class Event(Future[int]):
    """Complete when it is set."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self.value: int | None = None
        self.waker: Waker | None = None

    def step(self, waker: Waker) -> int | Pending:
        self.steps += 1
        self.waker = waker
        return PENDING if self.value is None else self.value

    def set(self, value: int) -> None:
        self.value = value
        if self.waker is not None:
            self.waker.wake()


def test_futures_of_the_users_own(run: Run) -> None:
    class Countdown(Future[str]):
        left = 5

        def step(self, waker: Waker) -> str | Pending:
            self.left -= 1
            return PENDING if self.left else "liftoff"

    async def main() -> None:
        assert await Countdown() == "liftoff"
        assert await chain(Countdown(), str.upper) == "LIFTOFF"

    run(main)


def test_a_waker_wakes_the_loop(run: Run) -> None:
    event = Event()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(setter)
            assert await event == 7

    async def setter() -> None:
        while event.waker is None:
            await anyio.sleep(0)
        event._flight._pause_ns = 10**12  # type: ignore[attr-defined]
        thread = threading.Thread(target=event.set, args=(7,))
        thread.start()
        thread.join()

    run(main)


def test_cancelling_a_future_of_the_users_own(run: Run) -> None:
    async def wait_for(event: Event, scope: anyio.CancelScope) -> None:
        with scope:
            await event

    async def main() -> None:
        event = Event()
        async with anyio.create_task_group() as group:
            scope = anyio.CancelScope()
            group.start_soon(wait_for, event, scope)
            while event.waker is None:
                await anyio.sleep(0)
            scope.cancel()
        assert event.cancelled()

    run(main)


def test_a_future_that_wakes_itself_leaves_the_loop_its_turns(run: Run) -> None:
    class Busy(Future[str]):
        over = False

        def step(self, waker: Waker) -> str | Pending:
            waker.wake()
            return "over" if self.over else PENDING

    busy = Busy()
    found: list[str] = []

    async def wait_for(awaitable: Awaitable[str]) -> None:
        found.append(await awaitable)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(wait_for, chain(busy, str.upper))
            group.start_soon(wait_for, busy)
            for _ in range(3):
                await anyio.sleep(0)
            busy.over = True

    run(main)
    assert sorted(found) == ["OVER", "over"]


def test_a_chain_comes_to_a_future_of_the_users_own(run: Run, gate: Gate) -> None:
    stepped_in: set[int] = set()

    class Countdown(Future[str]):
        left = 3

        def step(self, waker: Waker) -> str | Pending:
            stepped_in.add(threading.get_ident())
            self.left -= 1
            return PENDING if self.left else "liftoff"

    called: list[str] = []
    future = chain(gate.mover.memcpy(bytearray(5), b"12345"), lambda _: Countdown())
    # Now the loop is not the only one that wants to know.
    future.add_done_callback(lambda done: called.append(done.result()))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(wait_for)
            await entered(gate)
            gate.open()

    async def wait_for() -> None:
        with anyio.fail_after(30):
            assert await future == "liftoff"

    run(main)
    assert called == ["liftoff"]
    assert stepped_in == {threading.get_ident()}


def test_one_that_quits_does_not_take_others_along(gate: Gate) -> None:
    async def quit() -> None:
        def function(_: object) -> None:
            raise KeyboardInterrupt

        await chain(gate.mover.memcpy(bytearray(5), b"12345"), function)

    async def copy() -> bytearray:
        return await gate.mover.memcpy(bytearray(5), b"12345")

    loop = asyncio.new_event_loop()
    bad = loop.create_task(quit())
    tasks = [loop.create_task(copy()) for _ in range(3)]
    loop.run_until_complete(asyncio.sleep(0))
    gate.wait_entered()
    threading.Timer(0.02, gate.open).start()
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(asyncio.wait({bad, *tasks}))
    # The task raises it once more.
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(bad)
    assert loop.run_until_complete(asyncio.gather(*tasks)) == [b"12345"] * 3
    loop.close()


class Quits(Future[int]):
    """From its second step on it raises something that is not for it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error
        self.steps = -1

    def step(self, waker: Waker) -> Pending:
        self.steps += 1
        if self.steps > 0:
            raise self.error
        return PENDING


ERRORS = [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("kind", ["alone", "chain", "step of one", "taken in"])
def test_trio_goes_on_whatever_a_step_raises(error: BaseException, kind: str) -> None:
    """Not in a system task, where it would be trio's internal error."""
    caught: list[BaseException] = []
    other = Event()

    async def quit() -> None:
        future = Quits(error)
        whole = chain(future, str)
        if kind == "taken in":
            inner, whole = whole, chain(whole, str)
        if kind in ("step of one", "taken in"):
            future.steps -= 1
            whole.start()
        awaited = {"alone": future, "chain": whole, "step of one": future}
        try:
            await (inner if kind == "taken in" else awaited[kind])
        except BaseException as raised:
            caught.append(raised)
        steps = future.steps
        other.set(5)
        await trio.sleep(0.02)  # the watch would have come to it again
        assert future.steps == steps

    async def wait_for() -> None:
        assert await other == 5

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for)
            nursery.start_soon(quit)

    trio.run(main)
    assert caught == [error]


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_trio_goes_on_whatever_a_function_or_a_callback_raises(
    gate: Gate, is_cancelled: bool
) -> None:
    """A callback may be called within trio's own `cancel`."""
    caught: list[BaseException] = []

    def quit(_: object) -> None:
        raise SystemExit(3)

    async def wait_for(scope: trio.CancelScope) -> None:
        copied = gate.mover.memcpy(bytearray(5), b"12345")
        future = chain(copied, Event() if is_cancelled else quit)
        if is_cancelled:
            future.add_done_callback(quit)
        with scope:
            try:
                await future
            except SystemExit as error:
                caught.append(error)

    async def main() -> None:
        scope = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for, scope)
            await trio.to_thread.run_sync(gate.wait_entered)
            gate.open()
            if is_cancelled:
                await trio.sleep(0.01)
                scope.cancel()

    trio.run(main)
    assert [type(error) for error in caught] == [SystemExit]
