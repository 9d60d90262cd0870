# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C at every place where the interpreter may look at signals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic, sleep
from typing import Any

import pytest
from gate import Gate
from interrupt import Interrupt
from own import Countdown

from miniasync import (
    ClosedError,
    Future,
    Runtime,
    ThreadsMover,
    as_completed,
    chain,
    memcpy,
    wait,
)
from miniasync._ends import PENDING


def ctrl_c() -> None:
    raise KeyboardInterrupt


def wait_for_one(gate: Gate, futures: list[Future[Any]]) -> None:
    gate.open()
    futures[0].result()


def wait_for_a_moment(gate: Gate, futures: list[Future[Any]]) -> None:
    try:
        futures[0].result(timeout=0.001)
    except TimeoutError:
        gate.open()
        futures[0].result(timeout=30)


def wait_for_all(gate: Gate, futures: list[Future[Any]]) -> None:
    gate.open()
    wait(futures)


def poll_each(gate: Gate, futures: list[Future[Any]]) -> None:
    for future in futures:
        future.poll()
        future.done()


def chain_them(gate: Gate, futures: list[Future[Any]]) -> None:
    gate.open()
    both = chain(*futures[:2], lambda value: value, futures[2])
    futures.append(both)
    both.result()


def nest_chains(gate: Gate, futures: list[Future[Any]]) -> None:
    gate.open()
    inner = chain(futures[0], chain(futures[1], lambda value: value))
    both = chain(inner, futures[2])
    futures += [inner, both]
    both.result()


def chain_brief_ones(gate: Gate, futures: list[Future[Any]]) -> None:
    gate.open()
    brief = [memcpy(bytearray(5), b"12345") for _ in range(2)]
    futures += brief
    both = chain(*brief, futures[0])
    futures.append(both)
    both.result()


@pytest.mark.parametrize(
    "work",
    [
        *(wait_for_one, wait_for_a_moment, wait_for_all, poll_each),
        *(chain_them, chain_brief_ones, nest_chains),
    ],
)
@pytest.mark.parametrize("callback", [False, True])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_lock_stays_taken(
    work: Callable[[Gate, list[Future[Any]]], None], callback: bool
) -> None:
    with Gate() as gate:
        for n in range(10_000):
            gate.close()
            buffers = [bytearray(5) for _ in range(3)]
            futures = [gate.mover.memcpy(buffer, b"12345") for buffer in buffers]
            made: list[Future[Any]] = [*futures]
            called: list[Future[Any]] = []
            if callback:
                for future in futures:
                    future.add_done_callback(called.append)
            interrupt = Interrupt(n, ctrl_c)
            with suppress(KeyboardInterrupt), interrupt:
                work(gate, made)
            gate.open()
            # Whoever has seen the end has told of it, or had somebody do it.
            ended = {f for f in futures if callback and f._flight.code != PENDING}
            deadline = monotonic() + 30
            while not ended <= set(called):
                assert monotonic() < deadline, "callbacks are not called"
                sleep(0.001)
            for future in reversed(made):
                # What was taken for good would be waited for in vain.
                try:
                    future.result(timeout=30)
                except KeyboardInterrupt:
                    assert future is not futures[0]  # a function's
            assert buffers == [b"12345"] * 3
            for buffer in buffers:
                buffer.append(0)
            if interrupt.left >= 0:
                break
        assert n > 10
        assert threading.active_count() < 20


def chain_and_wait(gate: Gate, futures: list[Future[Any]]) -> None:
    gate.open()
    both = chain(lambda _: futures[0], chain(*futures[1:]))
    futures.append(both)
    wait([both])


def wait_for_any(gate: Gate, futures: list[Future[Any]]) -> None:
    gate.open()
    wait(futures, return_when="FIRST_COMPLETED")


def one_by_one(gate: Gate, futures: list[Future[Any]]) -> None:
    gate.open()
    assert len(list(as_completed(futures))) == len(futures)


def wait_natively(gate: Gate, futures: list[Future[Any]]) -> None:
    gate.open()
    with Runtime() as runtime:
        runtime.wait(*futures, timeout=30)


def with_blocks(gate: Gate, futures: list[Future[Any]]) -> None:
    gate.open()
    with futures[0], futures[1]:
        pass


def chain_in_c(gate: Gate, futures: list[Future[Any]]) -> None:
    gate.open()
    both = chain(*futures)
    futures.append(both)
    both.result(timeout=30)


def one_batch(gate: Gate, futures: list[Future[Any]]) -> None:
    pairs = [(bytearray(5), b"12345") for _ in range(3)]
    gate.open()
    batch = gate.mover.memcpy_batch(pairs)
    futures.append(batch)
    batch.result(timeout=30)


def close_it(gate: Gate, futures: list[Future[Any]]) -> None:
    for future in futures:
        future.start()
    gate.open()
    gate.mover.close()


def drop_them(gate: Gate, futures: list[Future[Any]]) -> None:
    for future in futures:
        future.start()
    gate.open()
    futures.clear()


