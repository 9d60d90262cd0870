# SPDX-License-Identifier: BSD-3-Clause
"""Futures of the user's own."""

from __future__ import annotations

import gc
import pickle
import threading
import weakref
from concurrent.futures import CancelledError
from typing import Any

import pytest
from gate import Gate
from own import Countdown

from miniasync import (
    PENDING,
    DataMover,
    Future,
    Pending,
    Runtime,
    State,
    Waker,
    as_completed,
    chain,
    wait,
)


class Event(Future[int]):
    """Complete when it is set; needs its waker."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self.value: int | None = None
        self.waker: Waker | None = None
        self.stepped = threading.Event()

    def step(self, waker: Waker) -> int | Pending:
        self.steps += 1
        self.waker = waker
        self.stepped.set()
        return PENDING if self.value is None else self.value

    def set(self, value: int) -> None:
        self.value = value
        if self.waker is not None:
            self.waker.wake()


class Failing(Future[None]):
    def step(self, waker: Waker) -> None:
        raise KeyError("mine")


def test_result() -> None:
    assert Countdown(3).result() == "liftoff"
    assert Countdown(3).result(timeout=30) == "liftoff"
    assert Countdown(1).exception() is None


def test_is_lazy() -> None:
    future = Countdown(1)
    assert future.state is State.IDLE
    assert not future.done()
    assert not future.running()
    assert "idle" in repr(future)
    assert future.left == 1


def test_each_poll_is_a_step() -> None:
    future = Countdown(3)
    assert future.poll() is State.RUNNING
    assert future.running()
    assert future.left == 2
    assert future.start() is future
    assert future.left == 1
    assert future.poll() is State.COMPLETE
    assert future.result() == "liftoff"
    assert "complete" in repr(future)
    assert "Countdown" in repr(future)


def test_nobody_else_steps_it() -> None:
    future = Countdown(3)
    called = threading.Event()
    future.add_done_callback(lambda _: called.set())
    future.start()
    assert not called.wait(0.05)
    assert future.left == 2
    future.result()
    assert called.is_set()


def test_what_it_raises_comes_out() -> None:
    future = Failing()
    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            future.result()
    assert isinstance(future.exception(), KeyError)
    assert future.done()
    assert not future.cancelled()


def test_what_waits_is_woken_by_the_waker() -> None:
    future = Event()
    # The checks on forgotten wakers come later than this.
    future._flight._pause_ns = 10**12  # type: ignore[attr-defined]

    def setter() -> None:
        future.stepped.wait()
        future.set(7)

    thread = threading.Thread(target=setter)
    thread.start()
    assert future.result(timeout=30) == 7
    assert future.steps == 2
    thread.join()


def test_a_wake_during_the_step_is_not_lost() -> None:
    class Impatient(Future[int]):
        steps = 0

        def step(self, waker: Waker) -> int | Pending:
            self.steps += 1
            self.kept = waker
            waker.wake()
            return PENDING if self.steps < 100 else self.steps

    future = Impatient()
    future._flight._pause_ns = 10**12  # type: ignore[attr-defined]
    assert future.result(timeout=30) == 100


def test_a_forgotten_waker_does_not_hang() -> None:
    class Forgetful(Future[int]):
        steps = 0

        def step(self, waker: Waker) -> int | Pending:
            self.waker = waker
            self.steps += 1
            return PENDING if self.steps < 3 else 1

    assert Forgetful().result(timeout=30) == 1


def test_a_waker_outlives_the_future() -> None:
    future = Event()
    future.poll()
    waker = future.waker
    assert waker is not None
    gone = weakref.ref(future)
    del future
    gc.collect()
    assert gone() is None
    waker.wake()


def test_mixes_with_movers(mover: DataMover) -> None:
    futures: list[Future[Any]] = [
        Countdown(5),
        mover.memset(bytearray(3), 1),
        Countdown(1),
        mover.memset(bytearray(1 << 20), 1),
        Failing(),
    ]
    assert wait(futures).done == set(futures)
    futures = [Countdown(5), mover.memset(bytearray(3), 1), Countdown(9)]
    assert set(as_completed(futures)) == set(futures)
    futures = [Countdown(5), mover.memset(bytearray(3), 1), Countdown(9)]
    with Runtime() as runtime:
        runtime.wait(*futures)
    assert all(future.done() for future in futures)


def test_the_first_of_several(gate: Gate) -> None:
    late = gate.mover.memcpy(bytearray(5), b"12345")
    own = Countdown(10)
    assert wait([late, own], return_when="FIRST_COMPLETED").done == {own}
    never = Event()
    gate.open()
    assert wait([late, never], return_when="FIRST_COMPLETED").done == {late}


def test_timeout() -> None:
    future = Event()
    with pytest.raises(TimeoutError):
        future.result(timeout=0.01)
    assert wait([future], timeout=0.01).not_done == {future}
    with pytest.raises(TimeoutError):
        Runtime().wait(future, timeout=0.01)
    future.set(3)
    assert future.result() == 3


def test_cancel() -> None:
    future = Countdown(3)
    assert future.cancel()
    assert future.cancelled()
    with pytest.raises(CancelledError):
        future.result()
    assert future.left == 3
    future = Countdown(3)
    future.start()
    assert not future.cancel()
    assert future.result() == "liftoff"


def test_two_threads_wait() -> None:
    future = Event()
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(future.result()))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    future.stepped.wait()
    future.set(5)
    for thread in threads:
        thread.join()
    assert results == [5, 5]


def test_waiting_for_itself_is_an_error() -> None:
    class Selfish(Future[Any]):
        def step(self, waker: Waker) -> Any:
            return self.result()

    with pytest.raises(RuntimeError, match="at this future already"):
        Selfish().result(timeout=30)


def test_a_step_may_wait_for_others(mover: DataMover) -> None:
    class Copy(Future[bytearray]):
        def step(self, waker: Waker) -> bytearray:
            return mover.memset(bytearray(3), 1).result()

    assert Copy().result() == b"\1\1\1"


def test_interrupts_pass_through() -> None:
    class Interrupted(Future[int]):
        steps = 0

        def step(self, waker: Waker) -> int:
            self.steps += 1
            if self.steps == 1:
                raise KeyboardInterrupt
            return self.steps

    future = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        future.result()
    assert not future.done()
    assert future.result() == 2


def test_the_base_class_has_no_step() -> None:
    with pytest.raises(TypeError, match="overrides step"):
        Future()

    class Same(Future[int]):
        pass

    with pytest.raises(TypeError, match="overrides step"):
        Same()


def test_forgetting_the_constructor_is_said() -> None:
    class Forgot(Future[int]):
        def __init__(self) -> None:
            pass

        def step(self, waker: Waker) -> int:
            return 1

    with pytest.raises(RuntimeError, match=r"super\(\).__init__"):
        Forgot().result()


def test_pending() -> None:
    assert repr(PENDING) == "miniasync.PENDING"
    assert isinstance(PENDING, Pending)
    assert pickle.loads(pickle.dumps(PENDING)) is PENDING


@pytest.mark.forks
def test_in_a_forked_child(run_python: Any) -> None:
    program = """
        import os, warnings
        warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
        import miniasync
        class Never(miniasync.Future):
            def step(self, waker):
                return miniasync.PENDING
        class Now(miniasync.Future):
            def step(self, waker):
                return 1
        idle, running = Now(), Never().start()
        pid = os.fork()
        if pid == 0:
            try:
                running.result()
            except miniasync.JobCorruptedError:
                os._exit(0 if idle.result() == 1 else 1)
            os._exit(2)
        assert os.waitpid(pid, 0) == (pid, 0)
        assert running.running()
        """
    run_python(program)


class Busy(Future[int]):
    """Wants to be stepped again at once, until `over`."""

    def __init__(self) -> None:
        super().__init__()
        self.over = False
        self.steps = 0

    def step(self, waker: Waker) -> int | Pending:
        self.steps += 1
        waker.wake()
        return 1 if self.over else PENDING


def test_a_poll_is_one_step_even_if_it_wakes_itself() -> None:
    busy = Busy()
    assert busy.poll() is State.RUNNING
    assert busy.steps == 1
    both = chain(busy, str)
    both.poll()
    assert busy.steps < 4
    busy.over = True
    assert both.result() == "1"
