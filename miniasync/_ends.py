# SPDX-License-Identifier: BSD-3-Clause
"""How something on its way ends: codes, what they mean, what they raise."""

from __future__ import annotations

from miniasync import _ffi
from miniasync.errors import (
    ClosedError,
    JobCorruptedError,
    NotSupportedError,
    OutOfMemoryError,
)

# This one until it has ended, then C's result or one of ours.
PENDING = _ffi.RUNNING
SUCCESS = _ffi.SUCCESS
CANCELLED = -1
CLOSED = -2
FORKED = -3
STRANDED = -4
FAILED = -5
"""Python code raised an exception, which is kept."""

TEXTS = {
    SUCCESS: "complete",
    CANCELLED: "cancelled",
    CLOSED: "not started: mover closed",
    FORKED: "left behind in the parent process",
    STRANDED: "not started: mover left behind in the parent process",
    FAILED: "failed",
    _ffi.OUT_OF_MEMORY: "failed: no memory",
    _ffi.CORRUPTED: "failed",
}


def error_of(code: int) -> Exception:
    """What to raise for a code that is neither SUCCESS nor FAILED.

    Always a new one: raising an exception stores the stack in it, and with the
    stack the future.
    """
    if code == CANCELLED:
        # Imported late, because it brings in the logging package.
        from concurrent.futures import CancelledError

        return CancelledError("the future was cancelled before it was complete")
    if code == CLOSED:
        return ClosedError(
            "the mover was closed before the operation was started: start it"
            " earlier, or use another mover"
        )
    if code == FORKED:
        return JobCorruptedError(
            "the operation was running when the process forked: only the parent"
            " knows its result"
        )
    if code == STRANDED:
        return NotSupportedError(
            "this libminiasync's threads do not survive a fork: make another"
            " mover in the child"
        )
    if code == _ffi.OUT_OF_MEMORY:
        return OutOfMemoryError(
            "the mover has no memory for another operation: wait for some of"
            " those pending first"
        )
    return JobCorruptedError("the operation failed: dst may hold anything")
