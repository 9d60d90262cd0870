# SPDX-License-Identifier: BSD-3-Clause
"""Waiting for several futures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from miniasync._ends import CANCELLED, PENDING, SUCCESS
from miniasync._future import Future
from miniasync._group import wait_for
from miniasync._timeouts import deadline_of
from miniasync._waiters import shared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from miniasync._flight import Flight

T = TypeVar("T")

FIRST_COMPLETED = "FIRST_COMPLETED"
FIRST_EXCEPTION = "FIRST_EXCEPTION"
ALL_COMPLETED = "ALL_COMPLETED"


if TYPE_CHECKING:
    # Before Python 3.11 a named tuple cannot be generic when it runs.
    class DoneAndNotDoneFutures(NamedTuple, Generic[T]):
        """What `wait` found: two sets of futures."""

        done: set[Future[T]]
        not_done: set[Future[T]]

else:

    class DoneAndNotDoneFutures(NamedTuple):
        """What `wait` found: two sets of futures."""

        done: set[Future]
        not_done: set[Future]


def wait(
    fs: Iterable[Future[T]],
    timeout: float | None = None,
    return_when: str = ALL_COMPLETED,
) -> DoneAndNotDoneFutures[T]:
    r"""Start all these futures and wait for them.

    Args:
        fs: The futures, which may be of different movers.
        timeout: The most seconds to wait; None waits for ever.
        return_when: `FIRST_COMPLETED` waits for any of them, `FIRST_EXCEPTION`
            until one has failed or all are done, `ALL_COMPLETED` for all.

    Returns:
        Two sets, `done` and `not_done`. A cancelled future is done.

    Raises:
        TypeError: `fs` is something else.
        ValueError: `return_when` is none of the three.

    Example:
        >>> import miniasync
        >>> a, b = bytearray(3), bytearray(3)
        >>> fs = [miniasync.memset(a, 1), miniasync.memset(b, 2)]
        >>> done, not_done = miniasync.wait(fs)
        >>> len(done), a, b
        (2, bytearray(b'\x01\x01\x01'), bytearray(b'\x02\x02\x02'))
    """
    futures = set(checked(fs))
    deadline = deadline_of(timeout)
    flights = [future._flight for future in futures]
    try:
        if return_when == ALL_COMPLETED:
            wait_for(flights, len(flights), deadline, shared)
        elif return_when == FIRST_COMPLETED:
            wait_for(flights, 1, deadline, shared)
        elif return_when == FIRST_EXCEPTION:
            _wait_for_exception(flights, deadline)
        else:
            raise ValueError(
                "return_when must be FIRST_COMPLETED, FIRST_EXCEPTION or"
                f" ALL_COMPLETED, not {return_when!r}"
            )
        return _sorted_out(futures)
    finally:
        del fs, futures  # a traceback may refer to this frame


def _sorted_out(futures: set[Future[T]]) -> DoneAndNotDoneFutures[T]:
    done = {future for future in futures if future._flight.code != PENDING}
    return DoneAndNotDoneFutures(done, futures - done)


def as_completed(
    fs: Iterable[Future[T]], timeout: float | None = None
) -> Iterator[Future[T]]:
    """Start all these futures and give them back as they are done.

    Args:
        fs: The futures, which may be of different movers. One that is given
            twice comes once.
        timeout: The most seconds for all of them, from this call on; None waits
            for ever.

    Returns:
        An iterator over the futures, those that are done already first. It
        raises `TimeoutError` when the time is over and some are not done.

    Raises:
        TypeError: `fs` is something else.

    Example:
        >>> import miniasync
        >>> fs = [miniasync.memset(bytearray(n), 1) for n in (1, 2)]
        >>> sorted(len(f.result()) for f in miniasync.as_completed(fs))
        [1, 2]
    """
    futures = dict.fromkeys(checked(fs))
    deadline = deadline_of(timeout)
    try:
        wait_for([future._flight for future in futures], 0, deadline, shared)
        return _completing(list(futures), deadline, timeout)
    finally:
        del fs, futures  # a traceback may refer to this frame


def _completing(
    futures: list[Future[T]], deadline: int | None, timeout: float | None
) -> Iterator[Future[T]]:
    while futures:
        wait_for([future._flight for future in futures], 1, deadline, shared)
        done = [future for future in futures if future._flight.code != PENDING]
        if not done:
            raise TimeoutError(f"{len(futures)} futures not complete after {timeout} s")
        ended = set(done)
        futures = [future for future in futures if future not in ended]
        ended.clear()
        done.reverse()
        while done:
            # Without a reference here, so that the caller's is the last.
            yield done.pop()


def _wait_for_exception(flights: list[Flight], deadline: int | None) -> None:
    """Start all; wait until one has failed, all have ended, or the deadline."""
    seen = -1
    while True:
        codes = [flight.code for flight in flights if flight.code != PENDING]
        failed = any(code not in (SUCCESS, CANCELLED) for code in codes)
        if len(codes) in (seen, len(flights)):
            break
        seen = len(codes)
        wait_for(flights, seen if failed else seen + 1, deadline, shared)


def checked(fs: Iterable[Future[T]]) -> list[Future[T]]:
    """Return them as a list.

    Raises:
        TypeError: They are no futures of ours.
    """
    try:
        futures = list(fs)
    except TypeError:
        raise TypeError(
            f"fs must be an iterable of futures, not {type(fs).__name__}"
        ) from None
    for future in futures:
        if not isinstance(future, Future):
            raise TypeError(
                f"fs must hold futures of miniasync only, not {type(future).__name__}"
            )
    return futures
