# SPDX-License-Identifier: BSD-3-Clause
"""Chains that are dropped before they have come to their end."""

from __future__ import annotations

import gc
import time
import warnings
import weakref
from collections.abc import Iterator

import pytest
from gate import Gate

from miniasync import PENDING, DataMover, Future, Pending, State, Waker, chain


class Device(Future[str]):
    """Ready when somebody says so."""

    def __init__(self) -> None:
        super().__init__()
        self.ready = False
        self.steps = 0

    def step(self, waker: Waker) -> str | Pending:
        self.steps += 1
        self.waker = waker  # so that it is stepped seldom
        return "ready" if self.ready else PENDING


@pytest.fixture(autouse=True)
def no_garbage() -> Iterator[None]:
    """What is let go of is so without the garbage collector."""
    gc.disable()
    yield
    gc.enable()


def wait_free(buffer: bytearray) -> None:
    """Return when nobody holds a buffer."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return buffer.append(0)
        except BufferError:
            assert time.monotonic() < deadline


@pytest.mark.parametrize("made_late", [False, True])
@pytest.mark.parametrize("in_c", [1, 3])
def test_it_ends_with_what_c_is_about(
    gate: Gate, mover: DataMover, made_late: bool, in_c: int
) -> None:
    device = Device()
    a, b = bytearray(5), bytearray(5)
    future = chain(
        *(gate.mover.memcpy(a, b"12345") for _ in range(in_c)),
        (lambda _: device) if made_late else device,
        mover.memset(b, 2),
    ).start()
    gate.wait_entered()
    with pytest.warns(ResourceWarning, match="was dropped"):
        del future
    with pytest.raises(BufferError):
        a.append(0)
    gate.open()
    wait_free(a)
    wait_free(b)
    assert a == b"12345\0"
    assert b == bytes(6)
    assert device.steps == 0


@pytest.mark.parametrize("wait", [False, True])
def test_with_nothing_in_c_it_ends_at_once(mover: DataMover, wait: bool) -> None:
    b = bytearray(5)
    future = chain(lambda _: None, Device(), mover.memset(b, 2)).start()
    if wait:
        with pytest.raises(TimeoutError):
            future.result(timeout=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del future
    b.append(0)
    assert b == bytes(6)


def test_a_future_of_the_users_own_remains_the_users(mover: DataMover) -> None:
    device = Device()
    b = bytearray(5)
    future = chain(device, mover.memset(b, 2)).start()
    assert device.state is State.RUNNING
    del future
    b.append(0)
    assert device.state is State.RUNNING
    device.ready = True
    assert device.result() == "ready"


def test_past_the_last_of_the_users_own_it_goes_on(gate: Gate) -> None:
    device = Device()
    device.ready = True
    a = bytearray(5)
    future = chain(device, gate.mover.memcpy(a, b"12345"), len)
    called: list[int] = []
    last = chain(future, called.append).start()
    gate.wait_entered()
    with pytest.warns(ResourceWarning, match="was dropped"):
        del future, last
    gate.open()
    wait_free(a)
    while not called:
        pass
    assert called == [5]


def test_with_a_callback_it_is_kept(gate: Gate, mover: DataMover) -> None:
    device = Device()
    device.ready = True
    called: list[Future[bytearray]] = []
    copy = gate.mover.memcpy(bytearray(5), b"12345")
    future = chain(copy, device, mover.memset(bytearray(3), 2))
    future.add_done_callback(called.append)
    future.start()
    gate.wait_entered()
    kept = weakref.ref(future)
    del future
    gate.open()
    copy.result()  # waits for the chain
    assert called == [kept()]
    assert called.pop().result() == b"\2\2\2"
