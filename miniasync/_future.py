# SPDX-License-Identifier: BSD-3-Clause
"""Futures: what users hold of an operation.

1. Nothing is started by making a future, nor by `done`, `running`, `state`,
   `cancel` or `cancelled`.
2. The buffers are pinned from the making to the end, and let go of in the call
   that sees the end. A future holds no reference cycle.
3. Leaving a ``with`` block waits for the end, whatever goes on.
4. A future dropped while it runs warns, and its buffers stay pinned until it
   has ended.
"""

from __future__ import annotations

import math
import warnings
from enum import Enum
from time import monotonic_ns
from typing import TYPE_CHECKING, Generic, TypeVar

from miniasync import _ffi
from miniasync._flight import (
    CANCELLED,
    CLOSED,
    FORKED,
    PENDING,
    STRANDED,
    SUCCESS,
)
from miniasync._reaper import reap
from miniasync.errors import (
    ClosedError,
    JobCorruptedError,
    NotSupportedError,
    OutOfMemoryError,
)

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from miniasync._flight import Flight

T = TypeVar("T")


class State(Enum):
    """How far a future is; the values are those of the C library."""

    IDLE = _ffi.STATE_IDLE
    RUNNING = _ffi.STATE_RUNNING
    COMPLETE = _ffi.STATE_COMPLETE


_IDLE, _RUNNING, _COMPLETE = State.IDLE, State.RUNNING, State.COMPLETE

_ENDS = {
    SUCCESS: "complete",
    CANCELLED: "cancelled",
    CLOSED: "not started: mover closed",
    FORKED: "left behind in the parent process",
    STRANDED: "not started: mover left behind in the parent process",
    _ffi.OUT_OF_MEMORY: "failed: no memory",
    _ffi.CORRUPTED: "failed",
}

_OPERATIONS = {
    _ffi.MEMCPY: "memcpy",
    _ffi.MEMMOVE: "memmove",
    _ffi.MEMSET: "memset",
    _ffi.FLUSH: "flush",
}


class Future(Generic[T]):
    """An operation that may not have been started yet.

    Movers make futures. The operation is started by `start`, `poll`, `result`,
    `exception`, ``with`` and the functions that wait, and then needs nobody.
    All methods may be called from any thread.

    Example:
        >>> import miniasync
        >>> dst = bytearray(5)
        >>> miniasync.memcpy(dst, b"hello").result()
        bytearray(b'hello')
    """

    __slots__ = ("__weakref__", "_flight", "_value")

    _flight: Flight
    _value: T

    def __init__(self) -> None:
        raise TypeError("futures are made by movers: call memcpy, memset, ...")

    @property
    def state(self) -> State:
        """How far it is, as far as can be said without starting or waiting."""
        flight = self._flight
        if flight.look() != PENDING:
            return _COMPLETE
        return _IDLE if flight.slot is None else _RUNNING

    def poll(self) -> State:
        """Start it, or see how far it is, without waiting for anybody.

        While another thread waits for the same future, the answer may be old.

        Returns:
            RUNNING, or COMPLETE however it ended.

        Raises:
            ClosedError: It was not started before its mover was closed.
        """
        code = self._flight.poll()
        if code == CLOSED:
            raise _error(code)
        return _RUNNING if code == PENDING else _COMPLETE

    def start(self) -> Self:
        """Start it if that has not been done, and return it.

        Raises:
            ClosedError: It was not started before its mover was closed.
            concurrent.futures.CancelledError: It was cancelled.
        """
        code = self._flight.poll()
        if code in (CLOSED, CANCELLED, STRANDED):
            raise _error(code)
        return self

    def done(self) -> bool:
        """Whether it is complete, has failed or was cancelled."""
        return self._flight.look() != PENDING

    def running(self) -> bool:
        """Whether it has been started and is not done."""
        flight = self._flight
        return flight.look() == PENDING and flight.slot is not None

    def cancel(self) -> bool:
        """Cancel it if it has not been started; its buffers are free at once.

        Returns:
            Whether it is cancelled now. A started operation runs to its end.
        """
        return self._flight.cancel()

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._flight.code == CANCELLED

    def result(self, timeout: float | None = None) -> T:
        """Start it if that has not been done, wait, and return the result.

        Args:
            timeout: The most seconds to wait; None waits for ever.

        Returns:
            The destination itself; of a flush, the buffer.

        Raises:
            TimeoutError: It is not done; it goes on.
            ClosedError: It was not started before its mover was closed.
            OutOfMemoryError: The mover had no memory for it.
            JobCorruptedError: It failed.
            concurrent.futures.CancelledError: It was cancelled.
        """
        code = self._flight.code
        if code == PENDING:
            code = self._wait(timeout)
        if code == SUCCESS:
            return self._value
        raise _error(code)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Start it if that has not been done, wait, and say what went wrong.

        Args:
            timeout: The most seconds to wait; None waits for ever.

        Returns:
            What `result` would raise, or None.

        Raises:
            TimeoutError: It is not done; it goes on.
            concurrent.futures.CancelledError: It was cancelled.
        """
        code = self._wait(timeout)
        if code == CANCELLED:
            raise _error(code)
        return None if code == SUCCESS else _error(code)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        code = self._flight.wait()
        if kind is None and code != SUCCESS:
            raise _error(code)

    def __repr__(self) -> str:
        flight = self._flight
        if flight.code == PENDING:
            state = "idle" if flight.slot is None else "running"
        else:
            state = _ENDS[flight.code]
        what = f"{_OPERATIONS[flight.kind]} of {flight.nbytes} bytes"
        return f"<miniasync.Future: {what}, {state}>"

    def _wait(self, timeout: float | None) -> int:
        """Wait for the end and return the code."""
        if timeout is None:
            return self._flight.wait()
        code = self._flight.wait_until(monotonic_ns() + to_nanoseconds(timeout))
        if code == PENDING:
            raise TimeoutError(f"not complete after {timeout} s")
        return code


class Operation(Future[T]):
    """A mover's operation.

    Apart from `Future`, whose constructor is the user's.
    """

    __slots__ = ()

    def __init__(self, flight: Flight, value: T) -> None:
        self._flight = flight
        self._value = value

    def __del__(self) -> None:
        flight = self._flight
        if flight.slot is not None and flight.poll() == PENDING:
            reap(flight)  # first, since the warning may be an error
            warnings.warn(
                f"{self!r} was dropped: its buffers stay pinned until it is"
                " complete; keep it and call result()",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )


def to_nanoseconds(timeout: float) -> int:
    """Return a timeout in seconds as nanoseconds, not negative.

    Raises:
        TypeError: It is no number.
        ValueError: It is not a number.
    """
    try:
        nanoseconds = timeout * 1e9
        if math.isnan(nanoseconds):
            raise ValueError("timeout must not be NaN")
        return max(0, min(int(nanoseconds), _LONGEST_NS))
    except OverflowError:
        return _LONGEST_NS if timeout > 0 else 0
    except TypeError:
        kind = type(timeout).__name__
        raise TypeError(
            f"timeout must be a number of seconds or None, not {kind}"
        ) from None


# About 73 years, so that adding the time of day stays within 64 bits.
_LONGEST_NS = 2**61


def _error(code: int) -> Exception:
    """What to raise for a code that is not SUCCESS.

    Always a new one: raising an exception stores the stack in it, and with the
    stack the future.
    """
    if code == CANCELLED:
        # Imported late, because it brings in the logging package.
        from concurrent.futures import CancelledError

        return CancelledError("the future was cancelled before it was started")
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
