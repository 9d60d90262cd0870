# SPDX-License-Identifier: BSD-3-Clause
"""A signal at each place where the interpreter may look at signals.

Which places these are, and which `try` they are in, differs between versions of
Python, and is not what the source seems to say. So nothing is raised here: a tracer
has a signal come before an instruction, without looking at signals itself, and the
interpreter finds it where it would find any other.
"""

from __future__ import annotations

import signal
import sys
from _thread import interrupt_main
from collections.abc import Callable
from dis import opname
from types import CodeType, FrameType, TracebackType
from typing import Any

import miniasync

FOLDER = miniasync.__file__.rpartition("__init__")[0]

SIGNAL = signal.SIGUSR1


# After these it looks, and where a function begins; Python 3.10 after all jumps.
_LOOK = {
    number
    for number, name in enumerate(opname)
    if ("CALL" in name and name != "PRECALL")
    or ("JUMP" in name and ("BACKWARD" in name or sys.version_info < (3, 11)))
}


class Interrupt:
    """Calls a function at the n-th place in this package, as a signal handler.

    In the main thread, from the beginning of its with block on.

    Attributes:
        left: Not negative if there were not so many places.
    """

    def __init__(self, n: int, handler: Callable[[], None]) -> None:
        self._handler = handler
        self._before: Any = None
        self._code: dict[CodeType, bytes] = {}
        self.left = n

    def __enter__(self) -> Interrupt:
        self._before = signal.signal(SIGNAL, self._handle)
        sys.settrace(self._trace)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        sys.settrace(None)
        signal.signal(SIGNAL, self._before)

    def _handle(self, number: int, frame: object) -> None:
        self._handler()

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        if event == "call":
            # In this order: Python 3.13 heeds the second only after the first.
            frame.f_trace = self._trace
            frame.f_trace_opcodes = True
        elif event != "opcode" or self._code_of(frame)[frame.f_lasti] not in _LOOK:
            return self._trace
        self.left -= 1
        if self.left == -1:
            sys.settrace(None)
            # In the head of a loop: after that, nothing here looks at signals.
            for _ in map(interrupt_main, (SIGNAL,)):
                return None
        return self._trace

    def _code_of(self, frame: FrameType) -> bytes:
        code = frame.f_code
        found = self._code.get(code)
        if found is None:
            found = self._code[code] = code.co_code
        return found
