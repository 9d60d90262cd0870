# SPDX-License-Identifier: BSD-3-Clause
"""Which event loop a coroutine runs in.

None of the async libraries is imported unless the program has done so.

Awaiting what is complete at once takes no turn of the loop: it is no checkpoint. Who
cancels a task waits for the flight's end, and so does Ctrl-C where it cancels the task.
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
    # Both may seem to run: trio as a guest of asyncio, whose tasks rest meanwhile;
    # or asyncio within a task of trio, or in a forked child of one. (sniffio says
    # trio of all of them.)
    asyncio = sys.modules.get("asyncio")
    loop = None if asyncio is None else asyncio._get_running_loop()
    if asyncio is not None and loop is not None and asyncio.current_task() is not None:
        return "asyncio"
    trio = sys.modules.get("trio")
    if trio is not None:
        try:
            trio.lowlevel.current_task()
        except (AttributeError, RuntimeError):
            pass  # another thread is about to import it, or there is no task
        else:
            return "trio"
    return None if loop is None else "asyncio"
