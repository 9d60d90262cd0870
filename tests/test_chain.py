# SPDX-License-Identifier: BSD-3-Clause
"""Chains of futures and functions."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from typing import Any

import pytest
from gate import Gate
from own import Countdown

import miniasync
from miniasync import DataMover, Future, State, chain, wait


def test_one_after_another(mover: DataMover) -> None:
    a, b, c = bytearray(1000), bytearray(1000), bytearray(1000)
    future = chain(mover.memset(a, 7), mover.memcpy(b, a), mover.memcpy(c, b))
    assert future.result() is c
    assert a == b == c == b"\7" * 1000
    for buffer in (a, b, c):
        buffer.append(0)


def test_large_steps(mover: DataMover) -> None:
    n = 3_000_000
    a, b = bytearray(n), bytearray(n)
    future = chain(mover.memset(a, 1), mover.memcpy(b, a)).start()
    assert future.result() is b
    assert b == b"\1" * n


def test_is_lazy(mover: DataMover) -> None:
    dst = bytearray(3)
    future = chain(mover.memset(dst, 1), pytest.fail)
    assert future.state is State.IDLE
    assert "chain of 2 steps, idle" in repr(future)
    assert dst == bytes(3)
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result()


def test_functions_get_the_result_before(mover: DataMover) -> None:
    dst = bytearray(3)
    future = chain(
        lambda first: first,
        lambda none: [none],
        lambda was: (was, mover.memset(dst, 5).result()),
        lambda pair: (*pair, "end"),
    )
    assert future.result() == ([None], dst, "end")


def test_a_function_may_return_a_future(mover: DataMover) -> None:
    a, b = bytearray(3), bytearray(3)
    future = chain(mover.memset(a, 9), lambda a: mover.memcpy(b, a), bytes)
    assert future.result() == b"\t\t\t"


def test_a_failed_step_is_the_last(mover: DataMover) -> None:
    dst = bytearray(3)
    never = mover.memset(dst, 1)
    future = chain(lambda _: 1 // 0, never)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            future.result()
    assert isinstance(future.exception(), ZeroDivisionError)
    assert never.state is State.IDLE
    assert dst == bytes(3)


def test_a_closed_mover_fails_it(mover: DataMover) -> None:
    with miniasync.SyncMover() as closed:
        bad = closed.memset(bytearray(3), 1)
    future = chain(mover.memset(bytearray(3), 1), bad, pytest.fail)
    with pytest.raises(miniasync.ClosedError):
        future.result()


def test_a_cancelled_step_cancels_it(mover: DataMover) -> None:
    step = mover.memset(bytearray(3), 1)
    step.cancel()
    future = chain(step, pytest.fail)
    with pytest.raises(CancelledError):
        future.result()
    assert future.cancelled()


def test_steps_that_were_started_before(gate: Gate, mover: DataMover) -> None:
    done = mover.memset(bytearray(3), 1)
    done.result()
    running = gate.mover.memcpy(bytearray(5), b"12345").start()
    gate.wait_entered()
    future = chain(done, running, bytes).start()
    assert future.running()
    gate.open()
    assert future.result() == b"12345"
    assert running.done()


def test_goes_on_by_itself(gate: Gate, mover: DataMover) -> None:
    called = threading.Event()
    dst = bytearray(5)
    future = chain(
        gate.mover.memcpy(bytearray(5), b"12345"),
        lambda b: mover.memcpy(dst, b),
        lambda _: called.set(),
    ).start()
    gate.wait_entered()
    gate.open()
    assert called.wait(30)
    assert dst == b"12345"
    assert future.result() is None


def test_waiting_for_a_step_waits_for_the_chain(gate: Gate) -> None:
    first = gate.mover.memcpy(bytearray(5), b"12345")
    second = gate.mover.memcpy(bytearray(5), b"67890")
    future = chain(first, second).start()
    gate.wait_entered()
    assert first.running()
    assert not first.done()
    assert first.poll() is State.RUNNING
    with pytest.raises(TimeoutError):
        first.result(timeout=0.01)
    assert wait([first, future], timeout=0.01).not_done == {first, future}
    assert not second.done()
    gate.open()
    assert first.result() == b"12345"
    assert wait([first, second, future]).not_done == set()
    assert future.result() == b"67890"


def test_wait_and_as_completed(gate: Gate, mover: DataMover) -> None:
    late = chain(gate.mover.memcpy(bytearray(5), b"12345"), bytes)
    early = chain(mover.memset(bytearray(1), 1), bytes)
    done = miniasync.as_completed([late, early])
    assert next(done) is early
    gate.open()
    assert next(done) is late


def test_a_dropped_one_goes_on(gate: Gate, mover: DataMover) -> None:
    called = threading.Event()
    future = chain(
        gate.mover.memcpy(bytearray(5), b"12345"), lambda _: called.set()
    ).start()
    gate.wait_entered()
    with pytest.warns(ResourceWarning, match="chain of 2 steps"):
        del future
    gate.open()
    assert called.wait(30)


def test_with_futures_of_the_users_own(mover: DataMover) -> None:
    own = Countdown(5)
    dst = bytearray(3)
    future = chain(mover.memset(dst, 1), own, lambda text: (text, bytes(dst)))
    assert future.result() == ("liftoff", b"\1\1\1")
    assert wait([chain(Countdown(2), Countdown(3))]).not_done == set()


def test_a_future_of_the_users_own_is_stepped_by_who_waits() -> None:
    own = Countdown(5)
    future = chain(own).start()
    left = own.left
    assert not threading.Event().wait(0.05)
    assert own.left == left
    future.result()


def test_nested(mover: DataMover) -> None:
    a, b = bytearray(3), bytearray(3)
    inner = chain(mover.memset(a, 1), mover.memcpy(b, a))
    future = chain(inner, bytes, chain(lambda none: none, Countdown(2)))
    assert future.result() == "liftoff"
    assert inner.result() is b


def test_the_same_step_twice(mover: DataMover) -> None:
    step = mover.memset(bytearray(3), 1)
    assert chain(step, step, step).result() is step.result()


def test_a_step_of_two_chains(gate: Gate) -> None:
    step = gate.mover.memcpy(bytearray(5), b"12345")
    first, second = chain(step, bytes).start(), chain(step, bytes).start()
    gate.open()
    assert first.result() == second.result() == b"12345"


def test_a_function_that_waits_for_its_chain() -> None:
    chains: list[Future[Any]] = []
    chains.append(chain(lambda _: chains[0].result()))
    with pytest.raises(RuntimeError, match="at this future already"):
        chains[0].result(timeout=30)


def test_closing_the_mover_waits_for_the_step(gate: Gate) -> None:
    dst = bytearray(5)
    future = chain(gate.mover.memcpy(dst, b"12345"), bytes).start()
    gate.wait_entered()
    gate.open()
    gate.mover.close()
    assert dst == b"12345"
    assert future.result() == b"12345"


def test_closing_the_mover_finishes_what_c_goes_through(gate: Gate) -> None:
    a, b, c = bytearray(5), bytearray(5), bytearray(5)
    copy = gate.mover.memcpy
    future = chain(copy(a, b"12345"), copy(b, a), copy(c, b)).start()
    gate.wait_entered()
    gate.open()
    gate.mover.close()
    assert a == b == c == b"12345"
    assert future.result() is c


def test_a_closed_mover_in_the_middle(mover: DataMover) -> None:
    with miniasync.SyncMover() as closed:
        bad = closed.memset(bytearray(3), 1)
    a, b = bytearray(3), bytearray(3)
    last = mover.memset(b, 2)
    future = chain(mover.memset(a, 1), mover.memset(a, 2), bad, last)
    with pytest.raises(miniasync.ClosedError):
        future.result()
    assert a == b"\2\2\2"
    assert b == bytes(3)
    assert last.state is State.IDLE
    assert last.result() is b


def test_what_is_waited_for_elsewhere_is_left_there(gate: Gate) -> None:
    a, b = bytearray(5), bytearray(5)
    first, second = gate.mover.memcpy(a, b"12345"), gate.mover.memcpy(b, b"67890")
    waiting = threading.Thread(target=second.result)
    waiting.start()
    gate.wait_entered()
    future = chain(first, second).start()
    gate.open()
    assert future.result() is b
    assert a == b"12345"
    assert b == b"67890"
    waiting.join()


@pytest.mark.forks
def test_in_a_forked_child(run_python: Any) -> None:
    program = """
        import os, warnings
        warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
        import miniasync
        from gate import Gate
        with Gate() as gate:
            a, b = bytearray(5), bytearray(5)
            first, second = gate.mover.memcpy(a, b"12345"), gate.mover.memcpy(b, a)
            future = miniasync.chain(first, second, bytes).start()
            gate.wait_entered()
            pid = os.fork()
            if pid == 0:
                for each in (first, second, future):
                    try:
                        each.result(timeout=5)
                    except miniasync.JobCorruptedError:
                        continue
                    os._exit(1)
                os._exit(0)
            assert os.waitpid(pid, 0) == (pid, 0)
            gate.open()
            assert future.result() == b"12345"
        """
    run_python(program)


@pytest.mark.parametrize("bad", [None, 1, b"x", []])
def test_steps_are_checked(mover: DataMover, bad: Any) -> None:
    with pytest.raises(TypeError, match="step 1 must be a future or a function"):
        chain(mover.memset(bytearray(3), 1), bad)


def test_must_have_a_step() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        chain()


def test_a_long_one(mover: DataMover) -> None:
    buffers = [bytearray(b"\1" * 100) if i == 0 else bytearray(100) for i in range(500)]
    copies = [mover.memcpy(buffers[i + 1], buffers[i]) for i in range(499)]
    assert chain(*copies).result() is buffers[-1]
    assert buffers[-1] == b"\1" * 100


def test_at_exit(run_python: Any) -> None:
    program = """
        import miniasync
        a, b = bytearray(1 << 24), bytearray(1 << 24)
        future = miniasync.chain(
            miniasync.memset(a, 1), miniasync.memcpy(b, a), bytes
        ).start()
        """
    run_python(program)


class Quit(BaseException):
    """What no `except Exception` catches, like KeyboardInterrupt."""


def test_an_interrupted_function_is_not_left_out() -> None:
    def interrupted(_: object) -> None:
        raise Quit

    future = chain(interrupted, lambda _: pytest.fail("called"))
    with pytest.raises(Quit):
        future.result()
    assert future.done()
    with pytest.raises(Quit):
        future.result()


@pytest.mark.parametrize("at", range(2))
def test_no_step_is_lost_if_there_is_no_memory(
    mover: DataMover, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    a, b = bytearray(9000), bytearray(9000)
    steps = mover.memset(a, 1), mover.memcpy(b, a), mover.memset(a, 2)
    future = chain(*steps)
    link = type(steps[at]._flight).link
    left = [None] * (at + 1)

    def failing(flight: Any) -> Any:
        if left and left.pop() is None and not left:
            raise MemoryError
        return link(flight)

    monkeypatch.setattr(type(steps[at]._flight), "link", failing)
    with pytest.raises(MemoryError):
        future.result()
    assert future.result() is a
    assert b == b"\1" * 9000
    assert a == b"\2" * 9000
    for buffer in (a, b):
        buffer.append(0)


@pytest.mark.parametrize("batch", [False, True])
def test_a_step_that_runs_outlives_a_chain_that_ends_before_it(batch: bool) -> None:
    a, b = bytearray(5), bytearray(5)
    with Gate() as first, Gate() as second:
        running: Future[Any]
        if batch:
            running = second.mover.memcpy_batch([(b, b"67890")])
        else:
            running = second.mover.memcpy(b, b"67890")
        running.start()
        second.wait_entered()
        future = chain(first.mover.memcpy(a, b"12345"), running).start()
        first.wait_entered()
        future._flight.ask_to_end()
        future.poll()
        first.open()
        with pytest.raises(CancelledError):
            future.result()
        assert running.state is State.RUNNING
        second.open()
        assert running.result() is (running.result() if batch else b)
        assert b == b"67890"
    stats = second.mover.stats()
    assert (stats.operations, stats.pending) == (1, 0)


def test_who_began_it_may_have_ended(gate: Gate) -> None:
    a, b = bytearray(9000), bytearray(64)
    with miniasync.ThreadsMover(threads=1) as mover:
        small = mover.memset(b, 1)
        future = chain(gate.mover.memcpy(a, bytes(9000)), small)
        thread = threading.Thread(target=future.start)
        thread.start()
        thread.join()
        gate.wait_entered()
        with pytest.raises(TimeoutError):
            small.result(timeout=0)
        gate.open()
        assert future.result() is b
        assert small.result(timeout=0) == b"\1" * 64


def test_a_callback_of_a_step_closes_the_mover() -> None:
    with miniasync.ThreadsMover(threads=1) as mover:
        steps = [mover.memset(bytearray(9000), i) for i in range(3)]
        future = chain(*steps)
        for step in steps:
            step.add_done_callback(lambda _: mover.close())
        assert future.result() == b"\2" * 9000


def test_a_callback_of_a_step_waits_for_the_chain(mover: DataMover) -> None:
    steps = [mover.memset(bytearray(9000), i) for i in range(3)]
    future = chain(steps[0], bytes, *steps[1:])
    found: list[object] = []
    for step in steps:
        step.add_done_callback(lambda _: found.append(future.result()))
    assert future.result() is steps[2].result()
    assert found == [steps[2].result()] * 3


def test_closing_waits_for_no_function(gate: Gate) -> None:
    inside, over = threading.Event(), threading.Event()

    def function(value: bytearray) -> bytearray:
        inside.set()
        over.wait()
        return value

    future = chain(gate.mover.memcpy(bytearray(5), b"12345"), function)
    threads = [threading.Thread(target=future.result)]
    threads[0].start()
    gate.wait_entered()
    threads.append(threading.Thread(target=gate.mover.close))
    threads[1].start()
    gate.open()
    assert inside.wait(30)
    threads[1].join(30)
    assert not threads[1].is_alive()
    over.set()
    threads[0].join()


def test_nobody_else_runs_its_functions(gate: Gate) -> None:
    ran_in: list[int] = []
    over = threading.Event()

    def function(value: object) -> object:
        ran_in.append(threading.get_ident())
        over.set()
        return value

    future = chain(gate.mover.memcpy(bytearray(5), b"12345"), function).start()
    gate.wait_entered()
    gate.open()
    gate.mover.close()
    assert over.wait(30)
    assert ran_in != [threading.get_ident()]
    assert future.result() == b"12345"
