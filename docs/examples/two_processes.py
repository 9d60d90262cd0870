# SPDX-License-Identifier: BSD-3-Clause
"""Hand frames from one process to another through shared memory.

The shared memory has two halves. The producer fills one while the consumer copies
the other out of it.
"""

from __future__ import annotations

import hashlib
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory

import miniasync

HALF = 16 * 2**20
FRAMES = 6


def halves_of(shared: SharedMemory) -> tuple[memoryview, memoryview]:
    """Both halves, which are to be released before the memory is closed."""
    assert shared.buf is not None
    return shared.buf[:HALF], shared.buf[HALF:]


def produce(name: str, to_consumer: Connection) -> None:
    """Put one frame after another into the shared memory."""
    shared = SharedMemory(name)
    halves = halves_of(shared)
    frame = bytearray(HALF)
    for number in range(FRAMES):
        miniasync.memset(frame, number).result()  # what a camera would do
        if number >= 2:
            to_consumer.recv()  # this half has been copied
        miniasync.memcpy(halves[number % 2], frame).result()
        to_consumer.send(number)
    for half in halves:
        half.release()
    shared.close()


def consume(name: str, to_producer: Connection) -> list[str]:
    """Copy the frames out of the shared memory; what they were."""
    shared = SharedMemory(name)
    halves = halves_of(shared)
    frame = bytearray(HALF)
    seen = []
    for _ in range(FRAMES):
        number = to_producer.recv()
        copy = miniasync.memcpy(frame, halves[number % 2]).start()
        # Something else may be done here.
        copy.result()
        if number < FRAMES - 2:
            to_producer.send("copied")
        seen.append(hashlib.sha256(frame).hexdigest()[:8])
    for half in halves:
        half.release()
    shared.close()
    return seen


def main() -> None:
    """Consume here what another process produces."""
    shared = SharedMemory(create=True, size=2 * HALF)
    try:
        here, there = get_context("spawn").Pipe()
        producer = get_context("spawn").Process(
            target=produce, args=(shared.name, there)
        )
        producer.start()
        print(*consume(shared.name, here))
        producer.join()
    finally:
        shared.close()
        shared.unlink()


if __name__ == "__main__":
    main()
