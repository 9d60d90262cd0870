# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C and other signals while the main thread waits."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from gate import Gate

from miniasync import _waiters

HERE = Path(__file__).parent

WAITS = {
    "result": "future.result()",
    "timeout": "future.result(timeout=50)",
    "exception": "future.exception()",
    "wait": "miniasync.wait([future])",
    "first": "miniasync.wait([future], return_when='FIRST_COMPLETED')",
    "runtime": "miniasync.Runtime().wait(future)",
    "close": "gate.mover.close()",
    "with": "future.__exit__(None, None, None)",
}


@pytest.mark.parametrize("way", WAITS)
def test_ends_the_wait_and_nothing_else(way: str) -> None:
    program = f"""if True:
        import sys, miniasync
        from gate import Gate
        gate = Gate()
        dst = bytearray(5)
        future = gate.mover.memcpy(dst, b"12345").start()
        gate.wait_entered()
        try:
            print("waiting", flush=True)
            {WAITS[way]}
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        assert future.running()
        try:
            dst.append(0)
        except BufferError:
            gate.open()
            print(future.result(), flush=True)
        """
    with subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        out = process.stdout
        assert out is not None
        assert out.readline() == b"waiting\n"
        # It may not be waiting yet; then it is interrupted even earlier.
        process.send_signal(signal.SIGINT)
        assert out.readline() == b"interrupted\n"
        assert out.readline() == b"bytearray(b'12345')\n"
        _, err = process.communicate(timeout=60)
    assert (err, process.returncode) == (b"", 0)


def test_a_signal_that_another_thread_got(run_python: Callable[[str], str]) -> None:
    # Nothing ends the main thread's sleep early then.
    assert (
        run_python(
            """
            import signal, threading
            from gate import Gate
            with Gate() as gate:
                future = gate.mover.memcpy(bytearray(5), b"12345").start()
                def interrupt():
                    while not future._flight.lock.locked():
                        pass
                    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
                thread = threading.Thread(target=interrupt)
                thread.start()
                try:
                    future.result()
                except KeyboardInterrupt:
                    print("interrupted")
                thread.join()
            """
        )
        == "interrupted\n"
    )


def test_handlers_that_return_do_not_end_it(gate: Gate) -> None:
    seen: list[int] = []

    def handler(number: int, frame: object) -> None:
        seen.append(number)
        gate.open()

    future = gate.mover.memcpy(bytearray(5), b"12345").start()
    gate.wait_entered()
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        sender = threading.Thread(
            target=signal.pthread_kill,
            args=(threading.main_thread().ident, signal.SIGUSR1),
        )
        sender.start()
        assert future.result() == b"12345"
        sender.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [signal.SIGUSR1]


MADE = {
    "copy": "mover.memcpy(dst, b'12345')",
    "batch": "mover.memcpy_batch([(dst, b'12345')])",
    "chain": "miniasync.chain(mover.memset(dst, 1), mover.memcpy(dst, b'12345'))",
    "function": "miniasync.chain(lambda _: 1, mover.memcpy(dst, b'12345'), bytes)",
    "nested": "miniasync.chain(miniasync.chain(mover.memcpy(dst, b'12345')), bytes)",
}

INTERRUPTED = {
    "result": "future.result()",
    "timeout": "future.result(timeout=30)",
    "exception": "future.exception()",
    "with": "with future: pass",
    "wait": "miniasync.wait([future, other])",
    "first": "miniasync.wait([future, other], return_when='FIRST_EXCEPTION')",
    "completed": "assert list(miniasync.as_completed([future])) == [future]",
    "runtime": "miniasync.Runtime().wait(future, other)",
    "close": "future.start(); mover.close()",
}


@pytest.mark.parametrize("way", INTERRUPTED)
@pytest.mark.parametrize("made", MADE)
def test_a_handler_closes_the_mover(
    run_python: Callable[[str], str], way: str, made: str
) -> None:
    program = f"""
        import signal, threading
        import miniasync
        from gate import Gate
        def handler(number, frame):
            gate.open()
            mover.close()
            print("closed", bytes(dst))
            dst.append(0)
        dst = bytearray(5)
        with Gate() as gate, Gate() as far:
            mover = gate.mover
            far.open()
            other = far.mover.memcpy(bytearray(1), b"1")
            future = {MADE[made]}
            called = threading.Semaphore(0)
            future.add_done_callback(lambda _: called.release())
            signal.signal(signal.SIGTERM, handler)
            main = threading.get_ident()
            def send():
                gate.wait_entered()
                while future._flight.holder != main and not mover.closed:
                    pass
                signal.pthread_kill(main, signal.SIGTERM)
            thread = threading.Thread(target=send)
            thread.start()
            {INTERRUPTED[way]}
            thread.join()
            assert called.acquire(timeout=30)
            assert future.exception() is None
            assert dst == b"12345\\0"
            assert not far.mover.closed
        """
    assert run_python(program) == "closed b'12345'\n"


