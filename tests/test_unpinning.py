# SPDX-License-Identifier: BSD-3-Clause
"""What looks done has let go of its memory, whenever somebody looks or meddles.

Another thread may look between any two instructions of the one that sees the end. A
tracer looks there.
"""

from __future__ import annotations

import os
import sys
import threading
from _thread import get_ident
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any
from weakref import ref

import pytest
from gate import Gate
from pinned import free

import miniasync
from miniasync import Future, Runtime, chain, wait
from miniasync._ends import PENDING
from miniasync._future import _call
from miniasync._interest import Interest
from miniasync._outstanding import outstanding

FOLDER = miniasync.__file__.rpartition("__init__")[0]

Make = Callable[[Gate, bytearray, bytearray], list[Future[Any]]]

# Each makes futures of which the first is looked at and the last is waited for.
KINDS: dict[str, Make] = {
    "small": lambda gate, dst, src: [miniasync.memcpy(dst, src)],
    "fill": lambda gate, dst, src: [miniasync.memset(dst, 1)],
    "move": lambda gate, dst, src: [miniasync.memmove(dst, src)],
    "by a worker": lambda gate, dst, src: [gate.mover.memcpy(dst, src)],
    "batch": lambda gate, dst, src: [gate.mover.memcpy_batch([(dst, src)])],
    "ranges": lambda gate, dst, src: [
        miniasync.memcpy_batch((dst, src), lengths=[2, 3])
    ],
    "step": lambda gate, dst, src: _with_chain(gate.mover.memcpy(dst, src), len),
    "link": lambda gate, dst, src: _with_chain(
        gate.mover.memcpy(dst, src), miniasync.memset(bytearray(5), 1)
    ),
}


def _with_chain(first: Future[Any], then: Any) -> list[Future[Any]]:
    return [first, chain(first, then)]


class Onlooker:
    """Looks at a future between any two instructions of the package."""

    def __init__(self, future: Future[Any], buffers: list[bytearray]) -> None:
        self.buffers = buffers
        self.future = future
        self.looks = 0
        self.pinned: list[str] = []

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        frame.f_trace_opcodes = True
        # What `done` says, were it asked by somebody who cannot get further.
        if self.future._flight.code != PENDING:
            self.looks += 1
            if not all(map(free, self.buffers)):
                self.pinned.append(f"{frame.f_code.co_name}:{frame.f_lineno}")
        return self


def by_result(future: Future[Any]) -> None:
    future.result()


def in_time(future: Future[Any]) -> None:
    future.result(timeout=30)


def by_wait(future: Future[Any]) -> None:
    wait([future])


def by_polls(future: Future[Any]) -> None:
    future.start()
    while not future.done():
        os.sched_yield()  # the interpreter lock, too, to the worker's function


def natively(future: Future[Any]) -> None:
    with Runtime() as runtime:
        runtime.wait(future)


def by_cancelling(future: Future[Any]) -> None:
    future.cancel()


def look_on(
    futures: list[Future[Any]],
    buffers: list[bytearray],
    work: Callable[[Future[Any]], object],
) -> Onlooker:
    onlooker = Onlooker(futures[0], buffers)
    before = sys.gettrace()
    sys.settrace(onlooker)
    try:
        work(futures[-1])
    finally:
        sys.settrace(before)
    return onlooker


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "work", [by_result, in_time, by_wait, by_polls, natively, by_cancelling]
)
def test_what_looks_done_is_not_pinned(
    kind: str, work: Callable[[Future[Any]], None]
) -> None:
    dst, src = bytearray(5), bytearray(b"12345")
    with Gate() as gate:
        gate.open()
        futures = KINDS[kind](gate, dst, src)
        if work is by_cancelling:
            futures = futures[:1]
        onlooker = look_on(futures, [dst, src], work)
        assert futures[0].done()
    assert onlooker.looks > 0
    assert onlooker.pinned == []


def test_what_is_closed_before_its_start_is_not_pinned() -> None:
    dst, src = bytearray(5), bytearray(b"12345")
    mover = miniasync.ThreadsMover(1)
    future = mover.memcpy(dst, src)
    mover.close()
    onlooker = look_on([future], [dst, src], Future.exception)
    assert isinstance(future.exception(), miniasync.ClosedError)
    assert onlooker.looks > 0
    assert onlooker.pinned == []


def test_what_a_handler_has_completed_is_not_pinned() -> None:
    """It closes the mover, and what it interrupts has the lock."""
    dst, src = bytearray(5), bytearray(b"12345")
    with Gate() as gate:
        future = gate.mover.memcpy(dst, src).start()
        gate.open()
        with future._flight.lock:
            future._flight.holder = get_ident()
            onlooker = look_on([future], [dst, src], lambda _: gate.mover.close())
            future._flight.advance()  # it goes on
            future._flight.holder = None
        assert future.result() is dst
    assert onlooker.looks > 0
    assert onlooker.pinned == []


class Meddler:
    """Has another thread do something at the n-th instruction of the package."""

    def __init__(self, n: int, act: Callable[[], object]) -> None:
        self.thread = threading.Thread(target=act)
        self.left = n

    def join(self) -> None:
        """Wait for the other thread."""
        if self.left < 0:
            self.thread.join()

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        frame.f_trace_opcodes = True
        self.left -= 1
        if self.left == -1:
            sys.settrace(None)
            self.thread.start()
            # It ends; or it waits for the lock, which it will not get before this
            # goes on.
            self.thread.join(0.002)
            return None
        return self


def in_no_time(future: Future[Any]) -> None:
    with suppress(TimeoutError):
        future.result(timeout=0)


@pytest.mark.parametrize("kind", ["small", "fill", "move"])
@pytest.mark.parametrize("ask", [Future.poll, Future.done, Future.cancel, in_no_time])
def test_who_comes_too_late_leaves_nothing(
    kind: str, ask: Callable[[Future[Any]], object]
) -> None:
    with Gate() as gate:
        for n in range(10_000):
            dst, src = bytearray(5), bytearray(b"12345")
            [future] = KINDS[kind](gate, dst, src)
            meddler = Meddler(n, partial(ask, future))
            before = sys.gettrace()
            sys.settrace(meddler)
            try:
                future.exception()
            except CancelledError:
                pass
            finally:
                sys.settrace(before)
                meddler.join()
            assert future.done()
            assert not outstanding
            assert free(dst)
            assert free(src)
            if meddler.left >= 0:
                break
        assert n > 10


def test_a_future_that_two_tell_of_lives_until_it_was_called_with() -> None:
    for n in range(10_000):
        future = miniasync.memset(bytearray(5), 1)
        future.result()
        called: list[Future[Any]] = []
        interest = Interest()
        interest.owner = future
        interest.listeners.append(partial(_call, called.append, ref(future), [False]))
        del future
        meddler = Meddler(n, interest.tell)
        before = sys.gettrace()
        sys.settrace(meddler)
        try:
            interest.tell()
        finally:
            sys.settrace(before)
            meddler.join()
        assert len(called) == 1
        assert interest.owner is None
        if meddler.left >= 0:
            break
    assert n > 10