@pytest.mark.parametrize(
    "work",
    [
        wait_for_one,
        wait_for_a_moment,
        wait_for_all,
        wait_for_any,
        one_by_one,
        wait_natively,
        with_blocks,
        poll_each,
        chain_them,
        nest_chains,
        chain_in_c,
        chain_and_wait,
        one_batch,
        close_it,
        drop_them,
    ],
)
@pytest.mark.parametrize("callback", [False, True])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_handler_closes_the_mover(
    work: Callable[[Gate, list[Future[Any]]], None], callback: bool
) -> None:
    for n in range(10_000):
        with Gate() as gate:
            mover = gate.mover

            def close(gate: Gate = gate, mover: ThreadsMover = mover) -> None:
                gate.open()
                mover.close()
                assert mover.closed

            buffers = [bytearray(5) for _ in range(3)]
            futures = [mover.memcpy(buffer, b"12345") for buffer in buffers]
            made: list[Future[Any]] = [*futures]
            called: list[Future[Any]] = []
            if callback:
                for future in futures:
                    future.add_done_callback(called.append)
            interrupt = Interrupt(n, close)
            # It may come before the start.
            with suppress(ClosedError), interrupt:
                work(gate, made)
            gate.open()
            for future, buffer in zip(futures, buffers, strict=True):
                if future.exception(timeout=30) is None:
                    assert buffer == b"12345"
                else:
                    assert isinstance(future.exception(), ClosedError)
                    assert buffer == bytes(5)
                buffer.append(0)
            if callback:
                while len(called) < len(futures):
                    sleep(0.001)
        if interrupt.left >= 0:
            break
    assert n > 10
    assert threading.active_count() < 20


ASKS: list[Callable[[Future[Any]], object]] = [
    lambda future: future.result(),
    lambda future: future.result(timeout=30),
    lambda future: wait([future]),
    lambda future: Runtime().wait(future),
]


@pytest.mark.parametrize(
    "work", [wait_for_one, wait_for_a_moment, wait_for_all, chain_in_c, one_batch]
)
@pytest.mark.parametrize("ask", ASKS)
def test_a_handler_waits_for_the_same(
    work: Callable[[Gate, list[Future[Any]]], None],
    ask: Callable[[Future[Any]], object],
) -> None:
    refused = 0
    for n in range(10_000):
        with Gate() as gate:
            buffers = [bytearray(5) for _ in range(3)]
            futures = [gate.mover.memcpy(buffer, b"12345") for buffer in buffers]
            made: list[Future[Any]] = [*futures]

            def handler(gate: Gate = gate, made: list[Future[Any]] = made) -> None:
                nonlocal refused
                gate.open()
                try:
                    ask(made[3 if len(made) > 3 else 0])
                except RuntimeError as error:
                    if "at this future already" not in str(error):
                        raise
                    refused += 1

            interrupt = Interrupt(n, handler)
            with interrupt:
                work(gate, made)
            for future, buffer in zip(futures, buffers, strict=True):
                assert future.result() == b"12345"
                buffer.append(0)
        if interrupt.left >= 0:
            break
    assert n > 10
    assert refused > 0


@pytest.mark.parametrize(
    "work",
    [
        *(wait_for_one, wait_for_a_moment, wait_for_all, poll_each),
        *(chain_them, chain_and_wait, nest_chains, one_batch, drop_them),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_callbacks_are_called(
    work: Callable[[Gate, list[Future[Any]]], None],
) -> None:
    with Gate() as gate:
        for n in range(10_000):
            gate.close()
            futures = [gate.mover.memcpy(bytearray(5), b"12345") for _ in range(3)]
            # In C: an exception that comes in a callback is the callback's.
            called: list[list[Future[Any]]] = [[] for _ in futures]
            for future, seen in zip(futures, called, strict=True):
                future.add_done_callback(seen.append)
            interrupt = Interrupt(n, ctrl_c)
            made = futures.copy()
            with suppress(KeyboardInterrupt), interrupt:
                work(gate, made)
            begun = [future._flight.slot is not None for future in futures]
            gate.open()
            # Nobody waits for any of them.
            deadline = monotonic() + 30
            for future, seen, has_begun in zip(futures, called, begun, strict=True):
                # A chain may begin with it only now.
                ended = has_begun or future._flight.code != PENDING
                if ended or not future.cancel():
                    while not seen:
                        assert monotonic() < deadline, "a callback is not called"
                        sleep(0.001)
            if interrupt.left >= 0:
                break
        assert n > 10


def first_of(one: Future[Any], _: object) -> Future[Any]:
    return one


def release(called: threading.Semaphore, _: object) -> None:
    called.release()


@pytest.mark.parametrize("early", [False, True])
def test_a_callback_of_a_step_is_called(gate: Gate, early: bool) -> None:
    """Its chain is watched for its sake, and may be so by half."""
    for n in range(10_000):
        gate.close()
        copy = gate.mover.memcpy(bytearray(5), b"12345")
        inner = chain(partial(first_of, copy), Countdown(1))
        future = chain(inner, Countdown(1))
        called = threading.Semaphore(0)
        add = partial(copy.add_done_callback, partial(release, called))
        first, then = (add, future.start) if early else (future.start, add)
        first()
        interrupt = Interrupt(n, ctrl_c)
        with suppress(KeyboardInterrupt), interrupt:
            then()
        interest = copy._flight.interest
        is_added = interest is not None and bool(interest.listeners)
        has_begun = copy._flight.slot is not None
        gate.open()
        assert not (is_added and has_begun) or called.acquire(timeout=30)
        with suppress(KeyboardInterrupt):  # a function's, it may be
            future.result()
        if interrupt.left >= 0:
            break
    assert n > 10
