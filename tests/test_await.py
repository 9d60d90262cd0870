# SPDX-License-Identifier: BSD-3-Clause
"""Awaiting futures, in each library that is known."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

import anyio
import pytest
import trio
from gate import Gate

import miniasync
from miniasync import PENDING, DataMover, Future, Pending, Waker, chain

if sys.platform != "win32":
    import uvloop

T = TypeVar("T")
Main = Callable[[], Coroutine[Any, Any, None]]
Run = Callable[[Main], None]


def run_uvloop(main: Main) -> None:
    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


RUNS: dict[str, Run] = {
    "asyncio": lambda main: asyncio.run(main()),
    "uvloop": run_uvloop,
    "trio": lambda main: trio.run(main),
    "anyio": lambda main: anyio.run(main),
}


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest) -> Run:
    """What runs a coroutine function in one of the libraries."""
    return RUNS[request.param]


def open_later(gate: Gate) -> threading.Thread:
    """Open the gate as soon as a worker is there."""

    def main() -> None:
        gate.wait_entered()
        gate.open()

    thread = threading.Thread(target=main)
    thread.start()
    return thread


async def entered(gate: Gate) -> None:
    """Wait, without blocking the loop, until a worker is at the gate."""
    await anyio.to_thread.run_sync(gate.wait_entered)


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


def test_several_loops_in_several_threads(run: Run) -> None:
    done: list[int] = []

    async def main() -> None:
        for _ in range(20):
            dst = bytearray(100_000)
            await miniasync.memset(dst, 1)
            assert dst.count(1) == len(dst)
        done.append(1)

    threads = [threading.Thread(target=run, args=(main,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [1] * 4


def test_two_loops_await_one(gate: Gate) -> None:
    future = gate.mover.memcpy(bytearray(5), b"12345").start()
    gate.wait_entered()
    waiting = threading.Semaphore(0)
    found: list[bytearray] = []

    async def main() -> None:
        asyncio.get_running_loop().call_soon(waiting.release)
        found.append(await future)

    threads = [
        threading.Thread(target=lambda: asyncio.run(main())),
        threading.Thread(target=lambda: trio.run(main_trio)),
        threading.Thread(target=lambda: asyncio.run(main())),
    ]

    async def main_trio() -> None:
        waiting.release()
        found.append(await future)

    for thread in threads:
        thread.start()
        assert waiting.acquire(timeout=30)
    gate.open()
    for thread in threads:
        thread.join()
    assert found == [b"12345"] * 3


def test_trio_as_a_guest_of_asyncio(gate: Gate) -> None:
    found: list[bytearray] = []

    async def guest() -> None:
        found.append(await gate.mover.memcpy(bytearray(5), b"12345"))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        trio.lowlevel.start_guest_run(
            guest,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=ended.set_result,
        )
        opener = open_later(gate)
        await ended
        opener.join()
        assert await miniasync.memset(bytearray(1), 1) == b"\1"

    asyncio.run(main())
    assert found == [b"12345"]


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


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="the system does not list descriptors"
)
def test_a_descriptor_goes_with_its_loop(run: Run, gate: Gate) -> None:
    async def main() -> None:
        opener = open_later(gate)
        await gate.mover.memcpy(bytearray(5), b"12345")
        opener.join()
        gate.close()

    run(main)
    gc.collect()
    before = descriptors()
    for _ in range(10):
        run(main)
    gc.collect()
    # Other tests may have left some, and uvloop may be late with one.
    assert descriptors() < before + 5


def test_a_loop_goes_when_it_is_forgotten() -> None:
    """Also if it has a timer of ours left."""

    class Never(Future[None]):
        def step(self, waker: Waker) -> Pending:
            self.waker = waker
            return PENDING

    async def await_it() -> None:
        await Never()

    async def main() -> weakref.ref[asyncio.AbstractEventLoop]:
        loop = asyncio.get_running_loop()
        task = loop.create_task(await_it())
        await asyncio.sleep(0)
        task.cancel()
        return weakref.ref(loop)

    loop = asyncio.run(main())
    gc.collect()
    assert loop() is None


def test_a_closed_loop_leaves_nothing_behind(gate: Gate) -> None:
    future = gate.mover.memcpy(bytearray(5), b"12345")
    called = threading.Event()

    async def await_it() -> None:
        await future

    loop = asyncio.new_event_loop()
    task = loop.create_task(await_it())
    loop.run_until_complete(asyncio.sleep(0))
    gate.wait_entered()
    future.add_done_callback(lambda _: called.set())
    loop.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    gate.open()
    assert called.wait(30)
    assert future.result() == b"12345"


def test_after_a_fork(run_python: Callable[[str], str]) -> None:
    program = """
        import asyncio, os, warnings
        warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
        import miniasync
        from gate import Gate
        # In debug mode asyncio warns of a slow machine.
        async def main():
            for _ in range(3):
                dst = bytearray(1_000_000)
                await miniasync.memset(dst, 1)
                assert dst.count(1) == len(dst)
        asyncio.run(main(), debug=False)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                asyncio.run(main(), debug=False)
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0) == (pid, 0)
        asyncio.run(main(), debug=False)
        """
    run_python(program)


def test_no_library_is_imported(run_python: Callable[[str], str]) -> None:
    program = """
        import sys
        import miniasync
        miniasync.memset(bytearray(3), 1).result()
        for name in ("asyncio", "trio", "sniffio", "anyio", "numpy"):
            assert name not in sys.modules
        """
    run_python(program)


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


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_loop_in_one_thread_after_the_other(
    gate: Gate, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    found: list[bytearray] = []
    loop = new_loop()

    async def copy() -> None:
        gate.close()
        opener = open_later(gate)
        found.append(await gate.mover.memcpy(bytearray(5), b"12345"))
        opener.join()

    loop.run_until_complete(copy())
    thread = threading.Thread(target=lambda: loop.run_until_complete(copy()))
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    loop.run_until_complete(copy())
    loop.close()
    assert found == [b"12345"] * 3


@pytest.mark.filterwarnings("ignore:.*was dropped:ResourceWarning")
def test_dropped_when_its_loop_has_stopped(gate: Gate) -> None:
    dst = bytearray(5)

    async def copy() -> None:
        await gate.mover.memcpy(dst, b"12345")

    async def main() -> None:
        task = loop.create_task(steps)
        await asyncio.sleep(0)
        task._log_destroy_pending = False  # type: ignore[attr-defined]

    loop = asyncio.new_event_loop()
    steps = copy()
    loop.run_until_complete(main())
    gate.wait_entered()
    steps.close()
    gate.open()
    while gate.mover.stats().pending:
        pass
    dst.append(0)
    loop.close()
