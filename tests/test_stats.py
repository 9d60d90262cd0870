# SPDX-License-Identifier: BSD-3-Clause
"""What a mover counts."""

from __future__ import annotations

import threading

import pytest
from gate import Gate

import miniasync
from miniasync import DataMover, Stats


def test_counts_operations_and_bytes(mover: DataMover) -> None:
    assert mover.stats() == Stats(operations=0, bytes=0, pending=0)
    mover.memset(bytearray(10), 1).result()
    mover.memcpy(bytearray(5), b"12345").result()
    assert mover.stats() == (2, 15, 0)
    mover.close()
    assert mover.stats() == (2, 15, 0)


def test_counts_each_of_a_batch(mover: DataMover) -> None:
    mover.memcpy_batch([(bytearray(3), b"abc"), (bytearray(2), b"de")]).result()
    mover.memset_batch((bytearray(9), 1), dst_offsets=[0, 3], lengths=2).result()
    assert mover.stats() == (4, 9, 0)


def test_counts_steps_of_a_chain(mover: DataMover) -> None:
    a, b = bytearray(4), bytearray(4)
    miniasync.chain(mover.memset(a, 1), mover.memcpy(b, a)).result()
    assert mover.stats() == (2, 8, 0)


def test_pending(gate: Gate) -> None:
    futures = [gate.mover.memcpy(bytearray(5), b"12345") for _ in range(3)]
    assert gate.mover.stats().pending == 0
    futures[0].start()
    futures[1].start()
    assert gate.mover.stats().pending == 2
    gate.open()
    for future in futures:
        future.result()
    assert gate.mover.stats() == (3, 15, 0)


def test_failures_do_not_count(mover: DataMover) -> None:
    future = mover.memset(bytearray(10), 1)
    future.cancel()
    late = mover.memset(bytearray(10), 1)
    mover.close()
    with pytest.raises(miniasync.ClosedError):
        late.result()
    assert mover.stats() == (0, 0, 0)


def test_from_several_threads(mover: DataMover) -> None:
    def main() -> None:
        for _ in range(500):
            mover.memset(bytearray(3), 1).result()

    threads = [threading.Thread(target=main) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mover.stats() == (2000, 6000, 0)


@pytest.mark.not_upstream
def test_by_whom(gate: Gate) -> None:
    assert gate.mover.threads_stats() == {
        "queued": 0,
        "worker_pieces": 0,
        "worker_bytes": 0,
        "waiter_pieces": 0,
        "waiter_bytes": 0,
    }
    gate.open()
    gate.mover.memcpy(bytearray(5), b"12345").result()
    stats = gate.mover.threads_stats()
    assert (stats["queued"], stats["worker_pieces"], stats["worker_bytes"]) == (1, 1, 5)
    gate.mover.close()
    with pytest.raises(miniasync.ClosedError):
        gate.mover.threads_stats()


@pytest.mark.skipif(
    not miniasync.provider().is_upstream, reason="the C library is ours"
)
def test_by_whom_is_not_known_to_upstream() -> None:
    with (
        miniasync.ThreadsMover() as mover,
        pytest.raises(miniasync.NotSupportedError, match="does not count"),
    ):
        mover.threads_stats()
