# SPDX-License-Identifier: BSD-3-Clause
"""The steps of chains, when somebody asks one itself."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError
from typing import Any

import pytest
from gate import Gate
from interrupt import Interrupt
from loops import Run

import miniasync
from miniasync import DataMover, Future, State, Waker, chain
from miniasync._daemon import daemon
from miniasync._outstanding import outstanding
from miniasync._segment import Segment


class One(Future[int]):
    """It keeps others from driving the chain that it is a step of."""

    def step(self, waker: Waker) -> int:
        return 1


def stopped(gate: Gate) -> tuple[Future[Any], Future[bytearray]]:
    """A chain that was asked to end, in its first step, and its third step."""
    buffers = [bytearray(9000) for _ in range(4)]
    steps = [gate.mover.memcpy(buffers[i + 1], buffers[i]) for i in range(3)]
    future = chain(*steps, One()).start()
    gate.wait_entered()
    future._flight.ask_to_end()
    future.poll()
    return future, steps[2]


ASK: dict[str, Callable[[Future[bytearray]], object]] = {
    "result": lambda step: step.result(),
    "result until": lambda step: step.result(timeout=30),
    "exception": lambda step: step.exception(),
    "wait": lambda step: miniasync.wait([step]),
    "start": lambda step: step.start().result(),
}


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_one_that_is_given_back_idle_is_started(
    gate: Gate, ask: Callable[[Future[bytearray]], object]
) -> None:
    future, step = stopped(gate)
    gate.open()
    ask(step)
    assert step.state is State.COMPLETE
    assert step.exception() is None
    with pytest.raises(CancelledError):
        future.result()


def test_start_starts_what_it_gets_back(gate: Gate) -> None:
    future, step = stopped(gate)
    gate.open()
    while step._flight.parent is not None:
        step.start()
    assert step.state is not State.IDLE
    assert future.cancelled()
    assert step.result() == bytes(9000)


@pytest.mark.parametrize("look", [Future.done, Future.running])
def test_looking_starts_nothing(
    gate: Gate, look: Callable[[Future[bytearray]], bool]
) -> None:
    future, step = stopped(gate)
    gate.open()
    while step._flight.parent is not None:
        look(step)
    assert future.cancelled()
    assert not look(step)
    assert step.state is State.IDLE


def test_a_callback_of_a_later_one_keeps_none_from_being_started(gate: Gate) -> None:
    own = One()
    own.add_done_callback(lambda _: None)
    future = chain(gate.mover.memcpy(bytearray(9000), bytes(9000)), own).start()
    gate.wait_entered()
    gate.open()
    assert future.result() == 1


class Late:
    """Awaits a future, and does something once that waits."""

    def __init__(self, future: Future[Any], then: Callable[[], None]) -> None:
        self._future = future
        self._then = then

    def __await__(self) -> Generator[Any, Any, Any]:
        waiting = self._future.__await__()
        try:
            yielded = waiting.send(None)
            self._then()
            while True:
                yielded = waiting.send((yield yielded))
        except StopIteration as stop:
            return stop.value


def test_await_starts_what_is_given_back_idle(run: Run, gate: Gate) -> None:
    buffers = [bytearray(9000) for _ in range(4)]
    steps = [gate.mover.memcpy(buffers[i + 1], buffers[i]) for i in range(3)]
    future = chain(*steps).start()
    gate.wait_entered()
    future._flight.ask_to_end()
    future.poll()
    results: list[object] = []

    async def main() -> None:
        results.append(await Late(steps[2], gate.open))

    run(main)
    assert results == [buffers[3]]
    assert future.cancelled()
    assert steps[1].state is State.IDLE


def test_a_callback_starts_nothing_that_is_given_back_idle(gate: Gate) -> None:
    future, step = stopped(gate)
    called: list[object] = []
    step.add_done_callback(called.append)
    gate.open()
    with pytest.raises(CancelledError):
        future.result()
    assert step.state is State.IDLE
    assert called == []
    step.result()
    assert called == [step]


def test_a_watch_starts_nothing_for_a_callback(mover: DataMover) -> None:
    """It may have become idle since it was found running."""
    future = mover.memset(bytearray(3), 1)
    called: list[object] = []
    future.add_done_callback(called.append)
    daemon().attend(future._flight)
    assert future.state is State.IDLE
    assert called == []
    future.result()
    assert called == [future]


class Before:
    """A lock; before it is taken for the first time, something is done."""

    def __init__(self, step: Future[Any], act: Callable[[], object]) -> None:
        self._flight = step._flight
        self._act = act
        self._lock: Any = self._flight.lock
        setattr(self._flight, "lock", self)  # noqa: B010 - its type is another

    def acquire(self, *how: Any) -> bool:
        if self._flight.lock is not self._lock:
            self._flight.lock = self._lock
            self._act()
        return bool(self._lock.acquire(*how))

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()


def in_a_thread(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("timeout", [None, 60])
@pytest.mark.parametrize("own", [False, True])
def test_one_taken_just_before_its_lock_is(
    mover: DataMover, own: bool, timeout: float | None
) -> None:
    """Who waits for it drives the chain, if nobody else does."""
    dst = bytearray(9000)
    step: Future[Any] = One() if own else mover.memset(dst, 1)
    future = chain(step, One())
    Before(step, lambda: in_a_thread(future.start).join())
    results: list[object] = []
    thread = in_a_thread(lambda: results.append(step.result(timeout)))
    thread.join(30)
    assert results == [1 if own else dst]


@pytest.mark.parametrize("timeout", [None, 60])
@pytest.mark.parametrize("batch", [False, True])
def test_one_taken_and_given_back_before_its_lock_is(
    gate: Gate, batch: bool, timeout: float | None
) -> None:
    a, b = bytearray(9000), bytearray(9000)
    with Gate() as other:
        step: Future[Any]
        if batch:
            step = other.mover.memcpy_batch([(b, bytes(9000))])
        else:
            step = other.mover.memcpy(b, bytes(9000))
        future = chain(gate.mover.memcpy(a, bytes(9000)), step)

        def take() -> None:
            future.start()
            gate.wait_entered()
            future._flight.ask_to_end()
            future.poll()
            gate.open()

        Before(step, lambda: in_a_thread(take).join())
        thread = in_a_thread(lambda: step.result(timeout))
        other.wait_entered()
        assert step._flight in outstanding
        closing = in_a_thread(other.mover.close)
        closing.join(0.05)
        assert closing.is_alive()
        other.open()
        for each in (closing, thread):
            each.join(30)
            assert not each.is_alive()
    assert step.done()


@pytest.mark.parametrize("how", ["start", "await"])
def test_start_gets_past_who_only_looks(
    run: Run, mover: DataMover, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """As one who closes a mover does, while the lock is tried."""
    future = mover.memset(bytearray(9000), 1)

    def fail(flight: object) -> bool:
        monkeypatch.undo()
        return False

    monkeypatch.setattr(type(future._flight), "enter", fail)
    if how == "start":
        future.start()
        assert future.state is not State.IDLE
    else:

        async def main() -> None:
            await future

        run(main)
    assert future.result() == b"\1" * 9000


def test_closing_while_it_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    from miniasync import _ending

    closing, over = threading.Event(), threading.Event()

    def look(flight: object, root: object) -> None:
        closing.set()
        over.wait()

    monkeypatch.setattr(_ending, "_finish_within", look)
    with miniasync.ThreadsMover(threads=1) as mover:
        future = mover.memset(bytearray(9000), 1)
        outstanding[future._flight] = None  # as one has it who tries the lock
        thread = in_a_thread(mover.close)
        assert closing.wait(30)
        threading.Timer(0.01, over.set).start()
        with pytest.raises(miniasync.ClosedError):
            future.start()
        thread.join()


def test_the_root_of_a_step_is_its_chain_at_any_time(mover: DataMover) -> None:
    buffers = [bytearray(9000) for _ in range(4)]
    steps = [mover.memcpy(buffers[i + 1], buffers[i]) for i in range(3)]
    future = chain(*steps)
    roots: set[type] = set()

    def trace(frame: Any, event: str, arg: object) -> Any:
        if "miniasync" in frame.f_code.co_filename:
            roots.update(type(step._flight.root()) for step in steps)
            return trace
        return None

    sys.settrace(trace)
    try:
        future.start()
    finally:
        sys.settrace(None)
    future.result()
    assert type(future._flight) in roots
    assert Segment not in roots


def test_a_chain_gives_a_step_back_while_it_is_looked_at(gate: Gate) -> None:
    """At any point, by a handler here: another thread may do it, too."""
    for n in range(10_000):
        gate.close()
        steps = [gate.mover.memcpy(bytearray(5), b"12345") for _ in range(3)]
        future = chain(*steps, lambda _: None)
        future.start()
        gate.wait_entered()

        def handler(future: Future[Any] = future) -> None:
            gate.open()
            # Unless this interrupts who is about it.
            while future._flight.holder is None and not future.done():
                pass

        interrupt = Interrupt(n, handler)
        with interrupt:
            steps[0].done()
        gate.open()
        future.result()
        if interrupt.left >= 0:
            break
    assert n > 3
