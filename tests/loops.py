# SPDX-License-Identifier: BSD-3-Clause
"""Running coroutines in each library that is known."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio
import trio
from gate import Gate

if sys.platform != "win32":
    import uvloop


T = TypeVar("T")


Main = Callable[[], Coroutine[Any, Any, None]]


Run = Callable[[Main], None]


def run_uvloop(main: Main) -> None:
    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


RUNS: dict[str, Run] = {
    "asyncio": lambda main: asyncio.run(main()),
    "uvloop": run_uvloop,
    "trio": lambda main: trio.run(main),
    "anyio": lambda main: anyio.run(main),
}


def open_later(gate: Gate) -> threading.Thread:
    """Open the gate as soon as a worker is there."""

    def main() -> None:
        gate.wait_entered()
        gate.open()

    thread = threading.Thread(target=main)
    thread.start()
    return thread


async def entered(gate: Gate) -> None:
    """Wait, without blocking the loop, until a worker is at the gate."""
    await anyio.to_thread.run_sync(gate.wait_entered)
