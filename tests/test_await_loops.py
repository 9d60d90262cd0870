# SPDX-License-Identifier: BSD-3-Clause
"""Event loops: several of them, and the end of one."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import weakref
from collections.abc import Callable

import pytest
import trio
from gate import Gate
from loops import RUNS, Run, open_later

import miniasync
from miniasync import PENDING, Future, Pending, Waker

if sys.platform != "win32":
    import uvloop


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


def test_asyncio_within_trio(gate: Gate) -> None:
    found: list[bytearray] = []

    async def copy() -> None:
        opener = open_later(gate)
        found.append(await gate.mover.memcpy(bytearray(5), b"12345"))
        opener.join()
        gate.close()

    async def main() -> None:
        await copy()
        asyncio.run(copy())
        await copy()

    trio.run(main)
    assert found == [b"12345"] * 3


@pytest.mark.forks
def test_asyncio_in_a_forked_child_of_a_trio_task(
    run_python: Callable[[str], str],
) -> None:
    program = """
        import asyncio, os, warnings
        import trio
        warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
        import miniasync
        class Countdown(miniasync.Future):
            left = 3
            def step(self, waker):
                self.left -= 1
                return miniasync.PENDING if self.left else "liftoff"
        async def count():
            assert await Countdown() == "liftoff"
        async def main():
            await count()
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    asyncio.run(count(), debug=False)
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitpid(pid, 0) == (pid, 0)
            await count()
        trio.run(main)
        """
    run_python(program)


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


@pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="the system does not list descriptors"
)
@pytest.mark.parametrize("name", ["asyncio", "trio"])
def test_a_descriptor_goes_without_the_garbage_collector(name: str, gate: Gate) -> None:
    """Also where the future that was awaited lives on."""
    kept: list[Future[bytearray]] = []

    async def main() -> None:
        opener = open_later(gate)
        kept.append(gate.mover.memcpy(bytearray(5), b"12345"))
        await kept[-1]
        opener.join()
        gate.close()

    RUNS[name](main)
    gc.collect()
    gc.disable()
    try:
        before = descriptors()
        for _ in range(10):
            RUNS[name](main)
        assert descriptors() < before + 5
    finally:
        gc.enable()


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


@pytest.mark.forks
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
