# SPDX-License-Identifier: BSD-3-Clause
"""Futures: laziness, states, results, timeouts, cancelling."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import pytest
from gate import Gate

import miniasync
from miniasync import (
    ClosedError,
    DataMover,
    Future,
    OutOfMemoryError,
    Runtime,
    State,
)


class TestLaziness:
    def test_nothing_moves_before_the_start(self, mover: DataMover) -> None:
        dst = bytearray(5)
        future = mover.memset(dst, 1)
        assert future.state is State.IDLE
        assert not future.done()
        assert not future.running()
        assert not future.cancelled()
        assert "idle" in repr(future)
        assert dst == bytes(5)

    @pytest.mark.parametrize(
        "start",
        [
            lambda future: future.start(),
            lambda future: future.poll(),
            lambda future: future.result(),
            lambda future: future.exception(),
            lambda future: future.__enter__(),
            lambda future: miniasync.wait([future]),
            lambda future: Runtime().wait(future),
        ],
        ids=["start", "poll", "result", "exception", "with", "wait", "runtime"],
    )
    def test_each_of_these_starts_it(
        self, start: Callable[[Future[bytearray]], object]
    ) -> None:
        with miniasync.SyncMover() as mover:
            future = mover.memset(bytearray(5), 1)
            start(future)
            assert future.done()
            assert future.result() == b"\1" * 5

    def test_a_started_one_needs_nobody(self, gate: Gate) -> None:
        dst = bytearray(5)
        future = gate.mover.memcpy(dst, b"12345").start()
        gate.wait_entered()
        gate.open()
        while not future.done():
            pass
        assert dst == b"12345"


class TestStates:
    def test_of_a_copy(self, gate: Gate) -> None:
        future = gate.mover.memcpy(bytearray(5), b"12345")
        assert [future.poll(), future.state] == [State.RUNNING] * 2
        assert future.running()
        assert not future.done()
        assert not future.cancel()
        assert "running" in repr(future)
        gate.open()
        assert future.result() == b"12345"
        assert [future.poll(), future.state] == [State.COMPLETE] * 2
        assert future.done()
        assert not future.running()
        assert not future.cancel()
        assert "memcpy of 5 bytes, complete" in repr(future)

    def test_they_are_those_of_the_c_library(self) -> None:
        assert {state.name: state.value for state in State} == {
            "IDLE": miniasync.lib.FUTURE_STATE_IDLE,
            "RUNNING": miniasync.lib.FUTURE_STATE_RUNNING,
            "COMPLETE": miniasync.lib.FUTURE_STATE_COMPLETE,
        }

    def test_start_returns_the_future(self, mover: DataMover) -> None:
        future = mover.memset(bytearray(5), 1)
        assert future.start() is future
        assert future.start() is future
        future.result()

    def test_futures_are_told_apart_by_identity(self, mover: DataMover) -> None:
        dst = bytearray(5)
        one, other = mover.memset(dst, 1), mover.memset(dst, 1)
        assert one != other
        assert len({one, other, one}) == 2

    def test_users_make_no_futures(self) -> None:
        with pytest.raises(TypeError, match="made by movers"):
            Future()


class TestResult:
    def test_is_the_destination_each_time(self, mover: DataMover) -> None:
        dst = bytearray(5)
        future = mover.memcpy(dst, b"12345")
        assert future.result() is dst
        assert future.result() is dst
        assert future.result(timeout=0) is dst
        assert future.exception() is None

    @pytest.mark.parametrize("timeout", [0, 0.001, -1, -float("inf")])
    def test_timeout(self, gate: Gate, timeout: float) -> None:
        dst = bytearray(5)
        future = gate.mover.memcpy(dst, b"12345")
        with pytest.raises(TimeoutError, match="not complete after"):
            future.result(timeout)
        gate.wait_entered()  # it was started
        with pytest.raises(TimeoutError):
            future.exception(timeout)
        assert future.running()
        with pytest.raises(BufferError):
            dst.append(0)
        gate.open()
        assert future.result(timeout=30) is dst
        assert dst == b"12345"
        dst.append(0)

    @pytest.mark.parametrize("timeout", [float("inf"), 1e300, 10**400, 60])
    def test_long_timeouts(self, mover: DataMover, timeout: float) -> None:
        assert mover.memset(bytearray(1), 1).result(timeout) == b"\1"

    @pytest.mark.parametrize("timeout", ["1", b"", [], object()])
    def test_wrong_timeouts(self, mover: DataMover, timeout: Any) -> None:
        future = mover.memset(bytearray(1), 1)
        with pytest.raises(TypeError, match="^timeout must be a number"):
            future.result(timeout)
        with pytest.raises(ValueError, match="^timeout must not be NaN"):
            future.result(float("nan"))
        assert future.state is State.IDLE

    @pytest.mark.not_upstream
    def test_no_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MINIASYNC_MAX_OPERATIONS", "1")
        with Gate() as gate:
            first = gate.mover.memcpy(bytearray(5), b"12345").start()
            dst = bytearray(5)
            futures = [gate.mover.memcpy(dst, b"12345") for _ in range(100)]
            done, _ = miniasync.wait(futures, return_when="FIRST_EXCEPTION")
            [error] = {type(f.exception()) for f in done if f.exception()}
            assert error is OutOfMemoryError
            assert issubclass(error, MemoryError)
            failed = next(f for f in done if f.exception())
            with pytest.raises(OutOfMemoryError, match="no memory"):
                failed.result()
            assert failed.state is State.COMPLETE
            assert not failed.cancelled()
            assert "no memory" in repr(failed)
            gate.open()
            first.result()
            miniasync.wait(futures)
            dst.append(0)

    def test_an_error_is_a_new_one_each_time(self) -> None:
        # Raising stores the stack in it, and with the stack the future.
        with miniasync.SyncMover() as mover:
            future = mover.memset(bytearray(1), 1)
        assert isinstance(future.exception(), ClosedError)
        assert future.exception() is not future.exception()


class TestWith:
    def test_starts_and_waits(self, mover: DataMover) -> None:
        dst = bytearray(1 << 16)
        with mover.memset(dst, 1) as future:
            assert future.state is not State.IDLE
        assert future.done()
        assert dst == b"\1" * (1 << 16)

    def test_waits_when_something_else_goes_wrong(self, gate: Gate) -> None:
        class Trouble(Exception):
            pass

        dst = bytearray(5)
        with pytest.raises(Trouble), gate.mover.memcpy(dst, b"12345"):
            gate.wait_entered()
            gate.open()
            raise Trouble
        assert dst == b"12345"
        dst.append(0)

    def test_raises_what_went_wrong_with_the_operation(self) -> None:
        with miniasync.SyncMover() as mover:
            future = mover.memset(bytearray(1), 1)
        with pytest.raises(ClosedError, match="closed"), future:
            pytest.fail("the block was entered")


class TestCancel:
    def test_before_the_start(self, mover: DataMover) -> None:
        dst = bytearray(5)
        future = mover.memset(dst, 1)
        assert future.cancel()
        dst.append(0)  # not pinned any more
        assert future.cancel()
        assert future.cancelled()
        assert future.done()
        assert future.state is State.COMPLETE
        assert future.poll() is State.COMPLETE
        assert "cancelled" in repr(future)
        for look in (future.result, future.exception, future.start):
            with pytest.raises(CancelledError):
                look()
        with pytest.raises(CancelledError), future:
            pytest.fail("the block was entered")
        assert dst == bytes(6)

    def test_after_the_end(self, mover: DataMover) -> None:
        future = mover.memset(bytearray(5), 1)
        future.result()
        assert not future.cancel()
        assert not future.cancelled()
        assert future.result() == b"\1" * 5


class TestClosedMover:
    def test_never_started_futures_fail(self, mover: DataMover) -> None:
        dst = bytearray(5)
        futures = [mover.memset(dst, 1) for _ in range(5)]
        mover.close()
        one, two, three, four, five = futures
        with pytest.raises(ClosedError, match="closed before") as caught:
            one.start()
        assert isinstance(caught.value, ValueError)
        with pytest.raises(ClosedError):
            two.poll()
        with pytest.raises(ClosedError):
            three.result()
        assert isinstance(four.exception(), ClosedError)
        assert five.cancel()
        assert miniasync.wait(futures).done == set(futures)
        assert all(future.done() for future in futures)
        assert not one.cancelled()
        assert "closed" in repr(one)
        assert dst == bytes(5)
        dst.append(0)

    def test_started_futures_are_complete(self, mover: DataMover) -> None:
        future = mover.memset(bytearray(1 << 20), 1).start()
        mover.close()
        assert future.done()
        assert future.result() == b"\1" * (1 << 20)


class TestNoCycles:
    def test_a_future_goes_without_the_garbage_collector(
        self, mover: DataMover
    ) -> None:
        class Buffer(bytearray):
            pass

        gc.disable()
        try:
            for end in ("idle", "result", "cancel", "closed"):
                dst = Buffer(5)
                future = mover.memset(dst, 1)
                if end == "result":
                    future.result()
                if end == "cancel":
                    future.cancel()
                if end == "closed":
                    mover.close()
                    with pytest.raises(ClosedError):
                        future.result()
                gone = weakref.ref(dst), weakref.ref(future)
                del dst, future
                assert [ref() for ref in gone] == [None, None], end
        finally:
            gc.enable()

    def test_references_are_as_before(self, mover: DataMover) -> None:
        dst, src = bytearray(5), bytearray(b"12345")
        before = sys.getrefcount(dst), sys.getrefcount(src)
        future = mover.memcpy(dst, src)
        future.result()
        assert sys.getrefcount(src) == before[1]
        del future
        assert sys.getrefcount(dst) == before[0]


def test_copies_are_refused(mover: DataMover) -> None:
    """A copy that is dropped would cancel the operation of both."""
    ways: list[Callable[[object], object]] = [copy.copy, copy.deepcopy, pickle.dumps]
    with Runtime() as runtime:
        for thing in (mover.memset(bytearray(5), 1), mover, runtime):
            for way in ways:
                with pytest.raises(TypeError, match="cannot be copied or pickled"):
                    way(thing)
