# SPDX-License-Identifier: BSD-3-Clause
"""Futures that are dropped, and interpreters that end, while operations run."""

from __future__ import annotations

import gc
import subprocess
import sys
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
from gate import Gate

from miniasync import _daemon, ffi, lib

HERE = Path(__file__).parent


def wait_free(buffer: bytearray) -> None:
    """Return when the reaper has let go of a buffer."""
    while True:
        try:
            return buffer.append(0)
        except BufferError:
            continue


class TestDropped:
    def test_warns_and_keeps_the_buffers_until_the_end(self, gate: Gate) -> None:
        dst, src = bytearray(5), bytearray(b"12345")
        future = gate.mover.memcpy(dst, src).start()
        gate.wait_entered()
        with pytest.warns(ResourceWarning, match="memcpy of 5 bytes.*was dropped"):
            del future
        for buffer in (dst, src):
            with pytest.raises(BufferError):
                buffer.append(0)
        gate.open()
        wait_free(dst)
        wait_free(src)
        assert dst == b"12345\0"

    def test_in_a_cycle(self, gate: Gate) -> None:
        class Holder:
            pass

        dst = bytearray(5)
        holder = Holder()
        holder.future = gate.mover.memcpy(dst, b"12345").start()  # type: ignore[attr-defined]
        holder.itself = holder  # type: ignore[attr-defined]
        gate.wait_entered()
        del holder
        with pytest.warns(ResourceWarning, match="was dropped"):
            gc.collect()
        with pytest.raises(BufferError):
            dst.append(0)
        gate.open()
        wait_free(dst)
        assert dst == b"12345\0"

    @pytest.mark.parametrize("batch", [False, True])
    def test_its_destination_may_be_its_owner(self, gate: Gate, batch: bool) -> None:
        class Owner(bytearray):
            future: object

        dst = Owner(5)
        if batch:
            dst.future = gate.mover.memcpy_batch([(dst, b"12345")]).start()
        else:
            dst.future = gate.mover.memcpy(dst, b"12345").start()
        gone = weakref.ref(dst)
        gate.wait_entered()
        del dst
        gc.collect()
        assert gone() is not None
        gate.open()
        while gone() is not None:  # it ends some time
            gc.collect()

    @pytest.mark.parametrize(
        "make",
        [
            "miniasync.memcpy(view, memoryview(src))",
            "miniasync.memset_batch([(view, 1)])",
            "miniasync.memset_batch((view, 1), lengths=[2, 3])",
            "miniasync.chain(miniasync.memset(view, 1), miniasync.memset(src, 1))",
        ],
        ids=["move", "batch", "ranges", "chain"],
    )
    def test_idle_in_a_cycle_with_memoryviews(
        self, make: str, run_python: Callable[[str], str]
    ) -> None:
        """The garbage collector of older CPythons crashes on pinned ones."""
        assert (
            run_python(
                f"""
                import gc, miniasync
                gc.disable()
                dst, src = bytearray(5), bytearray(5)
                view = memoryview(dst)
                cycle = [{make}]
                cycle.append(cycle)
                del view, cycle
                gc.collect()
                dst.append(0)
                src.append(0)
                print("done")
                """
            )
            == "done\n"
        )

    def test_complete_ones_do_not_warn(self, gate: Gate) -> None:
        dst = bytearray(5)
        future = gate.mover.memcpy(dst, b"12345").start()
        gate.wait_entered()
        base = ffi.addressof(future._flight.slot[0], "base")
        gate.open()
        while lib.future_poll(base, ffi.NULL) != lib.FUTURE_STATE_COMPLETE:
            pass
        # So far only C knows that it is complete.
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del future
        assert [str(each.message) for each in caught] == []
        dst.append(0)

    def test_the_mover_may_be_closed_meanwhile(self, gate: Gate) -> None:
        dst = bytearray(5)
        future = gate.mover.memcpy(dst, b"12345").start()
        gate.wait_entered()
        with pytest.warns(ResourceWarning):
            del future
        gate.open()
        gate.mover.close()
        assert dst == b"12345"
        dst.append(0)

    def test_many_and_again_after_the_daemon_has_ended(self) -> None:
        for _ in range(3):
            with Gate(threads=2) as gate:
                buffers = [bytearray(5) for _ in range(50)]
                futures = [gate.mover.memcpy(dst, b"12345").start() for dst in buffers]
                with pytest.warns(ResourceWarning):
                    futures.clear()
                assert _daemon.daemon().running
                gate.open()
                for dst in buffers:
                    wait_free(dst)
                    assert dst == b"12345\0"
            while _daemon.daemon().running:
                pass


