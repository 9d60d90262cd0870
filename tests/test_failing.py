# SPDX-License-Identifier: BSD-3-Clause
"""What steps and functions raise, and that nothing lives on with it."""

from __future__ import annotations

import asyncio
import gc
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NoReturn

import pytest
import trio

import miniasync
from miniasync import Future, Waker, chain


class Buffer(bytearray):
    """One that can be referred to weakly."""


def boom(value: object) -> NoReturn:
    raise ValueError("boom")


class Failing(Future[int]):
    def step(self, waker: Waker) -> int:
        raise ValueError("boom")


class Raising(Future[int]):
    """Raises what it is given."""

    def __init__(self, exception: BaseException) -> None:
        super().__init__()
        self.exceptions = [exception]
        self.steps = 0

    def step(self, waker: Waker) -> int:
        self.steps += 1
        raise self.exceptions[0]


# They keep no reference to the future themselves, or it would be their cycle.

Make = Callable[[], Future[Any]]


def result(make: Make) -> None:
    make().result()


def exception(make: Make) -> None:
    assert isinstance(make().exception(), ValueError)


def poll(make: Make) -> None:
    future = make()
    try:
        while future.poll() is not miniasync.State.COMPLETE:
            pass
    finally:
        del future


def look(make: Make) -> None:
    future = make().start()
    try:
        while not future.done() and future.running():
            future.start()
    finally:
        del future


def block(make: Make) -> None:
    with make():
        pass


def wait(make: Make) -> None:
    miniasync.wait([make()])


def one_by_one(make: Make) -> None:
    next(miniasync.as_completed([make()])).result()


def natively(make: Make) -> None:
    miniasync.Runtime().wait(make())


async def await_it(make: Make) -> None:
    await make()


def in_asyncio(make: Make) -> None:
    asyncio.run(await_it(make))


def in_trio(make: Make) -> None:
    trio.run(await_it, make)


def in_another_thread(make: Make) -> None:
    over = threading.Event()
    future = make()
    future.add_done_callback(lambda _: over.set())
    try:
        # Steps are nobody else's business.
        while not over.wait(0.01):
            future.poll()
        future.result()
    finally:
        del future


def in_a_pool(make: Make) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(make().exception).result(), ValueError)


WAYS = [
    *(result, exception, poll, look, block, wait, one_by_one, natively),
    *(in_asyncio, in_trio, in_another_thread, in_a_pool),
]


@pytest.fixture
def no_garbage() -> Iterator[None]:
    """What is gone is so without the garbage collector."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["function", "step", "inner", "large"])
def test_buffers_are_gone_at_once(way: Callable[[Make], None], kind: str) -> None:
    gone: list[Callable[[], object]] = []

    def make() -> Future[Any]:
        buffer = Buffer(1 << 22 if kind == "large" else 3)
        gone.append(weakref.ref(buffer))
        copy = miniasync.memset(buffer, 1)
        if kind == "step":
            return chain(copy, Failing())
        return chain(chain(copy, boom)) if kind == "inner" else chain(copy, boom)

    def go() -> None:
        with suppress(ValueError):
            way(make)

    go()
    if way in (in_asyncio, in_trio, in_another_thread, in_a_pool):
        # The libraries' own cycles, or another thread that is not yet done with it.
        gc.collect()
    assert gone[0]() is None


def test_own_frames_are_in_the_traceback() -> None:
    for future in (chain(boom), chain(Failing()), Failing()):
        with pytest.raises(ValueError, match="boom") as caught:
            future.result()
        names = [frame.name for frame in traceback.extract_tb(caught.tb)]
        assert names[-1] in ("boom", "step")
        assert names[-2] == "result"


@pytest.mark.parametrize(
    "kind", [asyncio.CancelledError, GeneratorExit, pytest.fail.Exception]
)
@pytest.mark.parametrize("chained", [False, True])
def test_whatever_a_step_raises_ends_it(
    kind: type[BaseException], chained: bool
) -> None:
    own = Raising(kind("mine"))
    future = chain(own, pytest.fail) if chained else own
    for _ in range(2):
        with pytest.raises(kind):
            future.result(timeout=30)
    assert future.done()
    assert isinstance(future.exception(), kind)
    assert own.steps == 1
    assert miniasync.wait([own]).not_done == set()


@pytest.mark.parametrize("kind", [asyncio.CancelledError, GeneratorExit])
def test_whatever_a_function_raises_ends_it(kind: type[BaseException]) -> None:
    def function(_: object) -> NoReturn:
        raise kind("mine")

    future = chain(function, pytest.fail)
    # It is the future's, not of who happens to go on with it.
    assert future.poll() is miniasync.State.COMPLETE
    with pytest.raises(kind):
        future.result()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_is_the_programs_comes_out_at_once(
    kind: type[BaseException],
) -> None:
    def function(_: object) -> NoReturn:
        raise kind

    future = chain(function, pytest.fail)
    with pytest.raises(kind):
        future.poll()
    assert future.done()
    own = Raising(kind())
    with pytest.raises(kind):
        own.poll()
    assert own.running()


@pytest.mark.parametrize("chained", [False, True])
def test_an_awaited_step_that_raises_what_cancels(chained: bool) -> None:
    errors: list[object] = []

    class Later(Raising):
        """Raises on the loop, and not where it is awaited."""

        def step(self, waker: Waker) -> Any:
            if self.steps:
                return super().step(waker)
            self.steps += 1
            return miniasync.PENDING

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: errors.append(context)
        )
        own: Future[Any] = Later(asyncio.CancelledError())
        own = chain(miniasync.memset(bytearray(3), 1), own) if chained else own
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.ensure_future(awaiting(own)), 30)

    async def awaiting(future: Future[Any]) -> None:
        await asyncio.sleep(0)
        await future

    asyncio.run(main())
    assert errors == []
