# SPDX-License-Identifier: BSD-3-Clause
"""Futures: what users hold of an operation.

1. Nothing is started by making a future, nor by `done`, `running`, `state`,
   `cancel` or `cancelled`.
2. The buffers are pinned from the making to the end, and let go of in the call
   that sees the end. A future holds no reference cycle.
3. Leaving a ``with`` block waits for the end, whatever goes on.
4. A future dropped while it runs warns, and its buffers stay pinned until it
   has ended. A dropped chain that has a future of the user's own before it ends
   with what C is about.
5. What Python code raised is kept here (`_driven`). So methods that may run such
   code, or raise it, forget who they belong to in the end: a traceback may refer
   to their frames.
"""

from __future__ import annotations

import warnings
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar
from weakref import ref

from miniasync import _ffi
from miniasync._ends import CANCELLED, CLOSED, PENDING, STRANDED, SUCCESS, TEXTS
from miniasync._interest import attend, interest_of, listen
from miniasync._outstanding import outstanding
from miniasync._step import Pending, Step, Waker
from miniasync._timeouts import deadline_after

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    from typing_extensions import Self

    from miniasync._flight import Flight

# What has a bytearray as its result has a bytes-like object as its result.
T = TypeVar("T", covariant=True)


class State(Enum):
    """How far a future is; the values are those of the C library."""

    IDLE = _ffi.STATE_IDLE
    RUNNING = _ffi.STATE_RUNNING
    COMPLETE = _ffi.STATE_COMPLETE


_IDLE, _RUNNING, _COMPLETE = State.IDLE, State.RUNNING, State.COMPLETE


