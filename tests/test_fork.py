# SPDX-License-Identifier: BSD-3-Clause
"""fork() while operations run."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import TypeAlias

import pytest

import miniasync

pytestmark = pytest.mark.forks

Fork: TypeAlias = Callable[[str], None]

HEAD = """
import os, sys, warnings
warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
import miniasync
from gate import Gate
def in_child(check):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            check()
            status = 0
        except:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stderr.flush()
            os._exit(status)
    assert os.waitpid(pid, 0) == (pid, 0)
"""


@pytest.fixture
def fork(run_python: Callable[[str], str]) -> Fork:
    """Run a program that forks, in a Python that has no other threads."""

    def run(program: str) -> None:
        assert run_python(HEAD + textwrap.dedent(program) + "print('ok')") == "ok\n"

    return run


def test_running_futures_raise_in_the_child_only(fork: Fork) -> None:
    fork(
        """
        with Gate() as gate:
            dst = bytearray(5)
            future = gate.mover.memcpy(dst, b"12345").start()
            gate.wait_entered()
            def check():
                assert future.done()
                try:
                    future.result()
                except miniasync.JobCorruptedError as error:
                    assert "forked" in str(error)
                else:
                    raise AssertionError
                dst.append(0)
                del gate.mover
            in_child(check)
            assert future.running()
            gate.open()
            assert future.result() == b"12345"
        """
    )


@pytest.mark.not_upstream
def test_idle_futures_can_be_started_in_both(fork: Fork) -> None:
    fork(
        """
        with miniasync.ThreadsMover(2) as mover:
            mover.memset(bytearray(1 << 20), 1).result()
            dst = bytearray(1 << 20)
            future = mover.memset(dst, 7)
            def check():
                assert future.result() is dst
                assert dst.count(7) == 1 << 20
            in_child(check)
            assert not any(dst)
            check()
        """
    )


@pytest.mark.skipif(
    not miniasync.provider().is_upstream, reason="ours works in the child"
)
def test_idle_futures_are_refused_in_the_child(fork: Fork) -> None:
    fork(
        """
        with miniasync.ThreadsMover(2) as mover, miniasync.SyncMover() as sync:
            dst = bytearray(1 << 20)
            future = mover.memset(dst, 7)
            def check():
                for call in (future.result, future.start):
                    try:
                        call()
                    except miniasync.NotSupportedError as error:
                        assert "child" in str(error)
                    else:
                        raise AssertionError
                assert sync.memset(dst, 8).result().count(8) == 1 << 20
                with miniasync.ThreadsMover(2) as fresh:
                    assert fresh.memset(dst, 9).result().count(9) == 1 << 20
            in_child(check)
            assert future.result().count(7) == 1 << 20
        """
    )


def test_the_default_mover_is_fresh(fork: Fork) -> None:
    fork(
        """
        mover = miniasync.default_mover()
        miniasync.memset(bytearray(1 << 20), 1).result()
        def check():
            assert miniasync.default_mover() is not mover
            dst = bytearray(1 << 20)
            future = miniasync.memset(dst, 1).start()
            assert future.result() == b"\\1" * (1 << 20)
            assert miniasync.wait([miniasync.memset(dst, 2)]).not_done == set()
            def grandchild():
                assert miniasync.memset(dst, 3).result().count(3) == 1 << 20
            in_child(grandchild)
        in_child(check)
        assert miniasync.default_mover() is mover
        """
    )


def test_while_other_threads_wait(fork: Fork) -> None:
    fork(
        """
        import threading
        from miniasync._waiters import shared
        with Gate() as gate, Gate() as other, miniasync.Runtime() as runtime:
            waiters = shared.cdata, runtime._waiter.cdata
            one = gate.mover.memcpy(bytearray(5), b"12345")
            two = other.mover.memcpy(bytearray(5), b"12345")
            threads = [threading.Thread(target=one.result),
                       threading.Thread(target=runtime.wait, args=(two,))]
            for thread in threads: thread.start()
            gate.wait_entered()
            other.wait_entered()
            def check():
                for future in (one, two):
                    assert isinstance(future.exception(),
                                      miniasync.JobCorruptedError)
                assert shared.cdata not in waiters
                assert runtime._waiter.cdata not in waiters
                fresh = miniasync.memset(bytearray(5), 1)
                runtime.wait(fresh)
                assert fresh.result() == b"\\1" * 5
            in_child(check)
            gate.open()
            other.open()
            for thread in threads: thread.join()
            assert one.result() == two.result() == b"12345"
        """
    )


def test_with_a_dropped_future(fork: Fork) -> None:
    fork(
        """
        warnings.simplefilter("ignore", ResourceWarning)
        with Gate() as gate:
            dst = bytearray(5)
            gate.mover.memcpy(dst, b"12345").start()
            gate.wait_entered()
            def check():
                dst.append(0)
                with Gate() as fresh:
                    fresh.mover.memcpy(dst, b"123456").start()
                    fresh.wait_entered()
                    fresh.open()
                    while True:
                        try: dst.append(0); break
                        except BufferError: pass
                assert dst == b"123456\\0"
            in_child(check)
        """
    )


def test_movers_can_be_closed_in_the_child(fork: Fork) -> None:
    fork(
        """
        mover = miniasync.ThreadsMover(2)
        mover.memset(bytearray(1 << 20), 1).result()
        future = mover.memset(bytearray(1 << 20), 1).start()
        in_child(mover.close)
        future.result()
        mover.close()
        """
    )


def test_in_a_function_of_a_chain(run_python: Callable[[str], str]) -> None:
    program = """
        import os, warnings
        warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
        import miniasync
        forked = []
        class Own(miniasync.Future):
            def step(self, waker):
                forked.append(os.fork())
                return 1
        def function(value):
            forked.append(os.fork())
            return value
        for future in (
            miniasync.chain(lambda _: 1, function, lambda value: value),
            miniasync.chain(lambda _: 1, miniasync.chain(function), Own()),
            Own(),
        ):
            try:
                result = future.result(timeout=30)
            except miniasync.JobCorruptedError as error:
                os._exit("forked" not in str(error))
            assert result == 1
            for pid in forked:
                if pid == 0:
                    os._exit(3)
                assert os.waitpid(pid, 0) == (pid, 0)
            forked.clear()
        """
    run_python(program)


@pytest.mark.not_upstream
@pytest.mark.parametrize(
    "ask",
    [
        "future.result()",
        "future.result(timeout=30)",
        "miniasync.wait([future]) and future.result()",
        "future.poll() and future.result()",
    ],
)
def test_a_small_copy_in_another_thread(fork: Fork, ask: str) -> None:
    # Held at each place, of those where the interpreter may change threads.
    fork(
        f"""
        import threading
        folder = miniasync.__file__.rpartition("__init__")[0]
        class Hold:
            def __init__(self, n):
                self.left = n
                self.held, self.go = threading.Event(), threading.Event()
            def __call__(self, frame, event, argument):
                inside = frame.f_code.co_filename.startswith(folder)
                if inside and event in ("call", "c_return"):
                    self.left -= 1
                    if self.left < 0:
                        sys.setprofile(None)
                        self.held.set()
                        self.go.wait()
        def check():
            try:
                assert {ask} is dst
                assert dst == b"12345"
            except miniasync.JobCorruptedError:
                pass
        def carry():
            sys.setprofile(hold)
            future.result()
            sys.setprofile(None)
            hold.held.set()
        with miniasync.ThreadsMover(1) as mover:
            for n in range(1000):
                dst = bytearray(5)
                future = mover.memcpy(dst, b"12345")
                hold = Hold(n)
                thread = threading.Thread(target=carry, daemon=True)
                thread.start()
                hold.held.wait()
                in_child(check)
                hold.go.set()
                thread.join()
                assert future.result() == b"12345"
                if hold.left >= 0:
                    break
        assert n > 5
        """
    )


def test_while_other_threads_wake(fork: Fork) -> None:
    # What their wakers call takes a millisecond in C: nearly always it is that which
    # the fork comes upon.
    fork(
        """
        import cffi, signal, threading
        from miniasync import ffi, lib
        own = cffi.FFI()
        own.cdef("int usleep(unsigned int);")
        libc = own.dlopen(None)
        usleep = int(own.cast("intptr_t", own.addressof(libc, "usleep")))
        notifier = ffi.new("struct future_notifier *")
        notifier.waker.wake = ffi.cast("future_waker_wake_fn", usleep)
        notifier.waker.data = ffi.cast("void *", 1000)
        class Own(miniasync.Future):
            value = miniasync.PENDING
            def step(self, waker):
                self.waker = waker
                return self.value
        pending, ended = Own(), Own()
        assert pending.poll() == ended.poll() == miniasync.State.RUNNING
        ended.value = 1
        ended.waker.wake()
        assert ended.result() == 1
        stop = False
        def wake(waker):
            event = waker._event
            while not stop:
                lib.ma_event_reset(event)
                lib.future_poll(lib.ma_event_future(event), notifier)
                waker.wake()
        threads = [
            threading.Thread(target=wake, args=(future.waker,))
            for future in (pending, ended)
        ]
        for thread in threads:
            thread.start()
        def check():
            signal.alarm(20)
            pending.waker.wake()
            ended.waker.wake()
            assert "forked" in str(pending.exception())
            after = Own()
            after.poll()
            after.value = 2
            after.waker.wake()
            assert after.result() == 2
        try:
            for _ in range(10):
                in_child(check)
        finally:
            stop = True
            for thread in threads:
                thread.join()
        """
    )


def test_wakers_of_the_parent_are_not_called_in_the_child(fork: Fork) -> None:
    fork(
        """
        from miniasync import ffi, lib
        called = []
        @ffi.callback("future_waker_wake_fn")
        def wake(data):
            called.append(os.getpid())
        notifier = ffi.new("struct future_notifier *")
        notifier.waker.wake = wake
        event = lib.ma_event_new()
        future = lib.ma_event_future(event)
        lib.future_poll(future, notifier)
        def check():
            lib.ma_event_set(event)
            assert not called
            lib.ma_event_reset(event)
            lib.future_poll(future, notifier)
            lib.ma_event_set(event)
            assert called == [os.getpid()]
        in_child(check)
        lib.ma_event_set(event)
        assert called == [os.getpid()]
        """
    )


AT_EACH_PLACE = """
import threading
folder = miniasync.__file__.rpartition("__init__")[0]
class At:
    # Does something at the n-th place, of those where the interpreter may change
    # threads or call signal handlers.
    def __init__(self, n, act):
        self.left, self.act = n, act
    def __call__(self, frame, event, argument):
        inside = frame.f_code.co_filename.startswith(folder)
        if inside and event in ("call", "c_return"):
            self.left -= 1
            if self.left < 0:
                sys.setprofile(None)
                self.act()
