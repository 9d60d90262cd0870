# SPDX-License-Identifier: BSD-3-Clause
"""The module's own functions and the mover behind them."""

from __future__ import annotations

import inspect
import pickle
import pydoc
import threading
from collections.abc import Callable

import pytest

import miniasync


def test_the_functions() -> None:
    dst = bytearray(6)
    assert miniasync.memcpy(dst, b"abcdef").result() is dst
    assert miniasync.memcpy(dst, b"ABCDEF", 2, flags=0).result() == b"ABcdef"
    view = memoryview(dst)
    miniasync.memmove(view[1:], view[:5]).result()
    assert dst == b"AABcde"
    assert miniasync.memset(dst, 120, n=3).result() == b"xxxcde"


@pytest.mark.parametrize(
    "name", ["memcpy", "memmove", "memset", "flush", "memcpy_batch", "memset_batch"]
)
def test_the_functions_say_what_they_take(name: str) -> None:
    function = getattr(miniasync, name)
    with miniasync.SyncMover() as mover:
        method = getattr(mover, name)
        assert inspect.signature(function) == inspect.signature(method)
        assert inspect.getdoc(function) == inspect.getdoc(method)
    kinds = {each.kind for each in inspect.signature(function).parameters.values()}
    assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    text = pydoc.plain(pydoc.render_doc(function))
    for part in (*inspect.signature(function).parameters, "Raises:", "Example:"):
        assert part in text
    assert pickle.loads(pickle.dumps(function)) == function


@pytest.mark.not_upstream
def test_flush() -> None:
    buf = bytearray(100)
    assert miniasync.flush(buf, 50).result() is buf


def test_it_is_one_for_all_threads(run_python: Callable[[str], str]) -> None:
    assert (
        run_python(
            """
            import threading, miniasync
            found, start = [], threading.Barrier(8)
            def get():
                start.wait()
                found.append(miniasync.default_mover())
            threads = [threading.Thread(target=get) for _ in range(8)]
            for each in threads: each.start()
            for each in threads: each.join()
            print(len(found), len(set(found)))
            """
        )
        == "8 1\n"
    )


def test_it_is_made_on_first_use(run_python: Callable[[str], str]) -> None:
    assert (
        run_python(
            """
            import os, miniasync
            count = lambda: len(os.listdir("/proc/self/task"))
            before = count()
            miniasync.memset(bytearray(1), 1)
            print(before, count() > before)
            """
        )
        == "1 True\n"
    )


def test_another_is_made_when_it_was_closed() -> None:
    before = miniasync.default_mover()
    future = miniasync.memset(bytearray(1), 1)
    before.close()
    with pytest.raises(miniasync.ClosedError):
        future.result()
    assert miniasync.memset(bytearray(1), 1).result() == b"\1"
    assert miniasync.default_mover() is not before
    assert miniasync.default_mover() is miniasync.default_mover()


def test_threads_do_not_disturb_each_other() -> None:
    def work() -> None:
        for size in range(0, 20000, 999):
            dst = bytearray(size)
            assert miniasync.memset(dst, 9).result() == b"\t" * size

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
