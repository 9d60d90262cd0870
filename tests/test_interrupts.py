# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C at every place where the interpreter may look at signals.

A handler runs after a call into C, and at the beginning of a function. A profiler
is called at the same places, and what it raises comes from there as well.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from gate import Gate

import miniasync
from miniasync import Future, chain, wait

FOLDER = miniasync.__file__.rpartition("__init__")[0]


class Interrupt:
    """Raises KeyboardInterrupt at the n-th place in this package."""

    def __init__(self, n: int) -> None:
        self.left = n

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if event not in ("call", "c_return"):
            return
        if not frame.f_code.co_filename.startswith(FOLDER):
            return
        self.left -= 1
        if self.left < 0:
            sys.setprofile(None)
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


@pytest.mark.parametrize(
    "work", [wait_for_one, wait_for_a_moment, wait_for_all, poll_each, chain_them]
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
            if callback:
                for future in futures:
                    future.add_done_callback(lambda _: None)
            interrupt = Interrupt(n)
            sys.setprofile(interrupt)
            try:
                work(gate, made)
            except KeyboardInterrupt:
                pass
            finally:
                sys.setprofile(None)
            gate.open()
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