class TestExit:
    """The interpreter ends while copies run."""

    def test_waits_for_them(self) -> None:
        # Run before ours, an exit handler says that the end has come; run after
        # ours, another one looks at the bytes. The copy waits for us.
        program = """if True:
            import atexit, os, sys
            dst = bytearray(1 << 16)
            def check():
                assert dst == b"x" * (1 << 16)
                print("complete", flush=True)
            atexit.register(check)
            import miniasync, threading
            from miniasync import ffi, lib
            mover = miniasync.ThreadsMover(1)
            entered = threading.Event()
            @ffi.callback("memcpy_fn")
            def copy(dst, src, n, flags):
                entered.set()
                os.read(0, 1)
                ffi.memmove(dst, src, n)
                return dst
            lib.data_mover_threads_set_memcpy_fn(mover._handle.cmover, copy)
            future = mover.memcpy(dst, b"x" * (1 << 16)).start()
            entered.wait()
            atexit.register(lambda: print("ending", flush=True))
            """
        with subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", "-c", program],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ending\n"
            out, err = process.communicate("x", timeout=60)
        assert (out, err, process.returncode) == ("complete\n", "", 0)

    def test_with_futures_of_every_kind_left(
        self, run_python: Callable[[str], str]
    ) -> None:
        assert (
            run_python(
                """
                import miniasync
                big = bytearray(64 << 20)
                keep = [miniasync.memset(big, i) for i in range(5)]
                keep[0].start(); keep[1].cancel(); keep[2].result()
                mover = miniasync.ThreadsMover(2)
                more = mover.memset(bytearray(64 << 20), 3).start()
                print("done")
                """
            )
            == "done\n"
        )

    def test_with_a_daemon_thread_that_goes_on(
        self, run_python: Callable[[str], str]
    ) -> None:
        assert (
            run_python(
                """
                import threading, miniasync
                started = threading.Event()
                def work():
                    dst = bytearray(1 << 20)
                    while True:
                        f = miniasync.memset(dst, 1).start()
                        started.set()
                        f.result()
                threading.Thread(target=work, daemon=True).start()
                started.wait()
                print("done")
                """
            )
            == "done\n"
        )

    def test_while_a_thread_of_ours_begins(
        self, run_python: Callable[[str], str]
    ) -> None:
        """It would find no interpreter: CPython 3.10 crashes."""
        assert (
            run_python(
                """
                import atexit, os, sys, threading
                begun, over = [], []
                def last():
                    print("begun:", begun)
                    over.append(True)
                atexit.register(last)
                from miniasync import _daemon
                from gate import Gate
                start = _daemon.start_new_thread
                main = threading.get_ident()
                def is_waited_for():
                    frame = sys._current_frames()[main]
                    return frame.f_code is _daemon.wait_until_begun.__code__
                def start_late(function, args):
                    def late():
                        while not is_waited_for() and not over:
                            os.sched_yield()
                        begun.append(True)
                        function(*args)
                    return start(late, ())
                _daemon.start_new_thread = start_late
                gate = Gate()
                future = gate.mover.memcpy(bytearray(5), b"12345").start()
                gate.wait_entered()
                future.add_done_callback(lambda _: None)
                gate.open()
                """
            )
            == "begun: [True]\n"
        )

    def test_starting_more_while_it_ends(
        self, run_python: Callable[[str], str]
    ) -> None:
        assert (
            run_python(
                """
                import atexit
                def late():
                    dst = bytearray(16 << 20)
                    future = miniasync.memset(dst, 1).start()
                    assert future.done()
                    print(dst.count(1) == len(dst))
                atexit.register(late)
                import miniasync
                """
            )
            == "True\n"
        )
