# SPDX-License-Identifier: BSD-3-Clause
"""Batches as futures: when they start, how they end, what they leave."""

from __future__ import annotations

import asyncio
import gc
import os
import textwrap
import threading
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest
from gate import Gate
from pinned import free

import miniasync
from miniasync import DataMover, State

BIG = 1 << 16


def copies(mover: DataMover, count: int = 3) -> Any:
    """A batch that a gate's workers stop at, and its destinations."""
    dsts = [bytearray(BIG) for _ in range(count)]
    return mover.memcpy_batch([(dst, b"x" * BIG) for dst in dsts]), dsts


class TestStates:
    def test_one_that_runs(self, gate: Gate) -> None:
        batch, dsts = copies(gate.mover)
        assert batch.state is State.IDLE
        assert not batch.running()
        assert repr(batch) == "<miniasync.Future: batch of 3 memcpy operations, idle>"
        assert batch.start() is batch
        gate.wait_entered()
        assert batch.running()
        assert not batch.cancel()
        assert "running" in repr(batch)
        assert not any(map(free, dsts))
        with pytest.raises(TimeoutError):
            batch.result(timeout=0)
        with pytest.raises(TimeoutError):
            batch.exception(timeout=0.01)
        gate.open()
        assert batch.exception() is None
        assert batch.result() == [b"x" * BIG] * 3
        assert batch.done()
        assert all(map(free, dsts))

    def test_cancelled_before_the_start(self, mover: DataMover) -> None:
        batch, dsts = copies(mover)
        assert batch.cancel()
        assert batch.cancelled()
        assert all(map(free, dsts))
        with pytest.raises(CancelledError):
            batch.result()
        assert not any(map(any, dsts))

    def test_dropped_before_the_start(self, mover: DataMover) -> None:
        batch, dsts = copies(mover)
        assert not any(map(free, dsts))
        del batch
        assert all(map(free, dsts))

    def test_nobody_keeps_the_memory_beyond_the_end(self, mover: DataMover) -> None:
        batch, dsts = copies(mover)
        pins = batch._flight.pins
        batch.result()
        assert all(map(free, dsts))
        pins.unpin()

    def test_its_mover_is_closed_before_the_start(self) -> None:
        with miniasync.ThreadsMover(2) as mover:
            batch, dsts = copies(mover)
        with pytest.raises(miniasync.ClosedError):
            batch.result()
        assert all(map(free, dsts))

    def test_closing_waits(self, gate: Gate) -> None:
        batch, dsts = copies(gate.mover)
        batch.start()
        gate.wait_entered()
        gate.open()
        gate.mover.close()
        assert all(map(free, dsts))
        assert batch.result() == [b"x" * BIG] * 3

    def test_with_and_an_exception(self, gate: Gate) -> None:
        batch, dsts = copies(gate.mover)
        with pytest.raises(KeyError), batch:
            gate.wait_entered()
            gate.open()
            raise KeyError
        assert dsts == [b"x" * BIG] * 3
        assert all(map(free, dsts))

    def test_dropped_while_it_runs(self, gate: Gate) -> None:
        batch, dsts = copies(gate.mover)
        batch.start()
        gate.wait_entered()
        with pytest.warns(ResourceWarning, match="batch of 3 memcpy.*was dropped"):
            del batch
        assert not any(map(free, dsts))
        gate.open()
        while not all(map(free, dsts)):
            pass
        assert dsts == [b"x" * BIG] * 3

    def test_a_destination_may_be_its_owner(self, gate: Gate) -> None:
        class Owner(bytearray):
            batch: object

        dst = Owner(BIG)
        dst.batch = gate.mover.memcpy_batch([(dst, b"x" * BIG)]).start()
        gone = weakref.ref(dst)
        gate.wait_entered()
        del dst
        gc.collect()
        assert gone() is not None
        gate.open()
        gate.mover.close()
        gc.collect()
        assert gone() is None

    def test_two_threads_wait(self, gate: Gate) -> None:
        batch, _ = copies(gate.mover)
        results: list[object] = []
        threads = [
            threading.Thread(target=lambda: results.append(batch.result()))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        gate.wait_entered()
        gate.open()
        for thread in threads:
            thread.join()
        assert results == [[b"x" * BIG] * 3] * 2


class TestTogether:
    def test_wait_and_as_completed(self, mover: DataMover) -> None:
        a, b = bytearray(BIG), bytearray(BIG)
        first = mover.memset_batch((a, 1), dst_offsets=range(0, BIG, 64), lengths=64)
        second = mover.memcpy_batch([(b, b"x" * BIG)])
        single = mover.memset(bytearray(BIG), 3)
        done, not_done = miniasync.wait([first, second, single])
        assert (len(done), not_done) == (3, set())
        assert a == b"\1" * BIG
        both: list[Any] = [first, second]
        assert set(miniasync.as_completed(both)) == set(both)

    def test_runtime(self, mover: DataMover) -> None:
        batch, dsts = copies(mover)
        with miniasync.Runtime() as runtime:
            runtime.wait(batch)
        assert dsts == [b"x" * BIG] * 3

    def test_callbacks(self, gate: Gate) -> None:
        batch, _ = copies(gate.mover)
        called: list[object] = []
        batch.add_done_callback(called.append)
        gate.open()
        batch.result()
        assert called == [batch]

    def test_in_a_chain(self, mover: DataMover) -> None:
        a, b = bytearray(BIG), bytearray(BIG)
        whole = miniasync.chain(
            mover.memset_batch([(a, 7)]),
            lambda result: result[0] is a,
            mover.memcpy_batch((b, a), src_offsets=range(0, BIG, 32), lengths=32),
            bytes,
        )
        assert whole.result() == b"\7" * BIG

    @pytest.mark.not_upstream
    def test_its_error_is_the_chain_s(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MINIASYNC_MAX_OPERATIONS", "1")
        with Gate() as gate:
            held = gate.mover.memcpy(bytearray(5), b"12345").start()
            batch = gate.mover.memset_batch([(bytearray(5), 1)])
            never = miniasync.memset(bytearray(5), 1)
            with pytest.raises(miniasync.BatchError, match="1 of 1 operations"):
                miniasync.chain(batch, never).result()
            assert never.state is State.IDLE
            gate.open()
            held.result()

    def test_awaited(self, mover: DataMover) -> None:
        async def main() -> None:
            batch, dsts = copies(mover)
            assert await batch == dsts == [b"x" * BIG] * 3
            assert all(map(free, dsts))

        asyncio.run(main())

    def test_awaited_and_cancelled(self, gate: Gate) -> None:
        async def main() -> None:
            batch, dsts = copies(gate.mover)

            async def wait() -> None:
                await batch

            task = asyncio.create_task(wait())
            await asyncio.sleep(0)
            gate.wait_entered()
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
            gate.open()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert dsts == [b"x" * BIG] * 3

        asyncio.run(main())


class TestManySmallOnes:
    """Starting all is more work than a poll does at once."""

    COUNT = 100_000

    def batch(self, mover: DataMover) -> Any:
        dst = bytearray(64 * self.COUNT)
        offsets = range(0, len(dst), 64)
        return mover.memset_batch((dst, 1), dst_offsets=offsets, lengths=64), dst

    def test_a_started_one_needs_nobody(self, mover: DataMover) -> None:
        batch, dst = self.batch(mover)
        batch.start()
        while not dst[-1]:
            pass
        assert batch.result() is dst
        assert dst.count(1) == len(dst)

    def test_a_dropped_one_as_well(self, mover: DataMover) -> None:
        batch, dst = self.batch(mover)
        batch.start()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del batch
        while not free(dst):
            pass
        assert dst.count(1) == len(dst)

    def test_a_timeout_comes_in_between(self, mover: DataMover) -> None:
        batch, dst = self.batch(mover)
        with pytest.raises(TimeoutError):
            batch.result(timeout=0)
        assert batch.result() is dst
        assert dst.count(1) == len(dst)

    def test_awaited(self, mover: DataMover) -> None:
        async def main() -> None:
            batch, dst = self.batch(mover)
            assert await batch is dst
            assert dst.count(1) == len(dst)

        asyncio.run(main())

    def test_nothing_is_left(self, mover: DataMover) -> None:
        """After 120,000 operations of each form; the first 20,000 settle in."""
        if "libasan" in Path("/proc/self/maps").read_text():
            pytest.skip("a sanitizer keeps freed memory")

        def measure() -> tuple[int, int, int]:
            status = dict(
                line.split(":", 1)
                for line in Path("/proc/self/status").read_text().splitlines()
            )
            kib = int(status["VmRSS"].split()[0])
            return kib, int(status["Threads"]), len(os.listdir("/proc/self/fd"))

        pairs = [(bytearray(8), b"12345678") for _ in range(2000)]
        for i in range(60):
            mover.memcpy_batch(pairs).result()
            mover.memset_batch((pairs[0][0], 1), lengths=[0] * 2000).result()
            if i == 9:
                kib, threads, files = measure()
        end = measure()
        assert end[0] - kib < 4096
        assert end[1] <= threads
        assert end[2] <= files
        assert all(free(dst) for dst, _ in pairs)


HEAD = """
import os, sys, warnings
warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
import miniasync
from gate import Gate
"""


@pytest.mark.forks
def test_forked(run_python: Callable[[str], str]) -> None:
    program = """
        with Gate() as gate:
            dsts = [bytearray(65536) for _ in range(100)]
            batch = gate.mover.memcpy_batch([(dst, bytes(65536)) for dst in dsts])
            idle = gate.mover.memset_batch([(bytearray(5), 1)])
            batch.start()
            gate.wait_entered()
            pid = os.fork()
            if pid == 0:
                try:
                    batch.result()
                except miniasync.JobCorruptedError as error:
                    assert "forked" in str(error)
                    for dst in dsts:
                        dst.append(0)
                    if not miniasync.provider().is_upstream:
                        assert idle.result() == [b"\\1" * 5]
                    os._exit(0)
                os._exit(1)
            assert os.waitpid(pid, 0) == (pid, 0)
            gate.open()
            assert batch.result() == dsts
            assert idle.result() == [b"\\1" * 5]
        print("ok")
        """
    assert run_python(HEAD + textwrap.dedent(program)) == "ok\n"


def test_the_interpreter_ends_meanwhile(run_python: Callable[[str], str]) -> None:
    program = """
        dsts = [bytearray(1 << 20) for _ in range(40)]
        running = miniasync.memset_batch([(dst, 1) for dst in dsts]).start()
        small = bytearray(64 * 100_000)
        many = miniasync.memset_batch(
            (small, 1), dst_offsets=range(0, len(small), 64), lengths=64
        ).start()
        idle = miniasync.memset_batch([(dst, 1) for dst in dsts])
        print("ok")
        """
    assert run_python(HEAD + textwrap.dedent(program)) == "ok\n"


def test_ctrl_c(run_python: Callable[[str], str]) -> None:
    program = """
        import os, signal, threading
        with Gate() as gate:
            dsts = [bytearray(65536) for _ in range(3)]
            batch = gate.mover.memcpy_batch([(dst, b"x" * 65536) for dst in dsts])
            def interrupt():
                gate.wait_entered()
                os.kill(os.getpid(), signal.SIGINT)
            thread = threading.Thread(target=interrupt)
            thread.start()
            try:
                batch.result()
            except KeyboardInterrupt:
                thread.join()
                assert batch.running()
                gate.open()
                assert batch.result() == [b"x" * 65536] * 3
                print("ok")
        """
    assert run_python(HEAD + textwrap.dedent(program)) == "ok\n"
