# SPDX-License-Identifier: BSD-3-Clause
"""What is taken for a buffer, what is refused, and what is pinned when."""

from __future__ import annotations

import array
import ctypes
import mmap
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import miniasync
from miniasync import DataMover, Flags

HELLO = b"hello, world"


def free(buffer: bytearray) -> bool:
    """Whether nothing pins the bytearray: only then can it be resized."""
    try:
        buffer.append(0)
    except BufferError:
        return False
    del buffer[-1]
    return True


class TestAccepted:
    def test_memoryview_and_its_slices(self, mover: DataMover) -> None:
        dst = bytearray(8)
        view = memoryview(dst)[2:6]
        assert mover.memcpy(view, memoryview(HELLO)[:4]).result() is view
        assert dst == b"\0\0hell\0\0"

    def test_items_of_any_size_count_as_bytes(self, mover: DataMover) -> None:
        dst = array.array("d", [0.0, 0.0])
        src = array.array("d", [1.5, 2.5])
        assert mover.memcpy(dst, src).result() is dst
        assert dst == src
        mover.memset(dst, 0, 8).result()
        assert list(dst) == [0.0, 2.5]

    def test_ctypes(self, mover: DataMover) -> None:
        dst = (ctypes.c_int32 * 3)()
        src = (ctypes.c_int32 * 3)(1, 2, 3)
        assert mover.memcpy(dst, src).result() is dst
        assert list(dst) == [1, 2, 3]

    def test_mmap(self, mover: DataMover, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"x" * 4096)
        with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as dst:
            mover.memcpy(dst, HELLO, len(HELLO)).result()
            assert dst[:13] == HELLO + b"x"

    def test_a_buffer_of_cffi(self, mover: DataMover) -> None:
        memory = miniasync.ffi.new("char[5]")
        mover.memcpy(miniasync.ffi.buffer(memory), b"cffi\0").result()
        assert miniasync.ffi.string(memory) == b"cffi"

    def test_n_is_a_prefix(self, mover: DataMover) -> None:
        dst = bytearray(5)
        mover.memcpy(dst, HELLO, 3).result()
        assert dst == b"hel\0\0"

    def test_n_may_be_any_integer(self, mover: DataMover) -> None:
        class Two:
            def __index__(self) -> int:
                return 2

        dst = bytearray(5)
        mover.memcpy(dst, HELLO, Two()).result()
        assert dst == b"he\0\0\0"

    def test_nothing_at_all(self, mover: DataMover) -> None:
        dst = bytearray()
        assert mover.memcpy(dst, b"").result() is dst
        assert mover.memmove(dst, dst).result() is dst
        assert mover.memset(dst, 1).result() is dst
        full = bytearray(HELLO)
        assert mover.memcpy(full, HELLO, 0).result() is full
        assert mover.memcpy(full, full, 0).result() is full
        assert mover.memset(full, 0, 0).result() is full
        assert full == HELLO

    @pytest.mark.not_upstream
    def test_flush_of_nothing_and_of_what_cannot_be_written(
        self, mover: DataMover
    ) -> None:
        assert mover.flush(b"").result() == b""
        assert mover.flush(HELLO).result() is HELLO
        assert mover.flush(HELLO, 3).result() is HELLO

    def test_neighbours_do_not_overlap(self, mover: DataMover) -> None:
        data = bytearray(b"abcd....")
        view = memoryview(data)
        mover.memcpy(view[4:], view[:4]).result()
        assert data == b"abcdabcd"
        mover.memcpy(view[:4], view[4:]).result()
        # The buffers overlap, but not the bytes that are copied.
        mover.memcpy(view, view[2:], 2).result()
        assert data == b"cdcdabcd"

    def test_memmove_may_overlap(self, mover: DataMover) -> None:
        data = bytearray(b"abcdef")
        view = memoryview(data)
        mover.memmove(view[1:], view[:5]).result()
        assert data == b"aabcde"
        mover.memmove(view[:5], view[1:]).result()
        assert data == b"abcdee"
        assert mover.memmove(data, data).result() is data
        assert data == b"abcdee"


