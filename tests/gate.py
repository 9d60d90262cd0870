# SPDX-License-Identifier: BSD-3-Clause
"""Copies that run for as long as a test wants, also in a test's subprocess."""

from __future__ import annotations

import threading
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
        self._open = threading.Event()

        @ffi.callback("memcpy_fn")  # type: ignore[untyped-decorator]
        def copy(dst: object, src: object, n: int, flags: int) -> object:
            self._entered.release()
            self._open.wait()
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
        """Let everything through from now on."""
        self._open.set()

    def close(self) -> None:
        """Stop everything from now on."""
        self._open.clear()

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
