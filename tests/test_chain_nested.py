# SPDX-License-Identifier: BSD-3-Clause
"""Chains within chains, however deep, and chains that functions return."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial
from types import FrameType
from typing import Any

import pytest
from gate import Gate
from own import Countdown

import miniasync
from miniasync import DataMover, Future, State, chain

# More than Python functions may call each other.
DEEP = 10_000


def first(inner: Future[Any], other: Future[Any]) -> Future[Any]:
    return chain(inner, other)


def last(inner: Future[Any], other: Future[Any]) -> Future[Any]:
    return chain(other, inner)


def middle(inner: Future[Any], other: Future[Any]) -> Future[Any]:
    return chain(lambda _: None, inner, other)


Nest = Callable[[Future[Any], Future[Any]], Future[Any]]


def nested(nest: Nest, depth: int, mover: DataMover, dst: bytearray) -> Future[Any]:
    future: Future[Any] = mover.memset(dst, 1)
    for _ in range(depth):
        future = nest(future, mover.memset(dst, 2))
    return future


@pytest.mark.parametrize("nest", [first, last, middle])
def test_deep(nest: Nest, mover: DataMover) -> None:
    dst = bytearray(3)
    future = nested(nest, DEEP, mover, dst)
    assert future.result() is dst
    assert dst == (b"\1" if nest is last else b"\2") * 3
    dst.append(0)


@pytest.mark.parametrize("nest", [first, last, middle])
@pytest.mark.parametrize("own", [False, True])
def test_deeper_by_so_much_takes_longer_by_as_much(nest: Nest, own: bool) -> None:
    def calls(depth: int) -> int:
        """How many functions of Python are called."""
        count = 0

        def profile(frame: FrameType, event: str, argument: object) -> None:
            nonlocal count
            count += event == "call"

        with miniasync.SyncMover() as mover:
            future = nested(nest, depth, mover, bytearray(3))
            future = chain(Countdown(3), future) if own else future
            sys.setprofile(profile)
            try:
                future.result()
            finally:
                sys.setprofile(None)
        return count

    assert calls(200) < 3 * calls(100)


@pytest.mark.parametrize("nest", [first, last, middle])
def test_deep_and_dropped(nest: Nest, mover: DataMover) -> None:
    dst = bytearray(3)
    future = nested(nest, DEEP, mover, dst)
    del future
    dst.append(0)
    future = nested(nest, DEEP, mover, dst)
    assert future.cancel()
    dst.append(0)


def test_deep_and_failing(mover: DataMover) -> None:
    future: Future[Any] = chain(mover.memset(bytearray(3), 1), lambda _: 1 // 0)
    kept = [future]
    for _ in range(DEEP):
        future = chain(future, pytest.fail)
        kept.append(future)
    with pytest.raises(ZeroDivisionError):
        future.result()
    assert all(future.done() for future in kept)
    for future in kept[::1000]:
        with pytest.raises(ZeroDivisionError):
            future.result()


@pytest.mark.parametrize("wait", [False, True])
def test_a_loop(mover: DataMover, wait: bool) -> None:
    """A function that returns a chain with itself, as loops are written."""
    dst = bytearray(3)
    over = threading.Event()
    turns = 0
    longest = 0

    def loop(_: object) -> object:
        nonlocal turns, longest
        turns += 1
        longest = max(longest, len(future._flight._steps))  # type: ignore[attr-defined]
        if turns == DEEP:
            over.set()
            return "over"
        return chain(mover.memset(dst, turns % 256), loop)

    future = chain(mover.memset(dst, 1), loop)
    if wait:
        assert future.result() == "over"
    else:
        future.start()
        assert over.wait(60)
    assert future.result(timeout=60) == "over"
    assert turns == DEEP
    assert longest < 5
    assert dst == bytes([(DEEP - 1) % 256] * 3)


def test_each_has_its_result(mover: DataMover) -> None:
    dst = bytearray(3)
    inmost = chain(mover.memset(dst, 1), bytes)
    inner = chain(lambda none: none, inmost, lambda value: value * 2)
    future = chain(lambda _: "unseen", inner, len)
    assert inner.state is State.IDLE
    assert future.result() == 6
    assert inner.result() == b"\1\1\1" * 2
    assert inmost.result() == b"\1\1\1"


def test_one_twice(mover: DataMover) -> None:
    inner = chain(mover.memset(bytearray(3), 1), bytes)
    assert chain(inner, len, inner, chain(inner), inner).result() == b"\1\1\1"


def test_one_that_failed_before(mover: DataMover) -> None:
    inner = chain(lambda _: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        inner.result()
    with pytest.raises(ZeroDivisionError):
        chain(mover.memset(bytearray(3), 1), inner, pytest.fail).result()


def test_one_that_was_cancelled_before(mover: DataMover) -> None:
    inner = chain(mover.memset(bytearray(3), 1))
    inner.cancel()
    future = chain(inner, pytest.fail)
    with pytest.raises(CancelledError):
        future.result()


def test_one_that_was_started_before(gate: Gate, mover: DataMover) -> None:
    """Twice nested, so that one is in the middle of being taken in already."""
    dst = bytearray(5)
    called: list[Future[Any]] = []
    inmost = chain(gate.mover.memcpy(dst, b"12345"), bytes)
    inner = chain(inmost, len).start()
    gate.wait_entered()
    for each in (inmost, inner):
        each.add_done_callback(called.append)
    future = chain(lambda _: None, inner, lambda n: n + 1).start()
    for each in (inmost, inner, future):
        assert each.state is State.RUNNING
        assert not each.cancel()
    gate.open()
    assert future.result() == 6
    assert inner.result(timeout=0) == 5
    assert inmost.result(timeout=0) == b"12345"
    assert called == [inmost, inner]


def test_one_that_another_thread_waits_for(gate: Gate) -> None:
    inner = chain(gate.mover.memcpy(bytearray(5), b"12345"), bytes)
    thread = threading.Thread(target=inner.result)
    thread.start()
    gate.wait_entered()
    future = chain(inner, len).start()
    assert future.running()
    gate.open()
    assert future.result() == 5
    thread.join()


def test_one_that_another_chain_has_taken_in(gate: Gate) -> None:
    inner = chain(gate.mover.memcpy(bytearray(5), b"12345"), bytes)
    others = [chain(inner, len).start() for _ in range(3)]
    gate.wait_entered()
    gate.open()
    assert [other.result() for other in others] == [5, 5, 5]


@pytest.mark.parametrize("held", [False, True])
def test_callbacks_are_called(mover: DataMover, held: bool) -> None:
    called: list[Any] = []
    inner = chain(mover.memset(bytearray(3), 1), bytes)
    inner.add_done_callback(lambda future: called.append(future.result()))
    future = chain(inner, len)
    if not held:
        del inner
    assert future.result() == 3
    assert called == [b"\1\1\1"]


def test_with_futures_of_the_users_own_nobody_else_goes_on(mover: DataMover) -> None:
    own = [Countdown(5), Countdown(5)]
    inner = chain(own[0], chain(mover.memset(bytearray(3), 1), own[1]))
    future = chain(mover.memset(bytearray(3), 1), inner).start()
    left = [each.left for each in own]
    assert not threading.Event().wait(0.05)
    assert [each.left for each in own] == left
    assert not future.done()
    assert future.result() == "liftoff"


def test_cancelling_who_awaits_an_inner_one_ends_all(gate: Gate) -> None:
    async def main() -> None:
        inner = chain(gate.mover.memcpy(bytearray(5), b"12345"), pytest.fail)
        future = chain(inner, pytest.fail).start()

        async def wait() -> None:
            await inner

        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        gate.open()
        await asyncio.wait([task])
        assert task.cancelled()
        assert inner.cancelled()
        with pytest.raises(CancelledError):
            future.result()

    asyncio.run(main())


def test_cancelling_who_awaits_the_last_step_of_an_inner_one(gate: Gate) -> None:
    """It is done with all that was asked of it, and so the others go on."""

    async def main() -> None:
        inner = chain(gate.mover.memcpy(bytearray(5), b"12345"))
        future = chain(inner, len).start()

        async def wait() -> None:
            await inner

        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        gate.open()
        await asyncio.wait([task])
        assert future.result() == 5
        assert inner.result() == b"12345"

    asyncio.run(main())


@pytest.mark.parametrize("how", ["itself", "around it", "in a new one"])
def test_one_that_would_wait_for_itself(mover: DataMover, how: str) -> None:
    chains: list[Future[Any]] = []

    def function(_: object) -> Future[Any]:
        if how == "itself":
            return chains[0]
        return chains[1] if how == "around it" else chain(chains[0])

    chains.append(chain(mover.memset(bytearray(3), 1), function))
    chains.append(chain(chains[0], pytest.fail))
    for future in reversed(chains):
        with pytest.raises(RuntimeError, match="a chain would wait for itself"):
            future.result(timeout=30)
        assert future.done()


@pytest.mark.parametrize("count", [2, 3])
def test_some_in_threads_that_would_wait_for_one_another(count: int) -> None:
    """None can take in the next one, which another thread is about."""
    chains: list[Future[Any]] = []
    all_have_begun = threading.Barrier(count)

    def function(number: int) -> Future[Any]:
        all_have_begun.wait(30)
        return chains[number - 1]

    for number in range(count):
        chains.append(chain(partial(lambda n, _: n, number), function))
    errors: list[BaseException | None] = []

    def wait_for(future: Future[Any]) -> None:
        errors.append(future.exception(timeout=30))

    threads = [threading.Thread(target=wait_for, args=(f,)) for f in chains]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(errors) == count
    assert all("a chain would wait for itself" in str(error) for error in errors)


@pytest.mark.forks
def test_in_a_forked_child(run_python: Any) -> None:
    program = """
        import os, warnings
        warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
        import miniasync
        from gate import Gate
        with Gate() as gate:
            dst = bytearray(5)
            inner = miniasync.chain(gate.mover.memcpy(dst, b"12345"), bytes)
            future = miniasync.chain(inner, len).start()
            gate.wait_entered()
            pid = os.fork()
            if pid == 0:
                for each in (inner, future):
                    try:
                        each.result(timeout=5)
                    except miniasync.JobCorruptedError:
                        continue
                    os._exit(1)
                os._exit(0)
            assert os.waitpid(pid, 0) == (pid, 0)
            gate.open()
            assert future.result() == 5
            assert inner.result() == b"12345"
        """
    run_python(program)
