# SPDX-License-Identifier: BSD-3-Clause
"""Done callbacks, and futures as they are done."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import Any

import pytest
from gate import Gate

import miniasync
from miniasync import DataMover, Future, Waker, as_completed, chain
from miniasync._sequence import Chain


class TestCallbacks:
    def test_of_a_complete_future_is_called_at_once(self, mover: DataMover) -> None:
        future = mover.memset(bytearray(3), 1)
        future.result()
        seen: list[Future[Any]] = []
        future.add_done_callback(seen.append)
        assert seen == [future]

    def test_adding_one_starts_nothing(self, mover: DataMover) -> None:
        future = mover.memset(bytearray(3), 1)
        seen: list[Future[Any]] = []
        future.add_done_callback(seen.append)
        assert future.state is miniasync.State.IDLE
        assert seen == []
        future.result()
        assert seen == [future]

    def test_are_called_in_order_and_once(self, mover: DataMover) -> None:
        future = mover.memset(bytearray(3), 1)
        seen: list[int] = []
        for i in range(10):
            future.add_done_callback(lambda _, i=i: seen.append(i))  # type: ignore[misc]
        future.result()
        future.result()
        assert seen == list(range(10))

    def test_nobody_waits(self, gate: Gate) -> None:
        future = gate.mover.memcpy(bytearray(5), b"12345")
        called = threading.Event()
        threads: list[int] = []

        def callback(done: Future[bytearray]) -> None:
            assert done is future
            assert done.done()
            assert done.result() == b"12345"
            threads.append(threading.get_ident())
            called.set()

        future.add_done_callback(callback)
        future.start()
        gate.wait_entered()
        assert not called.is_set()
        gate.open()
        assert called.wait(30)
        assert threads != [threading.get_ident()]

    def test_added_to_a_running_future(self, gate: Gate) -> None:
        future = gate.mover.memcpy(bytearray(5), b"12345").start()
        gate.wait_entered()
        called = threading.Event()
        future.add_done_callback(lambda _: called.set())
        gate.open()
        assert called.wait(30)

    def test_a_started_future_with_one_is_not_dropped(self, gate: Gate) -> None:
        dst = bytearray(5)
        called = threading.Event()
        result: list[bytearray] = []

        def callback(future: Future[bytearray]) -> None:
            result.append(future.result())
            called.set()

        future = gate.mover.memcpy(dst, b"12345")
        future.add_done_callback(callback)
        future.start()
        gate.wait_entered()
        del future
        gate.open()
        assert called.wait(30)
        assert result == [dst]
        assert dst == b"12345"

    @pytest.mark.parametrize("after", [bytes, None])
    def test_a_step_that_only_its_chain_has(self, mover: DataMover, after: Any) -> None:
        first, second = bytearray(9000), bytearray(9000)
        seen: list[object] = []
        step = mover.memset(first, 1)
        step.add_done_callback(lambda done: seen.append(done.result()))
        reference = weakref.ref(step)
        future = chain(step, after or mover.memcpy(second, first))
        del step
        assert future.result() == b"\1" * 9000
        assert seen == [first]
        assert reference() is None

    def test_a_step_of_the_users_own_that_only_its_chain_has(self) -> None:
        class One(Future[int]):
            def step(self, waker: Waker) -> int:
                return 1

        step = One()
        seen: list[int] = []
        step.add_done_callback(lambda done: seen.append(done.result()))
        reference = weakref.ref(step)
        future = chain(step, str)
        del step
        assert future.result() == "1"
        assert seen == [1]
        assert reference() is None

    def test_an_idle_future_with_one_is_dropped_with_its_buffers(
        self, mover: DataMover
    ) -> None:
        dst = bytearray(5)
        future = mover.memset(dst, 1)
        future.add_done_callback(lambda _: pytest.fail("called"))
        del future
        dst.append(0)

    def test_who_waits_calls_it(self, gate: Gate) -> None:
        future = gate.mover.memcpy(bytearray(5), b"12345").start()
        gate.wait_entered()
        seen: list[Future[Any]] = []
        future.add_done_callback(seen.append)
        with pytest.raises(TimeoutError):
            future.result(timeout=0.01)
        with pytest.raises(TimeoutError):
            miniasync.Runtime().wait(future, timeout=0)
        gate.open()
        future.result()
        # Whoever sees the end first calls it; that may take a moment.
        miniasync.wait([future])
        while not seen:
            pass
        assert seen == [future]

    def test_cancelling(self, mover: DataMover) -> None:
        future = mover.memset(bytearray(3), 1)
        seen: list[Future[Any]] = []
        future.add_done_callback(seen.append)
        assert future.cancel()
        assert seen == [future]

    def test_closing(self) -> None:
        with miniasync.SyncMover() as mover:
            future = mover.memset(bytearray(3), 1)
        seen: list[Future[Any]] = []
        future.add_done_callback(seen.append)
        with pytest.raises(miniasync.ClosedError):
            future.result()
        assert seen == [future]

    def test_exceptions_are_logged_and_ignored(
        self, mover: DataMover, caplog: pytest.LogCaptureFixture
    ) -> None:
        future = mover.memset(bytearray(3), 1)
        seen: list[Future[Any]] = []
        future.add_done_callback(lambda _: 1 // 0)
        future.add_done_callback(seen.append)
        with caplog.at_level(logging.ERROR, "miniasync"):
            assert future.result() == b"\1\1\1"
        assert seen == [future]
        [record] = caplog.records
        assert record.exc_info is not None
        assert record.exc_info[0] is ZeroDivisionError

    def test_one_that_exits_is_not_the_last(
        self, gate: Gate, caplog: pytest.LogCaptureFixture
    ) -> None:
        def leave(_: Future[bytearray]) -> None:
            raise SystemExit

        futures = [gate.mover.memcpy(bytearray(5), b"12345") for _ in range(3)]
        called = threading.Semaphore(0)
        for future in futures:
            future.add_done_callback(leave)
            future.add_done_callback(lambda _: called.release())
            future.start()
        gate.wait_entered()
        with caplog.at_level(logging.ERROR, "miniasync"):
            gate.open()
            for _ in futures:
                assert called.acquire(timeout=30)
        late = gate.mover.memcpy(bytearray(5), b"12345")
        late.add_done_callback(leave)
        late.add_done_callback(lambda _: called.release())
        with pytest.raises(SystemExit):
            late.result()
        assert called.acquire(timeout=30)
        assert late.result() == b"12345"

    def test_must_be_callable(self, mover: DataMover) -> None:
        with pytest.raises(TypeError, match="fn must be a function"):
            mover.memset(bytearray(3), 1).add_done_callback(1)  # type: ignore[arg-type]

    def test_may_use_the_future_and_others(self, mover: DataMover) -> None:
        dst = bytearray(3)
        future = mover.memset(dst, 1)
        other = mover.memset(bytearray(3), 2)
        seen: list[bytearray] = []

        def callback(done: Future[bytearray]) -> None:
            done.result().append(0)  # the buffer is free
            done.add_done_callback(lambda _: seen.append(other.result()))

        future.add_done_callback(callback)
        future.result()
        assert dst == b"\1\1\1\0"
        assert seen == [b"\2\2\2"]

    def test_many_at_once(self) -> None:
        with miniasync.ThreadsMover(threads=2, inline_below=_workers()) as mover:
            ended = threading.Semaphore(0)
            futures = [mover.memset(bytearray(100), 1) for _ in range(1000)]
            for future in futures:
                future.add_done_callback(lambda _: ended.release())
            for future in futures:
                future.start()
            for _ in futures:
                assert ended.acquire(timeout=30)

    def test_from_many_threads(self, gate: Gate) -> None:
        future = gate.mover.memcpy(bytearray(5), b"12345").start()
        gate.wait_entered()
        seen: list[int] = []

        def add() -> None:
            for _ in range(200):
                future.add_done_callback(lambda _: seen.append(1))

        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        gate.open()
        for thread in threads:
            thread.join()
        future.result()
        while len(seen) < 800:
            pass
        assert len(seen) == 800


def _workers() -> int | None:
    return None if miniasync.provider().is_upstream else 0


class TestAsCompleted:
    def test_gives_each_once(self, mover: DataMover) -> None:
        futures = [mover.memset(bytearray(3), i) for i in range(20)]
        found = list(as_completed([*futures, *futures]))
        assert len(found) == 20
        assert set(found) == set(futures)

    def test_in_the_order_of_their_ends(self, gate: Gate, mover: DataMover) -> None:
        late = gate.mover.memcpy(bytearray(5), b"12345")
        early = mover.memset(bytearray(5), 1)
        done = as_completed([late, early])
        assert next(done) is early
        gate.wait_entered()
        gate.open()
        assert next(done) is late
        with pytest.raises(StopIteration):
            next(done)

    def test_starts_at_once(self, gate: Gate) -> None:
        future = gate.mover.memcpy(bytearray(5), b"12345")
        done = as_completed([future])
        gate.wait_entered()
        gate.open()
        assert list(done) == [future]

    def test_timeout(self, gate: Gate, mover: DataMover) -> None:
        late = gate.mover.memcpy(bytearray(5), b"12345")
        early = mover.memset(bytearray(5), 1)
        done = as_completed([late, early], timeout=0.01)
        assert next(done) is early
        with pytest.raises(TimeoutError, match="1 futures not complete"):
            next(done)
        gate.open()
        late.result()

    @pytest.mark.parametrize("bad", [1, [1], [None]])
    def test_takes_futures_only(self, bad: Any) -> None:
        with pytest.raises(TypeError, match="fs must"):
            as_completed(bad)

    def test_of_none(self) -> None:
        assert list(as_completed([])) == []

    def test_keeps_no_future(self, mover: DataMover) -> None:
        buffers = [bytearray(3) for _ in range(3)]
        for future in as_completed([mover.memset(b, 1) for b in buffers]):
            future.result().append(0)


def test_a_failure_comes_out_as_well() -> None:
    with miniasync.SyncMover() as mover:
        future = mover.memset(bytearray(1), 1)
    [done] = as_completed([future])
    assert isinstance(done.exception(), miniasync.ClosedError)


def test_a_chain_taken_in_is_kept_for_its_callbacks(gate: Gate) -> None:
    called: list[object] = []
    inner = chain(gate.mover.memcpy(bytearray(5), b"12345"), lambda _: "inner")
    outer = chain(inner, lambda _: "outer")
    outer.start()
    inner.add_done_callback(lambda future: called.append(future.result()))
    del inner
    gate.open()
    assert outer.result(timeout=30) == "outer"
    assert called == ["inner"]


def test_one_comes_while_a_chain_is_taken_in(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[object] = []
    inners = [chain(gate.mover.memcpy(bytearray(5), b"12345"), lambda _: "inner")]
    outer = chain(inners[0], lambda _: "outer")
    merge = Chain._merge

    def interrupted(*args: Any) -> None:
        monkeypatch.undo()
        inners.pop().add_done_callback(lambda future: called.append(future.result()))
        merge(*args)

    monkeypatch.setattr(Chain, "_merge", interrupted)
    outer.start()
    gate.open()
    assert outer.result(timeout=30) == "outer"
    assert called == ["inner"]
