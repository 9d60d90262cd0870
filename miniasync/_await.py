# SPDX-License-Identifier: BSD-3-Clause
"""Which event loop a coroutine runs in.

None of the async libraries is imported unless the program has done so.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

    from miniasync._flight import Flight


def suspend(flight: Flight) -> Generator[Any, Any, None]:
    """Wait for a flight's end in the coroutine that runs.

    Raises:
        RuntimeError: None does, or one of a library that is not known.
    """
    library = _running_library()
    if library == "asyncio":
        from miniasync import _asyncio

        yield from _asyncio.wait_for_end(flight)
    elif library == "trio":
        from miniasync import _trio

        yield from _trio.wait_for_end(flight)
    else:
        raise RuntimeError(
            "await works in asyncio and trio only: elsewhere call result()"
        )


def cancelled() -> BaseException:
    """What a coroutine sees that awaits a cancelled future."""
    if _running_library() == "asyncio":
        from asyncio import CancelledError

        return CancelledError("the future was cancelled")
    # Trio's own can be raised by trio only.
    from concurrent.futures import CancelledError as Cancelled

    return Cancelled("the future was cancelled")


def _running_library() -> str | None:
    # Trio first: it may run as a guest of asyncio.
    sniffio = sys.modules.get("sniffio")
    if sniffio is not None and "trio" in sys.modules:
        try:
            if sniffio.current_async_library() == "trio":
                return "trio"
        except sniffio.AsyncLibraryNotFoundError:
            pass
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        return "asyncio"
    return None
