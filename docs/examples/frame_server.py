# SPDX-License-Identifier: BSD-3-Clause
"""A server that copies large frames and answers pings meanwhile.

Each line that a client sends is a command: ``ping`` is answered at once, ``frame``
when a frame has been copied from the camera's memory into the archive. A copy done
by the event loop itself would make all clients wait for its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

import miniasync

FRAME = 64 * 2**20
COPIES = 10


class Server:
    """Has a camera and room for a frame."""

    def __init__(self) -> None:
        """Allocate both."""
        self.camera = bytearray(b"\x5a") * FRAME
        self.archive = bytearray(FRAME)
        self.archive_is_free = asyncio.Lock()
        self.copies = 0

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one client until it hangs up."""
        while line := await reader.readline():
            if line == b"frame\n":
                async with self.archive_is_free:
                    await miniasync.memcpy(self.archive, self.camera)
                    self.copies += 1
            writer.write(b"done " + line)
            await writer.drain()
        writer.close()


async def ask(port: int, command: bytes, enough: Callable[[], bool]) -> list[float]:
    """Be a client: how many seconds each answer took, until there are enough."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    seconds: list[float] = []
    while not enough():
        asked = perf_counter()
        writer.write(command + b"\n")
        assert await reader.readline() == b"done " + command + b"\n"
        seconds.append(perf_counter() - asked)
        await asyncio.sleep(0.001)
    writer.close()
    await writer.wait_closed()
    return seconds


async def main() -> None:
    """Have one client take frames, and another one ping."""
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        taking = ask(port, b"frame", lambda: server.copies == COPIES)
        frames = asyncio.create_task(taking)
        pings = await ask(port, b"ping", frames.done)
    assert server.archive == server.camera
    print(
        f"{server.copies} frames, the slowest in {max(await frames) * 1e3:.1f} ms;"
        f" {len(pings)} pings, the slowest in {max(pings) * 1e3:.1f} ms"
    )


if __name__ == "__main__":
    asyncio.run(main())
