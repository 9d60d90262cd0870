# SPDX-License-Identifier: BSD-3-Clause
"""Cancelled tasks and timeouts: they wait for the end of what runs."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from gate import Gate
from loops import Run, entered

from miniasync import Future, chain

if sys.platform != "win32":
    import uvloop


def test_cancelling_waits_for_the_end(run: Run, gate: Gate) -> None:
    dst = bytearray(5)
    after: list[bytes] = []

    async def copy(scope: anyio.CancelScope) -> None:
        with scope:
            try:
                await gate.mover.memcpy(dst, b"12345")
            finally:
                after.append(bytes(dst))
                dst.append(0)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            scope = anyio.CancelScope()
            group.start_soon(copy, scope)
            await entered(gate)
            scope.cancel()
            for _ in range(10):
                await anyio.sleep(0)
            assert after == []
            gate.open()
        assert scope.cancelled_caught

    run(main)
    assert after == [b"12345"]


def test_timeouts_wait_for_the_end(run: Run, gate: Gate) -> None:
    dst = bytearray(5)

    async def main() -> None:
        with anyio.move_on_after(30) as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(expire, scope)
                await gate.mover.memcpy(dst, b"12345")
                dst.append(0)
                await anyio.sleep(0)
                pytest.fail("not cancelled")
        assert scope.cancelled_caught

    async def expire(scope: anyio.CancelScope) -> None:
        await entered(gate)
        opener.start()
        scope.deadline = -1.0

    opener = threading.Timer(0.01, gate.open)
    run(main)
    opener.join()
    assert dst == b"12345"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout is of 3.11")
def test_asyncio_timeout(gate: Gate) -> None:
    dst = bytearray(5)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0) as timeout:  # type: ignore[attr-defined]
                # After the timeout has cancelled the task.
                loop.call_later(0.001, gate.open)
                await gate.mover.memcpy(dst, b"12345")
        assert timeout.expired()
        assert dst == b"12345"
        dst.append(0)

    asyncio.run(main())


def test_asyncio_wait_for(gate: Gate) -> None:
    dst = bytearray(5)

    async def copy() -> bytearray:
        return await gate.mover.memcpy(dst, b"12345")

    async def main() -> None:
        asyncio.get_running_loop().call_later(0.02, gate.open)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(copy(), 0.001)
        dst.append(0)

    asyncio.run(main())


def listeners(future: Future[Any]) -> int:
    interest = future._flight.interest
    assert interest is not None
    return len(interest.listeners)


def test_a_cancellation_delivered_again_and_again(run: Run, gate: Gate) -> None:
    """As anyio does on asyncio, in every turn of the loop."""
    future = gate.mover.memcpy(bytearray(5), b"12345")
    counts: list[int] = []

    async def copy(scope: anyio.CancelScope) -> None:
        with scope:
            await future

    async def main() -> None:
        async with anyio.create_task_group() as group:
            scope = anyio.CancelScope()
            group.start_soon(copy, scope)
            await entered(gate)
            scope.cancel()
            for _ in range(50):
                await anyio.sleep(0)
            counts.append(listeners(future))
            gate.open()
        assert scope.cancelled_caught
        assert counts == [1]

    run(main)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_cancelling_raises_once(
    gate: Gate, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    future = gate.mover.memcpy(bytearray(5), b"12345")
    caught: list[tuple[str, ...]] = []

    async def copy() -> str:
        try:
            await future
        except asyncio.CancelledError as error:
            caught.append(error.args)
        await asyncio.sleep(0)
        return "went on"

    async def main() -> None:
        task = asyncio.ensure_future(copy())
        await entered(gate)
        for i in range(50):
            assert task.cancel(f"for reason {i}")
            await asyncio.sleep(0)
        count = listeners(future)
        assert caught == []
        gate.open()
        assert await task == "went on"
        assert count == 1
        if sys.version_info >= (3, 11):
            assert task.cancelling() == 50

    loop = new_loop()
    loop.run_until_complete(main())
    loop.close()
    assert caught == [("for reason 49",)]


def test_cancelled_as_the_end_comes(gate: Gate) -> None:
    """The cancellation wins, as in asyncio; it is neither lost nor kept."""
    future = gate.mover.memcpy(bytearray(5), b"12345")

    async def copy() -> str:
        with pytest.raises(asyncio.CancelledError):
            await future
        await asyncio.sleep(0)
        return "went on"

    async def main() -> None:
        task = asyncio.ensure_future(copy())
        await entered(gate)
        gate.open()
        future.result()
        assert task.cancel()
        assert await task == "went on"

    asyncio.run(main())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="TaskGroup is of 3.11")
def test_a_task_group_and_a_timeout_count_right(gate: Gate) -> None:
    after: list[bytes] = []
    dst = bytearray(5)

    async def copy() -> None:
        try:
            await gate.mover.memcpy(dst, b"12345")
        finally:
            after.append(bytes(dst))

    async def fail() -> None:
        await entered(gate)
        asyncio.get_running_loop().call_soon(gate.open)
        raise ZeroDivisionError

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        async with asyncio.timeout(30):  # type: ignore[attr-defined]
            with pytest.raises(Exception, match="unhandled errors") as raised:
                async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined]
                    group.create_task(fail())
                    await copy()
            errors = raised.value.exceptions  # type: ignore[attr-defined]
            assert [type(error) for error in errors] == [ZeroDivisionError]
            assert task.cancelling() == 0  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        gate.close()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):  # type: ignore[attr-defined]
                asyncio.get_running_loop().call_later(0.001, gate.open)
                await copy()
        assert task.cancelling() == 0  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    asyncio.run(main())
    assert after == [b"12345"] * 2


def test_cancelling_a_chain_starts_no_more(run: Run, gate: Gate) -> None:
    dst = bytearray(5)
    called: list[int] = []
    future = chain(
        gate.mover.memcpy(dst, b"12345"), lambda _: called.append(1), pytest.fail
    )

    async def copy(scope: anyio.CancelScope) -> None:
        with scope:
            await future

    async def main() -> None:
        async with anyio.create_task_group() as group:
            scope = anyio.CancelScope()
            group.start_soon(copy, scope)
            await entered(gate)
            scope.cancel()
            for _ in range(3):
                await anyio.sleep(0)
            gate.open()

    run(main)
    assert called == []
    assert dst == b"12345"
    assert future.cancelled()
