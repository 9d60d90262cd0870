# SPDX-License-Identifier: BSD-3-Clause
"""Awaiting futures, in each library that is known."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from typing import Any

import anyio
import pytest
import trio
from gate import Gate
from loops import Run, entered, open_later

import miniasync
from miniasync import DataMover, Future, chain


def test_small(run: Run, mover: DataMover) -> None:
    async def main() -> None:
        dst = bytearray(5)
        assert await mover.memcpy(dst, b"12345") is dst
        assert dst == b"12345"
        future = mover.memset(dst, 1)
        assert await future is await future

    run(main)


def test_large(run: Run, mover: DataMover) -> None:
    async def main() -> None:
        dst = bytearray(40_000_000)
        assert await mover.memset(dst, 7) is dst
        assert dst.count(7) == len(dst)
        dst.append(0)

    run(main)


def test_a_complete_one_takes_no_turn_of_the_loop() -> None:
    async def main() -> None:
        turns: list[int] = []
        asyncio.get_running_loop().call_soon(turns.append, 1)
        await miniasync.memset(bytearray(3), 1)
        assert turns == []

    asyncio.run(main())


def test_the_loop_goes_on_meanwhile(run: Run, gate: Gate) -> None:
    dst = bytearray(5)
    steps: list[str] = []

    async def copy() -> None:
        await gate.mover.memcpy(dst, b"12345")
        steps.append("copied")

    async def other() -> None:
        await entered(gate)
        steps.append("other")
        gate.open()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(copy)
            group.start_soon(other)

    run(main)
    assert steps == ["other", "copied"]
    assert dst == b"12345"


def test_many_at_once(run: Run) -> None:
    own = not miniasync.provider().is_upstream
    done: list[int] = []

    async def copy(mover: DataMover, i: int) -> None:
        dst = bytearray(100)
        assert await mover.memset(dst, i & 255) == bytes([i & 255]) * 100
        done.append(i)

    async def main() -> None:
        with miniasync.ThreadsMover(threads=2, inline_below=0 if own else None) as m:
            async with anyio.create_task_group() as group:
                for i in range(2000):
                    group.start_soon(copy, m, i)

    run(main)
    assert sorted(done) == list(range(2000))


def test_errors_come_out(run: Run) -> None:
    async def main() -> None:
        with miniasync.SyncMover() as mover:
            future = mover.memset(bytearray(3), 1)
        with pytest.raises(miniasync.ClosedError):
            await future
        with pytest.raises(ZeroDivisionError):
            await chain(lambda _: 1 // 0)

    run(main)


def test_several_await_one(run: Run, gate: Gate) -> None:
    future = gate.mover.memcpy(bytearray(5), b"12345")
    found: list[bytearray] = []

    async def wait_for() -> None:
        found.append(await future)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(wait_for)
            await anyio.sleep(0)
            gate.open()

    run(main)
    assert found == [b"12345"] * 5


def test_a_thread_waits_for_what_a_loop_awaits(run: Run, gate: Gate) -> None:
    future = gate.mover.memcpy(bytearray(5), b"12345")
    found: list[bytearray] = []

    async def main() -> None:
        thread = threading.Thread(target=lambda: found.append(future.result()))
        async with anyio.create_task_group() as group:
            group.start_soon(wait_for)
            await entered(gate)
            thread.start()
            gate.open()
        thread.join()

    async def wait_for() -> None:
        found.append(await future)

    run(main)
    assert found == [b"12345"] * 2


def test_the_loop_itself_may_wait_for_what_it_awaits(run: Run, gate: Gate) -> None:
    future = gate.mover.memcpy(bytearray(5), b"12345")

    async def wait_for() -> None:
        assert await future == b"12345"

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(wait_for)
            await entered(gate)
            with pytest.raises(TimeoutError):
                future.result(timeout=0.01)
            gate.open()
            assert future.result() == b"12345"

    run(main)


def test_callbacks_on_the_loop(run: Run, gate: Gate) -> None:
    future = gate.mover.memcpy(bytearray(5), b"12345")
    called = threading.Event()
    future.add_done_callback(lambda _: called.set())

    async def main() -> None:
        opener = open_later(gate)
        await future
        opener.join()

    run(main)
    assert called.wait(30)


def test_outside_of_a_loop(gate: Gate) -> None:
    awaitable: Awaitable[bytearray] = gate.mover.memcpy(bytearray(5), b"12345")
    steps = awaitable.__await__()
    with pytest.raises(RuntimeError, match="asyncio and trio"):
        next(steps)
    gate.open()
    assert isinstance(awaitable, Future)
    awaitable.result()


def test_of_a_cancelled_future() -> None:
    future = miniasync.memset(bytearray(1), 1)
    future.cancel()

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await future

    asyncio.run(main())

    async def in_trio() -> None:
        with pytest.raises(CancelledError):
            await future

    trio.run(in_trio)


def test_no_library_is_imported(run_python: Callable[[str], str]) -> None:
    program = """
        import sys
        import miniasync
        miniasync.memset(bytearray(3), 1).result()
        for name in ("asyncio", "trio", "sniffio", "anyio", "numpy"):
            assert name not in sys.modules
        """
    run_python(program)


def test_asyncio_wait_is_told_what_it_takes(gate: Gate) -> None:
    """Rather than wait for ever: who calls its callback may be another thread."""

    async def main() -> None:
        future = gate.mover.memcpy(bytearray(5), b"12345").start()
        wait: Any = asyncio.wait
        if sys.version_info >= (3, 11):  # before, it saw to that itself
            with pytest.raises(TypeError, match=r"pass it asyncio.ensure_future\("):
                await wait([future])
        gate.open()
        done, _ = await asyncio.wait([asyncio.ensure_future(future)])
        assert [task.result() for task in done] == [b"12345"]

    asyncio.run(main())
