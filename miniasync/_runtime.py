# SPDX-License-Identifier: BSD-3-Clause
"""The runtime, for who wants a wait of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from miniasync._closing import Closing
from miniasync._ends import PENDING
from miniasync._group import wait_for
from miniasync._timeouts import deadline_of
from miniasync._wait import checked
from miniasync._waiters import Waiter
from miniasync.errors import ClosedError

if TYPE_CHECKING:
    from miniasync._future import Future


class Runtime(Closing):
    r"""Waits for futures until all are done, like the C library's runtime.

    Several threads may wait with one runtime at once. Unlike the C library's,
    its wait knows timeouts and ends with Ctrl-C.

    Example:
        >>> import miniasync
        >>> a, b = bytearray(2), bytearray(2)
        >>> with miniasync.Runtime() as runtime:
        ...     runtime.wait(miniasync.memset(a, 1), miniasync.memset(b, 2))
        >>> a, b
        (bytearray(b'\x01\x01'), bytearray(b'\x02\x02'))
    """

    __slots__ = ("__weakref__", "_waiter")

    def __init__(self) -> None:
        self._waiter: Waiter | None = Waiter()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._waiter is None

    def wait(self, *futures: Future[Any], timeout: float | None = None) -> None:
        """Start the futures and wait until all are done, however they ended.

        Args:
            *futures: Futures of any movers.
            timeout: The most seconds to wait; None waits for ever.

        Raises:
            TimeoutError: Some are not done; they go on.
            ClosedError: The runtime is closed.
            TypeError: One is no future.
        """
        waiter = self._waiter
        if waiter is None:
            raise ClosedError("the runtime is closed: make another one")
        flights = list({future._flight for future in checked(futures)})
        deadline = deadline_of(timeout)
        try:
            wait_for(flights, len(flights), deadline, waiter)
        finally:
            del futures  # a traceback may refer to this frame
        left = sum(flight.code == PENDING for flight in flights)
        if left:
            raise TimeoutError(
                f"{left} of {len(flights)} futures not complete after {timeout} s"
            )

    def close(self) -> None:
        """End it; what it has started goes on, and so does a wait of a thread."""
        self._waiter = None
