# SPDX-License-Identifier: BSD-3-Clause
"""Never run: mypy checks that users get the types they expect."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from typing_extensions import assert_type

import miniasync
from miniasync import (
    PENDING,
    DataMover,
    Future,
    Pending,
    Runtime,
    State,
    ThreadsMover,
    Waker,
)


def results(mover: DataMover, array: np.ndarray[Any, Any], map: mmap.mmap) -> None:
    data = bytearray(5)
    assert_type(mover.memcpy(data, b"12345"), Future[bytearray])
    assert_type(mover.memcpy(data, b"12345").result(), bytearray)
    assert_type(mover.memmove(memoryview(data), data).start(), Future[memoryview])
    assert_type(mover.memset(map, 1).result(timeout=1.5), mmap.mmap)
    assert_type(mover.memcpy(array, array.copy()).result(), np.ndarray[Any, Any])
    assert_type(mover.flush(b"").result(), bytes)
    assert_type(miniasync.memcpy(data, array, n=3, flags=0).result(), bytearray)
    assert_type(miniasync.flush(array).result(), np.ndarray[Any, Any])
    with miniasync.memset(data, 1) as future:
        assert_type(future, Future[bytearray])
    assert_type(future.exception(), BaseException | None)
    assert_type(future.poll(), State)
    assert_type(future.state, State)
    assert_type(future.done(), bool)


def batches(mover: DataMover, array: np.ndarray[Any, Any]) -> None:
    data = bytearray(5)
    assert_type(mover.memcpy_batch([(data, b"12345")]), Future[list[bytearray]])
    assert_type(
        mover.memcpy_batch([(array, data, 3)]).result(), list[np.ndarray[Any, Any]]
    )
    assert_type(mover.memset_batch(iter([(data, 1)])).result(), list[bytearray])
    one = mover.memcpy_batch((data, array), src_offsets=array, lengths=[1, 2])
    assert_type(one, Future[bytearray])
    assert_type(
        miniasync.memset_batch((array, 1), dst_offsets=range(3), lengths=1).result(),
        np.ndarray[Any, Any],
    )
    assert_type(miniasync.memcpy_batch([(data, b"12345")]).result(), list[bytearray])
    mover.memset_batch((data, 1), dst_offsets=[1])  # type: ignore[call-overload]
    mover.memcpy_batch([(b"", 5)])  # type: ignore[arg-type]


def integers(mover: DataMover, array: np.ndarray[Any, Any]) -> None:
    data, three = bytearray(5), np.int64(3)
    assert_type(mover.memcpy(data, b"12345", three), Future[bytearray])
    assert_type(miniasync.memmove(data, b"12345", three), Future[bytearray])
    assert_type(miniasync.memset(data, np.uint8(3), three), Future[bytearray])
    assert_type(mover.flush(array, three), Future[np.ndarray[Any, Any]])
    mover.memset(data, 1.5)  # type: ignore[arg-type]
    copies = [(data, array, three)]
    assert_type(miniasync.memcpy_batch(copies), Future[list[bytearray]])
    assert_type(mover.memset_batch([(data, three, three)]), Future[list[bytearray]])
    assert_type(
        miniasync.memcpy_batch((data, array), src_offsets=[three], lengths=three),
        Future[bytearray],
    )


def movers() -> None:
    with ThreadsMover(threads=2, inline_below=0) as mover:
        assert_type(mover, ThreadsMover)
        assert_type(mover.threads, int | None)
    assert_type(miniasync.default_mover(), ThreadsMover)
    assert_type(mover.supports(miniasync.Flags.MEM_DURABLE), bool)
    assert_type(mover.capabilities, miniasync.Flags)


def waiting(
    a: Future[bytearray], b: Future[bytearray], c: Future[np.ndarray[Any, Any]]
) -> None:
    done, not_done = miniasync.wait([a, b], timeout=1)
    assert_type(done, set[Future[bytearray]])
    assert_type(not_done, set[Future[bytearray]])
    with Runtime() as runtime:
        runtime.wait(a, b, c, timeout=None)
    # The results of both are what both are.
    mixed: list[Future[bytearray | np.ndarray[Any, Any]]] = [a, c]
    for future in miniasync.as_completed(mixed):
        assert_type(future.result(), bytearray | np.ndarray[Any, Any])
    for each in miniasync.as_completed([a, c]):
        each.result()
    wider: Future[object] = a
    wider.result()


class Own(Future[str]):
    def step(self, waker: Waker) -> str | Pending:
        return "done" if waker else PENDING


def chains(mover: DataMover) -> None:
    data = bytearray(5)
    copy = mover.memcpy(data, b"12345")
    assert_type(miniasync.chain(copy), Future[bytearray])
    assert_type(miniasync.chain(len, copy), Future[bytearray])
    assert_type(miniasync.chain(copy, len), Future[Any])
    assert_type(miniasync.chain(copy, len, copy, len, copy, copy), Future[bytearray])
    assert_type(miniasync.chain(*[copy, copy]), Future[Any])
    for done in miniasync.as_completed([copy], timeout=1):
        assert_type(done, Future[bytearray])
    assert_type(Own().result(), str)
    copy.add_done_callback(print)


async def awaits(mover: DataMover) -> None:
    assert_type(await mover.memcpy(bytearray(5), b"12345"), bytearray)
    assert_type(await Own(), str)


def misuse(mover: DataMover) -> None:
    mover.memcpy(5, b"")  # type: ignore[type-var]
    mover.memcpy(bytearray(), "text")  # type: ignore[arg-type]
    mover.memset(bytearray(), b"1")  # type: ignore[arg-type]
    miniasync.wait(mover.memset(bytearray(), 1))  # type: ignore[arg-type]
