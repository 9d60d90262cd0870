# SPDX-License-Identifier: BSD-3-Clause
"""Cancelled tasks and timeouts: they wait for the end of what runs."""

from __future__ import annotations

import asyncio
import sys
import threading

import anyio
import pytest
from gate import Gate
from loops import Run, entered

from miniasync import chain


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