class TestNumPy:
    def test_arrays_of_any_shape(self, mover: DataMover) -> None:
        np = pytest.importorskip("numpy")
        dst = np.zeros((3, 4))
        src = np.arange(12.0).reshape(3, 4)
        assert mover.memcpy(dst, src).result() is dst
        assert (dst == src).all()

    @pytest.mark.parametrize("kind", ["datetime64[s]", "i4,f8", "?", "c16", "U3"])
    def test_arrays_of_any_type(self, mover: DataMover, kind: str) -> None:
        np = pytest.importorskip("numpy")
        dst = np.zeros(3, kind)
        src = np.frombuffer(bytes(range(1, dst.nbytes + 1)), "u1")
        mover.memcpy(dst, src).result()
        assert dst.tobytes() == src.tobytes()

    @pytest.mark.parametrize("kind", ["f8", "datetime64[s]"])
    def test_arrays_of_other_orders_are_refused(self, kind: str) -> None:
        np = pytest.importorskip("numpy")
        plain = np.zeros((4, 4), kind)
        for dst in (plain[:, ::2], np.asfortranarray(plain), plain.T):
            with pytest.raises(BufferError, match="^dst is not C-contiguous: copy "):
                miniasync.memset(dst, 1)
            with pytest.raises(BufferError, match="^src is not C-contiguous: pass "):
                miniasync.memcpy(bytearray(dst.nbytes), dst)
        assert not plain.view("u1").any()

    @pytest.mark.parametrize("kind", ["f8", "datetime64[s]"])
    def test_read_only_arrays_are_refused(self, kind: str) -> None:
        np = pytest.importorskip("numpy")
        dst = np.zeros(4, kind)
        dst.flags.writeable = False
        with pytest.raises(BufferError, match="^dst is read-only: pass a writable"):
            miniasync.memset(dst, 1)


Call = Callable[..., Any]


