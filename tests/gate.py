# SPDX-License-Identifier: BSD-3-Clause
"""Copies that run for as long as a test wants, also in a test's subprocess."""

from __future__ import annotations

import threading
from contextlib import suppress
from types import TracebackType

import miniasync
from miniasync import ffi, lib


class Gate:
    """A threads mover whose workers wait before every memcpy.

    Attributes:
        mover: The mover. Other operations pass.
    """

    def __init__(self, threads: int = 1) -> None:
        self._entered = threading.Semaphore(0)
        self._is_open = True
        self.close()

        @ffi.callback("memcpy_fn")  # type: ignore[untyped-decorator]
        def copy(dst: object, src: object, n: int, flags: int) -> object:
            self._entered.release()
            barrier = self._barrier
            barrier.acquire()
            # Or open() has given it back already, for whoever had it.
            with suppress(RuntimeError):
                barrier.release()
            ffi.memmove(dst, src, n)
            return dst

        self._copy = copy  # C calls it as long as the mover lives
        own = not miniasync.provider().is_upstream
        self.mover = miniasync.ThreadsMover(threads, inline_below=0 if own else None)
        lib.data_mover_threads_set_memcpy_fn(self.mover._handle.cmover, copy)

    def wait_entered(self) -> None:
        """Return when a worker is at the gate, once for each that comes."""
        assert self._entered.acquire(timeout=30)

    def open(self) -> None:
        """Let everything through from now on.

        Signal handlers may do this in the middle of itself, which an Event's lock
        would not bear.
        """
        self._is_open = True
        with suppress(RuntimeError):
            self._barrier.release()

    def close(self) -> None:
        """Stop everything from now on."""
        if not self._is_open:
            return  # who waits already is to be let through, too
        barrier = threading.Lock()
        barrier.acquire()
        self._barrier = barrier
        self._is_open = False

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.open()
        self.mover.close()
