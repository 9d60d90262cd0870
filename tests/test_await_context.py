# SPDX-License-Identifier: BSD-3-Clause
"""Context variables: every task's own."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import anyio
import pytest
from gate import Gate
from loops import Run, entered, open_later

from miniasync import PENDING, Future, Pending, Waker, chain

if sys.platform != "win32":
    import uvloop

name: ContextVar[object] = ContextVar("name", default="nobody's")


class Steps(Future[list[object]]):
    """What its steps see."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[object] = []

    def step(self, waker: Waker) -> list[object] | Pending:
        self.seen.append(name.get())
        name.set("a step's")
        return PENDING if len(self.seen) < 4 else self.seen


def test_steps_and_functions_see_the_task_that_awaits(run: Run, gate: Gate) -> None:
    seen: dict[str, list[object]] = {}

    async def task(own: str) -> None:
        name.set(own)
        copied = chain(gate.mover.memcpy(bytearray(5), b"12345"), lambda _: name.get())
        seen[own] = [await copied]
        name.set(own)
        steps = await Steps()
        # The first is the task's own doing, in its own context.
        assert steps == [own] + ["a step's"] * 3
        assert name.get() == "a step's"

    async def main() -> None:
        # Whoever is the first on this loop is not to lend them its own.
        name.set("the first's")
        opener = open_later(gate)
        await gate.mover.memcpy(bytearray(5), b"12345")
        opener.join()
        gate.close()
        async with anyio.create_task_group() as group:
            group.start_soon(task, "a")
            group.start_soon(task, "b")
            await entered(gate)
            gate.open()

    run(main)
    assert seen == {"a": ["a"], "b": ["b"]}


def test_callbacks_see_who_added_them(run: Run, gate: Gate) -> None:
    seen: list[object] = []
    called = threading.Event()
    future = gate.mover.memcpy(bytearray(5), b"12345")

    def callback(_: object) -> None:
        seen.append(name.get())
        name.set("a callback's")
        if len(seen) == 2:
            called.set()

    async def wait_for() -> None:
        name.set("the task's")
        await future
        assert name.get() == "the task's"

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(wait_for)
            await entered(gate)
            for own in ("a", "b"):
                name.set(own)
                future.add_done_callback(callback)
            gate.open()

    run(main)
    assert called.wait(30)
    assert seen == ["a", "b"]
    future.add_done_callback(callback)
    assert seen[2:] == ["nobody's"]
    assert name.get() == "nobody's"


def test_functions_on_the_packages_thread_see_who_started_them(gate: Gate) -> None:
    def look(_: object) -> object:
        found = name.get()
        name.set("a function's")
        return found

    futures: list[Future[object]] = []
    for own in ("a", "b", "c"):
        name.set(own)
        futures.append(chain(gate.mover.memcpy(bytearray(5), b"12345"), look).start())
    name.set("nobody's")
    called = threading.Semaphore(0)
    for future in futures:
        future.add_done_callback(lambda _: called.release())
    gate.open()
    for _ in futures:
        assert called.acquire(timeout=30)
    assert [future.result() for future in futures] == ["a", "b", "c"]


def test_the_packages_thread_is_quicker_than_who_awaits(gate: Gate) -> None:
    """It calls the function between the start and the sleep."""
    called = threading.Event()

    def look(_: object) -> object:
        called.set()
        return name.get()

    async def main() -> None:
        name.set("the task's")
        future = chain(gate.mover.memcpy(bytearray(5), b"12345"), look)
        future.poll()
        gate.open()
        assert called.wait(30)
        assert await future == "the task's"

    asyncio.run(main())


class Thing:
    pass


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_loop_keeps_nobodys_context(
    gate: Gate, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    futures: list[Future[Any]] = []

    async def task() -> weakref.ref[Thing]:
        thing = Thing()
        name.set(thing)
        futures.append(chain(gate.mover.memcpy(bytearray(5), b"12345"), len))
        futures.append(Steps())
        futures[0].add_done_callback(lambda _: None)
        opener = open_later(gate)
        for future in futures:
            await future
        opener.join()
        futures.pop()  # which has seen it
        return weakref.ref(thing)

    async def main() -> None:
        thing = await asyncio.ensure_future(task())
        gc.collect()
        assert thing() is None

    loop = new_loop()
    loop.run_until_complete(main())
    loop.close()
