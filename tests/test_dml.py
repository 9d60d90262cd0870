# SPDX-License-Identifier: BSD-3-Clause
"""The DML mover, as far as this build and this machine have one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import miniasync
from miniasync import DmlMover, NotSupportedError


def has_libdml() -> bool:
    try:
        DmlMover().close()
    except NotSupportedError:
        return False
    return True


def has_device() -> bool:
    if not has_libdml():
        return False
    with DmlMover() as mover:
        return mover.uses_hardware


@pytest.mark.parametrize("path", ["", "AUTO", "cpu"])
def test_an_unknown_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="'auto', 'hardware' or 'software'"):
        DmlMover(path)


def test_the_path_is_a_string() -> None:
    path: Any = 1
    with pytest.raises(TypeError, match="path must be a string"):
        DmlMover(path)


@pytest.mark.skipif(has_libdml(), reason="this build has libdml")
@pytest.mark.parametrize("path", ["auto", "hardware", "software"])
def test_without_libdml_it_says_how_to_get_it(path: str) -> None:
    with pytest.raises(NotSupportedError, match="MINIASYNC_DML=ON"):
        DmlMover(path)


@pytest.mark.skipif(not has_libdml() or has_device(), reason="needs libdml, no device")
def test_without_a_device_it_says_so() -> None:
    with pytest.raises(NotSupportedError, match="no DSA device"):
        DmlMover("hardware")


@pytest.mark.skipif(not has_libdml(), reason="this build has no libdml")
class TestWithLibdml:
    @pytest.fixture(params=["auto", "software"])
    def mover(self, request: pytest.FixtureRequest) -> DmlMover:
        return DmlMover(request.param)

    @pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 4096, 1_000_003])
    def test_moves_bytes(self, mover: DmlMover, n: int) -> None:
        with mover:
            src, dst = bytes(i & 255 for i in range(n)), bytearray(n)
            assert mover.memcpy(dst, src).result() is dst
            assert dst == src
            assert mover.memset(dst, 7).result() == b"\7" * n
            assert mover.memmove(dst, src, flags=1).result() == src
            assert mover.flush(dst).result() is dst
            assert mover.stats()[:2] == (4, 4 * n)

    def test_overlapping_moves(self, mover: DmlMover) -> None:
        with mover:
            data = bytearray(range(256)) * 100
            want = bytearray(data)
            want[1:] = data[:-1]
            view = memoryview(data)
            mover.memmove(view[1:], view[:-1]).result()
            view.release()
            assert data == want

    def test_in_every_way_of_waiting(self, mover: DmlMover) -> None:
        async def wait() -> bytearray:
            return await mover.memset(bytearray(100_000), 3)

        with mover:
            assert asyncio.run(wait()) == b"\3" * 100_000
            futures = [mover.memset(bytearray(100), 1) for _ in range(100)]
            other = [miniasync.memset(bytearray(100), 1) for _ in range(100)]
            assert not miniasync.wait([*futures, *other]).not_done
            a, b = bytearray(5), bytearray(5)
            copy = mover.memcpy(b, a)
            assert miniasync.chain(mover.memset(a, 1), copy).result() is b
            assert b == b"\1" * 5
            assert mover.memcpy_batch([(a, b"12345")]).result() == [b"12345"]

    def test_statistics(self, mover: DmlMover) -> None:
        with mover:
            mover.memset(bytearray(100_000), 1).result()
            stats = mover.dml_stats()
            assert stats["operations"] == 1
            assert stats["hardware"] == mover.uses_hardware
        with pytest.raises(miniasync.ClosedError):
            mover.dml_stats()
