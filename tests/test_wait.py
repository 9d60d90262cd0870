# SPDX-License-Identifier: BSD-3-Clause
"""Waiting for several futures: wait() and Runtime."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any

import pytest
from gate import Gate

import miniasync
from miniasync import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    ClosedError,
    DataMover,
    Future,
    Runtime,
    State,
    as_completed,
    chain,
    wait,
)


def failed_future() -> Future[bytearray]:
    """One that fails when it is started."""
    with miniasync.SyncMover() as mover:
        return mover.memset(bytearray(1), 1)


class TestWait:
    def test_for_all(self, mover: DataMover) -> None:
        buffers = [bytearray(100) for _ in range(300)]
        futures = [mover.memset(dst, i & 255) for i, dst in enumerate(buffers)]
        done, not_done = wait(futures)
        assert done == set(futures)
        assert not_done == set()
        for i, dst in enumerate(buffers):
            assert dst == bytes([i & 255]) * 100
            dst.append(0)

    def test_of_several_movers(self, mover: DataMover, gate: Gate) -> None:
        gate.open()
        a, b = mover.memset(bytearray(3), 1), gate.mover.memcpy(bytearray(3), b"123")
        assert wait([a, b]).done == {a, b}

    @pytest.mark.parametrize("last", [False, True])
    def test_of_a_step_and_its_chain(self, mover: DataMover, last: bool) -> None:
        def make() -> list[Future[Any]]:
            a, b = bytearray(9000), bytearray(9000)
            first, second = mover.memset(a, 1), mover.memcpy(b, a)
            both = [second if last else first, chain(first, second, bytes)]
            return both if last else both[::-1]

        futures = make()
        assert wait(futures).not_done == set()
        with Runtime() as runtime:
            runtime.wait(*make())
        assert len(list(as_completed(make()))) == 2

    def test_in_a_step_of_the_group(self) -> None:
        """Only so: what a chain has begun with just now is not refused."""
        inner: list[Future[Any]] = []
        inner.append(chain(lambda _: wait(inner)))
        outer = chain(inner[0])
        with pytest.raises(RuntimeError, match="at this future already"):
            wait([inner[0], outer])[0].pop().result()

    def test_of_what_another_chain_takes_meanwhile(
        self, gate: Gate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In this thread, as a signal handler might start it."""
        step = gate.mover.memcpy(bytearray(5), b"12345")
        later = chain(step, bytes)
        enter = type(step._flight).enter

        def late(flight: Any) -> bool:
            monkeypatch.undo()
            later.start()
            return enter(flight)

        monkeypatch.setattr(type(step._flight), "enter", late)
        assert wait([step], timeout=0).not_done == {step}
        gate.open()
        assert wait([step]).done == {step}
        assert later.result() == b"12345"

    def test_for_none(self) -> None:
        assert wait([]) == (set(), set())
        assert wait([], return_when=FIRST_COMPLETED) == (set(), set())
        assert wait([], return_when=FIRST_EXCEPTION) == (set(), set())

    def test_takes_any_iterable_and_duplicates(self, mover: DataMover) -> None:
        future = mover.memset(bytearray(3), 1)
        assert wait(f for f in [future, future]) == ({future}, set())
        assert wait({future}) == ({future}, set())

    def test_returns_what_concurrent_futures_returns(self) -> None:
        theirs: Any = concurrent.futures.wait([])
        assert wait([])._fields == theirs._fields
        for name in ("FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED"):
            assert getattr(miniasync, name) == getattr(concurrent.futures, name)

    @pytest.mark.parametrize("timeout", [0, 0.01, -1])
    def test_timeout(self, gate: Gate, mover: DataMover, timeout: float) -> None:
        late = gate.mover.memcpy(bytearray(5), b"12345")
        early = mover.memset(bytearray(5), 1)
        early.result()
        assert wait([late, early], timeout) == ({early}, {late})
        gate.wait_entered()  # it was started
        gate.open()
        assert wait([late, early], 30) == ({early, late}, set())

    def test_for_the_first(self, gate: Gate, mover: DataMover) -> None:
        late = [gate.mover.memcpy(bytearray(5), b"12345") for _ in range(3)]
        early = mover.memset(bytearray(5), 1)
        done, not_done = wait([*late, early], return_when=FIRST_COMPLETED)
        assert (done, not_done) == ({early}, set(late))
        # There is a first one already, but the others are started.
        more = gate.mover.memcpy(bytearray(5), b"12345")
        assert wait([more, early], return_when=FIRST_COMPLETED) == ({early}, {more})
        assert more.state is State.RUNNING
        gate.open()
        wait([*late, more])

    def test_for_the_first_exception(self, gate: Gate, mover: DataMover) -> None:
        late = gate.mover.memcpy(bytearray(5), b"12345")
        early = mover.memset(bytearray(5), 1)
        bad = failed_future()
        done, not_done = wait([late, early, bad], return_when=FIRST_EXCEPTION)
        assert bad in done
        assert late in not_done
        # It is known to have failed; the rest is started nevertheless.
        more = gate.mover.memcpy(bytearray(5), b"12345")
        assert wait([bad, more], return_when=FIRST_EXCEPTION) == ({bad}, {more})
        assert more.running()
        assert wait([more, early], 0, FIRST_EXCEPTION).not_done >= {more}
        gate.open()
        assert wait([late, more, early], return_when=FIRST_EXCEPTION).not_done == set()

    def test_cancelled_ones_are_done_and_no_exception(self, mover: DataMover) -> None:
        cancelled = mover.memset(bytearray(5), 1)
        cancelled.cancel()
        other = mover.memset(bytearray(5), 1)
        assert wait([cancelled, other], return_when=FIRST_EXCEPTION).not_done == set()
        assert wait([cancelled]) == ({cancelled}, set())

    def test_failures_do_not_come_out(self) -> None:
        bad = failed_future()
        assert wait([bad]) == ({bad}, set())
        assert isinstance(bad.exception(), ClosedError)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ((5,), TypeError, "^fs must be an iterable of futures, not int"),
            (([5],), TypeError, "^fs must hold futures of miniasync only, not int"),
            (
                ([concurrent.futures.Future()],),
                TypeError,
                "^fs must hold futures of miniasync only, not Future",
            ),
            (([], "1"), TypeError, "^timeout must be a number"),
            (([], float("nan")), ValueError, "^timeout must not be NaN"),
            (([], None, "SOON"), ValueError, "^return_when must be .* not 'SOON'"),
        ],
    )
    def test_misuse(self, arguments: Any, error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            wait(*arguments)

    def test_misuse_starts_nothing(self, mover: DataMover) -> None:
        future = mover.memset(bytearray(5), 1)
        with pytest.raises(TypeError):
            wait(future)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            wait([future, None])  # type: ignore[list-item]
        with pytest.raises(ValueError, match="^return_when"):
            wait([future], return_when="never")
        assert future.state is State.IDLE

    def test_pins_are_gone_when_it_returns(self, gate: Gate, mover: DataMover) -> None:
        late = gate.mover.memcpy(bytearray(5), b"12345")
        dst = bytearray(5)
        wait([mover.memset(dst, 1), late], return_when=FIRST_COMPLETED)
        dst.append(0)
        gate.open()
        wait([late], return_when=ALL_COMPLETED)


class TestRuntime:
    def test_waits_for_all(self, mover: DataMover) -> None:
        buffers = [bytearray(10) for _ in range(5)]
        futures = [mover.memset(dst, 7) for dst in buffers]
        with Runtime() as runtime:
            assert "open" in repr(runtime)
            runtime.wait(*futures, futures[0])
            assert all(dst == b"\7" * 10 for dst in buffers)
            runtime.wait(*futures)
            runtime.wait()
        assert runtime.closed
        assert "closed" in repr(runtime)

    def test_timeout(self, gate: Gate) -> None:
        future = gate.mover.memcpy(bytearray(5), b"12345")
        with Runtime() as runtime:
            with pytest.raises(TimeoutError, match="^1 of 1 futures"):
                runtime.wait(future, timeout=0.01)
            assert future.running()
            gate.open()
            runtime.wait(future, timeout=30)
        assert future.result() == b"12345"

    def test_failures_do_not_come_out(self) -> None:
        bad = failed_future()
        with Runtime() as runtime:
            runtime.wait(bad)
        assert isinstance(bad.exception(), ClosedError)

    def test_closed(self, mover: DataMover) -> None:
        runtime = Runtime()
        assert not runtime.closed
        runtime.close()
        runtime.close()
        future = mover.memset(bytearray(5), 1)
        with pytest.raises(ClosedError, match="closed"):
            runtime.wait(future)
        assert future.state is State.IDLE

    def test_misuse(self) -> None:
        with Runtime() as runtime, pytest.raises(TypeError, match="must hold futures"):
            runtime.wait(5)  # type: ignore[arg-type]

    def test_its_waiter_is_used_again(self) -> None:
        runtime = Runtime()
        assert runtime._waiter is not None
        cdata = runtime._waiter.cdata
        runtime.close()
        again = Runtime()
        assert again._waiter is not None
        assert again._waiter.cdata == cdata
        again.close()


class TestThreads:
    """Several threads, one future."""

    def test_all_get_the_result(self, gate: Gate) -> None:
        dst = bytearray(5)
        future = gate.mover.memcpy(dst, b"12345")
        found: list[object] = []
        ways: list[Callable[[], object]] = [
            future.result,
            lambda: future.result(30),
            lambda: wait([future]).done.pop().result(),
            lambda: (Runtime().wait(future), future.result())[1],  # type: ignore[func-returns-value]
        ] * 3
        threads = [
            threading.Thread(target=lambda way=way: found.append(way())) for way in ways
        ]
        for thread in threads:
            thread.start()
        gate.wait_entered()
        gate.open()
        for thread in threads:
            thread.join()
        assert [each is dst for each in found] == [True] * len(ways)
        assert dst == b"12345"

    def test_looking_does_not_block_while_another_waits(self, gate: Gate) -> None:
        future = gate.mover.memcpy(bytearray(5), b"12345")
        waiting = threading.Thread(target=future.result)
        waiting.start()
        gate.wait_entered()
        for _ in range(100):
            assert not future.done()
            assert future.poll() is State.RUNNING
            assert not future.cancel()
        with pytest.raises(TimeoutError):
            future.result(timeout=0.01)
        assert wait([future], 0.01).not_done == {future}
        gate.open()
        waiting.join()
        assert future.done()

    def test_a_wait_for_all_does_not_keep_others_from_one(self, gate: Gate) -> None:
        never = gate.mover.memcpy(bytearray(5), b"12345")
        with Gate() as other:
            soon = other.mover.memcpy(bytearray(5), b"12345")
            both = threading.Thread(target=wait, args=([never, soon],))
            both.start()
            gate.wait_entered()
            other.wait_entered()
            other.open()
            assert soon.result(timeout=30) == b"12345"
            assert not never.done()
            gate.open()
            both.join()

    def test_two_waits_in_opposite_order(self, gate: Gate) -> None:
        with Gate() as other:
            a = gate.mover.memcpy(bytearray(5), b"12345")
            b = other.mover.memcpy(bytearray(5), b"12345")
            threads = [
                threading.Thread(target=wait, args=(each,)) for each in ([a, b], [b, a])
            ]
            for thread in threads:
                thread.start()
            gate.wait_entered()
            other.wait_entered()
            gate.open()
            other.open()
            for thread in threads:
                thread.join()
            assert a.done()
            assert b.done()

    def test_many_threads_with_one_mover(self, mover: DataMover) -> None:
        wrong: list[int] = []

        def work(seed: int) -> None:
            for i in range(200):
                size = (seed * 97 + i * 131) % 9000
                dst, value = bytearray(size), (seed + i) & 255
                if mover.memset(dst, value).result() != bytes([value]) * size:
                    wrong.append(i)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


class TestCodeOfTheUsersInAGroup:
    """It runs with no lock of another future of the group held."""

    def test_a_callback_waits_for_another(self, gate: Gate, mover: DataMover) -> None:
        late = gate.mover.memcpy(bytearray(5), b"12345")
        early = mover.memset(bytearray(5), 1)
        found: list[bytearray] = []

        def callback(_: Future[bytearray]) -> None:
            gate.open()
            found.append(late.result())

        early.add_done_callback(callback)
        wait([late, early], return_when=FIRST_COMPLETED)
        wait([late, early])
        assert found == [b"12345"]

    def test_a_callback_closes_the_mover(self, gate: Gate, mover: DataMover) -> None:
        late = gate.mover.memcpy(bytearray(5), b"12345")
        early = mover.memset(bytearray(5), 1)

        def callback(_: Future[bytearray]) -> None:
            gate.open()
            gate.mover.close()

        early.add_done_callback(callback)
        wait([late, early])
        assert late.result() == b"12345"

    def test_a_function_waits_for_another(self, mover: DataMover) -> None:
        first = chain(mover.memset(bytearray(3), 1), bytes)
        second = chain(lambda _: first.result(), bytearray)
        third = chain(lambda _: second.result(), bytes)
        for _ in range(3):  # in any order
            wait({first, second, third})
        assert third.result() == b"\1\1\1"

    def test_a_callback_that_is_interrupted(self, mover: DataMover) -> None:
        class Quit(BaseException):
            pass

        def callback(_: Future[bytearray]) -> None:
            raise Quit

        futures = [mover.memset(bytearray(3), i) for i in range(3)]
        for future in futures:
            future.add_done_callback(callback)
        with pytest.raises(Quit):
            wait(futures)
        # The locks are free, and nobody is left to be told.
        for i, done in enumerate(futures):
            assert not done._flight.lock.locked()
            assert done.result(timeout=30) == bytes([i]) * 3
