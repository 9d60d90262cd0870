# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C and other signals while the main thread waits."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from gate import Gate

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


@pytest.mark.parametrize("timeout", ["", "timeout=30"])
@pytest.mark.parametrize("batch", [False, True])
def test_a_handler_closes_the_mover(
    run_python: Callable[[str], str], timeout: str, batch: bool
) -> None:
    made = "memcpy_batch([(dst, b'12345')])" if batch else "memcpy(dst, b'12345')"
    program = f"""
        import signal, threading
        from gate import Gate
        def handler(number, frame):
            gate.open()
            gate.mover.close()
            print("closed", dst)
        dst = bytearray(5)
        with Gate() as gate:
            future = gate.mover.{made}
            called = []
            future.add_done_callback(called.append)
            signal.signal(signal.SIGTERM, handler)
            main = threading.get_ident()
            def send():
                gate.wait_entered()
                while not future._flight.lock.locked():
                    pass
                signal.pthread_kill(main, signal.SIGTERM)
            thread = threading.Thread(target=send)
            thread.start()
            future.result({timeout})
            thread.join()
            assert called == [future]
            dst.append(0)
        """
    assert run_python(program) == "closed bytearray(b'12345')\n"