class Future(Generic[T]):
    """An operation that may not have been started yet.

    Movers make futures. The operation is started by `start`, `poll`, `result`,
    `exception`, ``await``, ``with`` and the functions that wait, and then needs
    nobody. All methods may be called from any thread.

    A subclass that overrides `step` is a future of your own: it mixes with those
    of movers wherever futures are waited for, awaited or chained.

    Example:
        >>> import miniasync
        >>> dst = bytearray(5)
        >>> miniasync.memcpy(dst, b"hello").result()
        bytearray(b'hello')
        >>> class Countdown(miniasync.Future[str]):
        ...     left = 3
        ...     def step(self, waker):
        ...         self.left -= 1
        ...         return "liftoff" if self.left == 0 else miniasync.PENDING
        >>> Countdown().result()
        'liftoff'
    """

    __slots__ = ("__weakref__", "_flight", "_raised")

    _flight: Flight
    _raised: BaseException

    if not TYPE_CHECKING:  # or checkers would believe in any attribute

        def __getattr__(self, name: str) -> object:
            if name == "_flight":
                raise RuntimeError(
                    f"{type(self).__name__}.__init__ must call super().__init__()"
                )
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}"
            )

    def __init__(self) -> None:
        if type(self).step is Future.step:
            raise TypeError(
                "futures are made by movers: call memcpy, memset, ...; or make a"
                " subclass that overrides step"
            )
        self._flight = Step(self)

    def step(self, waker: Waker) -> T | Pending:
        """Go a step further; for subclasses to override.

        Called by who polls, waits for or awaits the future, by one thread at a
        time, until it returns something else than `PENDING`.

        Args:
            waker: Its `wake` has this method called again soon. It may be kept.
                If it is not, this method is called again anyway, soon at first,
                then every few milliseconds.

        Returns:
            `PENDING`, or the result. What it raises comes out of `result`.
        """
        raise NotImplementedError

    @property
    def state(self) -> State:
        """How far it is, as far as can be said without starting or waiting."""
        flight = self._flight
        try:
            if flight.look() != PENDING:
                return _COMPLETE
            return _IDLE if flight.slot is None else _RUNNING
        finally:
            del self

    def poll(self) -> State:
        """Start it, or see how far it is, without waiting for anybody.

        While another thread waits for the same future, the answer may be old.

        Returns:
            RUNNING, or COMPLETE however it ended.

        Raises:
            ClosedError: It was not started before its mover was closed.
        """
        try:
            code = self._flight.poll()
            if code == CLOSED:
                raise self._flight.error()
            return _RUNNING if code == PENDING else _COMPLETE
        finally:
            del self

    def start(self) -> Self:
        """Start it if that has not been done, and return it.

        Raises:
            ClosedError: It was not started before its mover was closed.
            concurrent.futures.CancelledError: It was cancelled.
        """
        try:
            code = self._flight.poll()
            if code in (CLOSED, CANCELLED, STRANDED):
                raise self._flight.error()
            return self
        finally:
            del self

    def done(self) -> bool:
        """Whether it is complete, has failed or was cancelled."""
        try:
            return self._flight.look() != PENDING
        finally:
            del self

    def running(self) -> bool:
        """Whether it has been started and is not done."""
        flight = self._flight
        try:
            return flight.look() == PENDING and flight.slot is not None
        finally:
            del self

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
            RuntimeError: A signal handler waits for what it interrupted.
        """
        try:
            flight = self._flight
            code = flight.code
            if code == PENDING:
                code = _wait(flight, timeout)
            if code == SUCCESS:
                value: T = flight.value
                return value
            raise flight.error()
        finally:
            del self

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
        flight = self._flight
        try:
            code = _wait(flight, timeout)
            if code == CANCELLED:
                raise flight.error()
            return None if code == SUCCESS else flight.error()
        finally:
            del self

    def add_done_callback(self, fn: Callable[[Future[T]], object]) -> None:
        """Have a function called with this future when it is done.

        It is called at once if that is the case already; else by who waits for
        the future, on an event loop, or within 10 ms on a thread of this
        package. That starts nothing. Until then a started future is kept. What
        the function raises is logged and ignored.

        Args:
            fn: What to call. Several are called in the order they were added.
        """
        if not callable(fn):
            raise TypeError(f"fn must be a function, not {type(fn).__name__}")
        if getattr(fn, "__module__", None) == "asyncio.tasks":
            # Called in another thread, it would not wake the loop.
            raise TypeError(
                "asyncio.wait takes futures of asyncio only: pass it"
                " asyncio.ensure_future(future)"
            )
        flight = self._flight
        interest = interest_of(flight)
        owner = ref(self)
        if interest.owner is None:
            interest.owner = owner
        listen(flight, partial(_call, fn, owner, [False]))

    def __await__(self) -> Generator[Any, Any, T]:
        flight = self._flight
        try:
            if flight.poll() == PENDING:
                from miniasync._await import suspend

                yield from suspend(flight)
            if flight.code == SUCCESS:
                value: T = flight.value
                return value
            if flight.code == CANCELLED:
                from miniasync._await import cancelled

                raise cancelled()
            raise flight.error()
        finally:
            del self

    def __enter__(self) -> Self:
        try:
            return self.start()
        finally:
            del self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        flight = self._flight
        try:
            code = flight.wait()
            if kind is None and code != SUCCESS:
                raise flight.error()
        finally:
            del self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a future cannot be copied or pickled: it stands for work of this process"
        )

    def __repr__(self) -> str:
        flight = self._flight
        if flight.code == PENDING:
            state = "idle" if flight.slot is None else "running"
        else:
            state = TEXTS[flight.code]
        return f"<miniasync.{type(self).__name__}: {flight.describe()}, {state}>"


class Operation(Future[T]):
    """A future made here; the constructor of `Future` is the user's."""

    __slots__ = ()

    def __init__(self, flight: Flight) -> None:
        self._flight = flight

    def __repr__(self) -> str:
        return super().__repr__().replace("Operation", "Future", 1)

    def __del__(self) -> None:
        try:
            flight = self._flight
        except RuntimeError:
            return  # a signal handler raised before it was made
        if flight.code != PENDING or flight.parent is not None:
            return  # in the latter case, it is a chain's now
        if flight.slot is None:
            # Now: the garbage collector of CPython before 3.11.8 and 3.12.2
            # crashes on a memoryview in a cycle that is still pinned.
            flight.unpin()
            flight.code = CANCELLED
            flight.let_go()
            outstanding.pop(flight, None)  # an exception may have left it there
            return
        interest = interest_of(flight)
        interest.dropped = interest.is_shared = True  # its loop may have ended
        try:
            if flight.runs_python and flight.can_be_driven:
                attend(flight)
            else:
                # It may have ended, or end at once: a chain that nobody drives.
                flight.poll()
        except (OSError, MemoryError):
            pass  # the next one dropped, close or exit will see to it
        if flight.code == PENDING:
            warnings.warn(
                f"{self!r} was dropped: its buffers stay pinned until it is"
                " complete; keep it and call result()",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )


def _wait(flight: Flight, timeout: float | None) -> int:
    """Wait for the end and return the code."""
    if timeout is None:
        return flight.wait()
    code = flight.wait_until(deadline_after(timeout))
    if code == PENDING:
        raise TimeoutError(f"not complete after {timeout} s")
    return code


def _call(
    fn: Callable[[Future[T]], object],
    owner: Callable[[], Future[T] | None],
    begun: list[bool],
) -> None:
    future = owner()
    if future is None:
        return  # dropped before it was started
    if begun[0]:
        return
    begun[0] = True
    try:
        fn(future)
    except Exception:
        # Imported late, since most programs never need it.
        import logging

        logging.getLogger("miniasync").exception("exception in a callback")
