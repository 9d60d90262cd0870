# SPDX-License-Identifier: BSD-3-Clause
"""The DML mover on the emulated DSA device of the C library's tests.

The device is built where CMake finds libdml. LD_LIBRARY_PATH has to name its
folder: ``LD_LIBRARY_PATH=<build>/tests/dsa pytest tests/test_dml_device.py``.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Iterator

import pytest

import miniasync
from miniasync import DmlMover, NotSupportedError

N = 300_000
ALWAYS = ctypes.c_size_t(-1).value
PAGE_FAULT = 0x03
HARDWARE_TIMEOUT = 0x21


def load() -> ctypes.CDLL | str:
    """The device, or why there is none."""
    try:
        DmlMover("software").close()
    except NotSupportedError:
        return "this build has no libdml"
    try:
        library = ctypes.CDLL("libaccel-config.so.1")
        library.dsa_unusable.restype = ctypes.c_char_p
    except (OSError, AttributeError):
        return "LD_LIBRARY_PATH names no emulated DSA device"
    for name in ("accepted", "executed", "refused"):
        getattr(library, f"dsa_{name}").restype = ctypes.c_size_t
    library.dsa_refuse.argtypes = [ctypes.c_size_t]
    library.dsa_await_accepted.argtypes = [ctypes.c_size_t]
    library.dsa_answer.argtypes = [
        *(ctypes.c_size_t, ctypes.c_size_t),
        *(ctypes.c_uint, ctypes.c_uint32),
    ]
    why = library.dsa_unusable()
    return library if why is None else str(why.decode())


LIBRARY = load()
pytestmark = pytest.mark.skipif(isinstance(LIBRARY, str), reason=str(LIBRARY))


@pytest.fixture
def mover() -> Iterator[DmlMover]:
    with DmlMover("hardware") as it:
        yield it


@pytest.fixture
def device(mover: DmlMover) -> Iterator[ctypes.CDLL]:
    assert isinstance(LIBRARY, ctypes.CDLL)
    LIBRARY.dsa_reset()
    yield LIBRARY
    LIBRARY.dsa_reset()


def test_it_runs_until_the_device_is_done(mover: DmlMover, device: ctypes.CDLL) -> None:
    device.dsa_hold()
    future = mover.memset(bytearray(N), 3).start()
    assert [future.done() for _ in range(10)] == [False] * 10
    with pytest.raises(TimeoutError):
        future.result(timeout=0.01)
    assert (device.dsa_accepted(), device.dsa_executed()) == (1, 0)
    device.dsa_release()
    assert future.result() == b"\3" * N
    assert mover.dml_stats()["hardware_bytes"] == N


def test_others_do_not_wait_for_it(mover: DmlMover, device: ctypes.CDLL) -> None:
    device.dsa_hold()
    held = mover.memset(bytearray(N), 3).start()
    with miniasync.ThreadsMover(threads=1) as threads:
        others = {threads.memset(bytearray(N), i) for i in range(5)}
        while others:
            done = miniasync.wait(
                [held, *others], return_when=miniasync.FIRST_COMPLETED
            ).done
            assert held not in done
            others -= done
    device.dsa_release()
    assert held.result() == b"\3" * N


def test_an_event_loop_goes_on(mover: DmlMover, device: ctypes.CDLL) -> None:
    device.dsa_hold()

    async def release() -> str:
        device.dsa_await_accepted(3)
        device.dsa_release()
        return "released"

    async def copy(i: int) -> bytes:
        return bytes(await mover.memcpy(bytearray(N), bytes([i]) * N))

    async def everything() -> list[bytes | str]:
        return await asyncio.gather(*map(copy, range(3)), release())

    *copies, last = asyncio.run(everything())
    assert copies == [bytes([i]) * N for i in range(3)]
    assert last == "released"
    assert device.dsa_executed() == 3


def test_buffers_stay_with_what_is_in_flight(
    mover: DmlMover, device: ctypes.CDLL
) -> None:
    device.dsa_hold()
    buffer = bytearray(N)
    future = mover.memset(buffer, 5).start()
    with pytest.raises(BufferError):
        buffer.clear()
    with pytest.warns(ResourceWarning, match="stay pinned"):
        del future
    with pytest.raises(BufferError):
        buffer.clear()
    device.dsa_release()
    mover.close()
    assert buffer == b"\5" * N
    buffer.clear()


@pytest.mark.parametrize("status", [PAGE_FAULT, HARDWARE_TIMEOUT])
def test_what_the_device_leaves_is_done(
    mover: DmlMover, device: ctypes.CDLL, status: int
) -> None:
    device.dsa_answer(0, ALWAYS, status, 1000)
    assert mover.memset(bytearray(N), 9).result() == b"\11" * N
    stats = mover.dml_stats()
    assert stats["cpu_bytes"] == N
    assert stats["cpu_page_fault"] == (status == PAGE_FAULT)
    assert stats["cpu_device_error"] == (status == HARDWARE_TIMEOUT)


def test_what_the_queue_refuses_is_done(mover: DmlMover, device: ctypes.CDLL) -> None:
    device.dsa_refuse(ALWAYS)
    assert mover.memset(bytearray(N), 9).result() == b"\11" * N
    stats = mover.dml_stats()
    assert stats["cpu_queue_full"] == 1
    assert stats["retries"] == device.dsa_refused() - 1