class TestRefused:
    @pytest.mark.parametrize("call", [miniasync.memcpy, miniasync.memmove])
    @pytest.mark.parametrize(
        ("dst", "src", "error", "message"),
        [
            (b"12345", b"12345", BufferError, "^dst is read-only: pass a writable"),
            (memoryview(b"12"), b"12", BufferError, "^dst is read-only"),
            (5, b"12345", TypeError, "^dst must be .* not int"),
            (None, b"12345", TypeError, "^dst must be .* not NoneType"),
            (bytearray(5), "12345", TypeError, "^src must be .* not str; encode"),
            (bytearray(5), [1, 2, 3, 4, 5], TypeError, "^src must be .* not list"),
            (
                memoryview(bytearray(10))[::2],
                b"12345",
                BufferError,
                "^dst is not C-contiguous: copy into a contiguous buffer",
            ),
            (
                bytearray(5),
                memoryview(b"1234567890")[::2],
                BufferError,
                "^src is not C-contiguous: pass a copy",
            ),
            (bytearray(5), b"1234", ValueError, "^dst has 5 bytes and src 4: "),
            (bytearray(4), b"12345", ValueError, "^dst has 4 bytes and src 5: "),
        ],
    )
    def test_copies(
        self, call: Call, dst: Any, src: Any, error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            call(dst, src)
        if isinstance(dst, bytearray):
            assert not any(dst)
            assert free(dst)

    @pytest.mark.parametrize(
        ("n", "error", "message"),
        [
            (-1, ValueError, "^n must not be negative, but is -1"),
            (6, ValueError, "^n is 6, but dst has only 5 bytes"),
            (2**64, ValueError, r"^n is \d+, but \w+ has only \d bytes"),
            (-(2**64), ValueError, "^n must not be negative"),
            (True, TypeError, "^n must be an integer, not bool"),
            (2.0, TypeError, "^n must be an integer, not float"),
            ("2", TypeError, "^n must be an integer, not str"),
        ],
    )
    def test_numbers_of_bytes(
        self, n: Any, error: type[Exception], message: str
    ) -> None:
        dst, src = bytearray(5), bytearray(b"1234567")
        calls: list[Call] = [
            lambda: miniasync.memcpy(dst, src, n),
            lambda: miniasync.memmove(dst, src, n),
            lambda: miniasync.memset(dst, 1, n),
        ]
        for call in calls:
            with pytest.raises(error, match=message):
                call()
        with pytest.raises(ValueError, match="^n is 8, but src has only 7 bytes"):
            miniasync.memcpy(bytearray(9), src, 8)
        assert dst == bytes(5)
        assert free(dst)
        assert free(src)

    @pytest.mark.not_upstream
    def test_flushes(self) -> None:
        buf = bytearray(5)
        with pytest.raises(ValueError, match="^n is 6, but buf has only 5 bytes"):
            miniasync.flush(buf, 6)
        with pytest.raises(TypeError, match="^buf must be .* not int"):
            miniasync.flush(5)  # type: ignore[type-var]
        with pytest.raises(BufferError, match="^buf is not C-contiguous"):
            miniasync.flush(memoryview(buf)[::2])
        assert free(buf)

    @pytest.mark.parametrize(
        ("value", "error", "message"),
        [
            (-1, ValueError, "^value must be from 0 to 255, but is -1"),
            (256, ValueError, "^value must be from 0 to 255, but is 256"),
            (2**64, ValueError, "^value must be from 0 to 255"),
            (True, TypeError, "^value must be an integer, not bool"),
            (1.0, TypeError, "^value must be an integer, not float"),
            (b"1", TypeError, "^value must be an integer, not bytes"),
        ],
    )
    def test_values(self, value: Any, error: type[Exception], message: str) -> None:
        dst = bytearray(5)
        with pytest.raises(error, match=message):
            miniasync.memset(dst, value)
        assert dst == bytes(5)
        assert free(dst)

    @pytest.mark.parametrize(
        ("flags", "error", "message"),
        [
            (4, ValueError, r"^flags has unknown bits \(0x4\)"),
            (-1, ValueError, "^flags has unknown bits"),
            (Flags.MEM_DURABLE | 2**70, ValueError, "^flags has unknown bits"),
            (True, TypeError, "^flags must be an integer, not bool"),
            (False, TypeError, "^flags must be an integer, not bool"),
            (None, TypeError, "^flags must be an integer, not NoneType"),
            ("", TypeError, "^flags must be an integer, not str"),
        ],
    )
    def test_flags(self, flags: Any, error: type[Exception], message: str) -> None:
        dst, src = bytearray(5), bytearray(b"12345")
        calls: list[Call] = [
            lambda: miniasync.memcpy(dst, src, flags=flags),
            lambda: miniasync.memmove(dst, src, flags=flags),
            lambda: miniasync.memset(dst, 1, flags=flags),
            lambda: miniasync.flush(dst, flags=flags),
        ]
        for call in calls:
            with pytest.raises(error, match=message):
                call()
        assert dst == bytes(5)
        assert free(dst)
        assert free(src)

    @pytest.mark.parametrize(("to", "at"), [(0, 0), (0, 1), (1, 0), (0, 4), (4, 0)])
    def test_overlapping_memcpy(self, to: int, at: int) -> None:
        data = bytearray(b"123456789")
        view = memoryview(data)
        with pytest.raises(ValueError, match="^dst and src overlap.*use memmove"):
            miniasync.memcpy(view[to : to + 5], view[at : at + 5])
        with pytest.raises(ValueError, match="^dst and src overlap"):
            miniasync.memcpy(view[to:], view[at:], 5)
        view.release()
        assert data == b"123456789"
        assert free(data)

    def test_buffers_that_were_closed(self, tmp_path: Path) -> None:
        view = memoryview(bytearray(5))
        view.release()
        with pytest.raises(BufferError, match="^dst cannot be used: .*released"):
            miniasync.memset(view, 1)
        map = mmap.mmap(-1, 4096)
        map.close()
        with pytest.raises(BufferError, match="^src cannot be used: .*closed"):
            miniasync.memcpy(bytearray(4096), map)

    def test_an_error_pins_nothing_even_while_it_is_handled(self) -> None:
        dst, src = bytearray(5), bytearray(4)
        with pytest.raises(ValueError, match="^dst has 5") as caught:
            miniasync.memcpy(dst, src)
        assert caught.value.__traceback__ is not None
        assert free(dst)
        assert free(src)


class TestPins:
    def test_from_the_call_to_the_result(self, mover: DataMover) -> None:
        dst, src = bytearray(5), bytearray(b"12345")
        future = mover.memcpy(dst, src)
        assert not free(dst)
        assert not free(src)
        future.result()
        assert free(dst)
        assert free(src)

    def test_a_future_dropped_before_its_start_lets_go(self, mover: DataMover) -> None:
        dst = bytearray(5)
        future = mover.memset(dst, 1)
        assert not free(dst)
        del future
        assert free(dst)
        assert not any(dst)

    def test_resizing_while_it_is_pinned(self, mover: DataMover) -> None:
        dst = bytearray(5)
        future = mover.memset(dst, 1)
        with pytest.raises(BufferError):
            dst.append(0)
        assert future.result() == b"\1" * 5

    @pytest.mark.parametrize("size", [100, 2**20])
    def test_bytes_are_kept_until_the_result(self, mover: DataMover, size: int) -> None:
        dst, src = bytearray(size), bytes([7]) * size
        before = sys.getrefcount(src)
        for start in (False, True):
            future = mover.memcpy(dst, src)
            if start:
                future.start()
            # They are the only source that is not pinned: they never move.
            assert sys.getrefcount(src) > before or future.done()
            assert future.result() == src
            assert sys.getrefcount(src) == before

    def test_a_temporary_source_lives_as_long_as_it_is_needed(
        self, mover: DataMover
    ) -> None:
        dst = bytearray(1 << 16)
        future = mover.memcpy(dst, bytes([7]) * (1 << 16)).start()
        assert future.result() == bytes([7]) * (1 << 16)

    def test_mmap_and_shared_memory_can_be_closed_at_once(
        self, mover: DataMover
    ) -> None:
        from multiprocessing import shared_memory

        map = mmap.mmap(-1, 4096)
        mover.memset(map, 1).result()
        map.close()
        shared = shared_memory.SharedMemory(create=True, size=4096)
        assert shared.buf is not None
        mover.memset(shared.buf, 1).result()
        shared.close()
        shared.unlink()