@pytest.mark.forks
@pytest.mark.parametrize("way", ["result()", "result(timeout=30)", "wait()"])
def test_a_handler_forks(run_python: Callable[[str], str], way: str) -> None:
    """The child comes back from the handler, into the wait."""
    wait = "miniasync.wait([future])" if way == "wait()" else f"future.{way}"
    program = f"""
        import os, signal, threading, warnings
        warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
        import miniasync
        from gate import Gate
        def handler(number, frame):
            global pid
            pid = os.fork()
            if pid:
                gate.open()
        gate = Gate()
        signal.signal(signal.SIGTERM, handler)
        main = threading.get_ident()
        def send(flight):
            gate.wait_entered()
            while flight.holder != main:
                pass
            signal.pthread_kill(main, signal.SIGTERM)
        for made in (
            lambda: gate.mover.memcpy(bytearray(5), b"12345"),
            lambda: gate.mover.memcpy_batch([(bytearray(5), b"12345")]),
            lambda: miniasync.chain(gate.mover.memcpy(bytearray(5), b"12345"), len),
            lambda: miniasync.chain(*(
                gate.mover.memcpy(bytearray(5), b"12345") for _ in range(2)
            )),
        ):
            gate.close()
            future = made()
            thread = threading.Thread(target=send, args=(future._flight,))
            thread.start()
            try:
                {wait}
            except miniasync.JobCorruptedError:
                pass
            error = future.exception()
            if pid == 0:
                os._exit("forked" not in str(error))
            assert error is None
            assert os.waitpid(pid, 0) == (pid, 0)
            thread.join()
        gate.mover.close()
        """
    run_python(program)


def test_a_handler_wants_the_default_mover(run_python: Callable[[str], str]) -> None:
    program = """
        import signal
        import miniasync
        from miniasync import _default
        def handler(number, frame):
            print(miniasync.memset(bytearray(2), 1).result())
        signal.signal(signal.SIGTERM, handler)
        class Mover(miniasync.ThreadsMover):
            def __init__(self):
                if _default._mover is None:
                    signal.raise_signal(signal.SIGTERM)
                super().__init__()
        made = _default.ThreadsMover
        def make():
            _default.ThreadsMover = made
            return Mover()
        _default.ThreadsMover = make
        mover = miniasync.default_mover()
        assert mover is miniasync.default_mover()
        """
    assert run_python(program) == "bytearray(b'\\x01\\x01')\n"


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_waiter_that_was_not_made_is_dropped_without_a_word() -> None:
    waiter = _waiters.Waiter.__new__(_waiters.Waiter)
    del waiter
    gc.collect()


@pytest.mark.parametrize("is_outstanding", [False, True])
def test_the_garbage_collector_loses_no_signal(
    run_python: Callable[[str], str], is_outstanding: bool
) -> None:
    # The signal comes after the interpreter has looked at signals, and before the
    # collection: so whatever runs before it looks again has it.
    program = f"""
        import gc, signal
        from _thread import interrupt_main
        from gate import Gate
        class Handled(BaseException):
            pass
        def handler(number, frame):
            raise Handled(number)
        signal.signal(signal.SIGUSR1, handler)
        with Gate() as gate:
            dst = bytearray(5)
            future = gate.mover.memcpy(dst, b"12345")
            if {is_outstanding}:
                future.start()
            for generation in range(3):
                try:
                    for _ in map(interrupt_main, [signal.SIGUSR1]):
                        gc.collect(generation)
                        print("too late")
                except Handled as error:
                    assert error.args == (signal.SIGUSR1,)
                    assert error.__context__ is None
                    print("handled")
            gate.open()
            assert future.result() == b"12345"
        """
    assert run_python(program) == 3 * "handled\n"