def outcome(future):
    try:
        return future.result(timeout=30)
    except miniasync.JobCorruptedError as error:
        assert "forked" in str(error), error
"""


@pytest.mark.not_upstream  # whose threads end at a fork
def test_while_a_chain_begins_in_another_thread(fork: Fork) -> None:
    fork(
        AT_EACH_PLACE
        + textwrap.dedent(
            """
            def check():
                for each in (*steps, future, *steps):
                    outcome(each)
            def begin():
                sys.setprofile(at)
                future.start()
                sys.setprofile(None)
                held.set()
            with miniasync.ThreadsMover(1, inline_below=0) as mover:
                for n in range(1000):
                    held, go = threading.Event(), threading.Event()
                    at = At(n, lambda: held.set() or go.wait())
                    buffers = [bytearray(9000) for _ in range(3)]
                    steps = [mover.memset(each, n & 255) for each in buffers]
                    future = miniasync.chain(*steps)
                    thread = threading.Thread(target=begin)
                    thread.start()
                    held.wait()
                    in_child(check)
                    go.set()
                    thread.join()
                    assert future.result() is buffers[-1]
                    if at.left >= 0:
                        break
            assert n > 20
            """
        )
    )


@pytest.mark.not_upstream  # likewise
@pytest.mark.parametrize("ask", ["result()", "result(timeout=30)", "start().result()"])
def test_in_a_signal_handler_before_a_lock_is_taken(fork: Fork, ask: str) -> None:
    # One that interrupts the call of map, when it already has the lock's method.
    fork(
        f"""
        from miniasync import _flight
        def forking(*arguments):
            global pid
            del _flight.map
            pid = os.fork()
            return map(*arguments)
        with miniasync.ThreadsMover(1) as mover:
            future = mover.memset(bytearray(9000), 1)
            _flight.map = forking
            try:
                assert future.{ask} == b"\\1" * 9000
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            if pid == 0:
                os._exit(0)
            assert os.waitpid(pid, 0) == (pid, 0)
        """
    )
