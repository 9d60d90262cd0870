# SPDX-License-Identifier: BSD-3-Clause
"""Movers: what they move, their options, and their end."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from gate import Gate
from hypothesis import given
from hypothesis import strategies as st

import miniasync
from miniasync import (
    ClosedError,
    DataMover,
    Flags,
    MiniasyncError,
    NotSupportedError,
    OutOfMemoryError,
    SyncMover,
    ThreadsMover,
    lib,
)

IS_UPSTREAM = miniasync.provider().is_upstream

# On both sides of what is moved; every byte of it has to stay as it was.
RED_ZONE = 64


@pytest.fixture(scope="module")
def movers() -> Iterator[list[DataMover]]:
    """Movers of each kind, made once, since Hypothesis calls a test often."""
    movers: list[DataMover] = [SyncMover(), ThreadsMover(2)]
    if not IS_UPSTREAM:
        movers.append(ThreadsMover(2, inline_below=0))
    yield movers
    for mover in movers:
        mover.close()


class TestBytes:
    """Every operation against the same on a list of bytes."""

    @given(data=st.data())
    def test_of_operations_with_red_zones(
        self, movers: list[DataMover], data: st.DataObject
    ) -> None:
        size = data.draw(st.integers(0, 10_000), "size")
        shift = data.draw(st.integers(-size, size), "shift")
        seed = data.draw(st.integers(0, 255), "seed")
        flags = data.draw(st.sampled_from([0, Flags.NO_CACHE_HINT]), "flags")
        value = data.draw(st.integers(0, 255), "value")
        pattern = bytes((i * 7 + i // 251 + seed) & 255 for i in range(3 * size))
        model = bytearray(RED_ZONE) + pattern + bytearray(RED_ZONE)
        start = RED_ZONE + size
        to = slice(start + shift, start + shift + size)
        at = slice(start, start + size)
        for mover in movers:
            for kind in ("memcpy", "memmove", "memset"):
                memory, expected = bytearray(model), bytearray(model)
                view = memoryview(memory)
                if kind == "memset":
                    mover.memset(view[to], value, flags=flags).result()
                    expected[to] = bytes([value]) * size
                elif kind == "memmove":
                    mover.memmove(view[to], view[at], flags=flags).result()
                    expected[to] = model[at]
                else:
                    source = bytes(model[at])
                    mover.memcpy(view[to], source, flags=flags).result()
                    expected[to] = source
                assert memory == expected

    @pytest.mark.parametrize("size", [1 << 20, (9 << 20) + 13])
    def test_of_large_ones(self, mover: DataMover, size: int) -> None:
        src = bytearray(range(256)) * (size // 256 + 1)
        del src[size:]
        dst = bytearray(size + 2 * RED_ZONE)
        view = memoryview(dst)
        mover.memcpy(view[RED_ZONE:-RED_ZONE], src).result()
        assert dst == bytes(RED_ZONE) + src + bytes(RED_ZONE)
        mover.memmove(view[:size], view[RED_ZONE:-RED_ZONE]).result()
        assert dst[:size] == src
        mover.memset(view[RED_ZONE:-RED_ZONE], 5).result()
        assert dst[RED_ZONE:-RED_ZONE].count(5) == size
        assert dst[:RED_ZONE] == src[:RED_ZONE]

    @pytest.mark.not_upstream
    @pytest.mark.parametrize("flags", [*Flags, Flags.MEM_DURABLE | 2])
    def test_of_each_flag(self, mover: DataMover, flags: int) -> None:
        dst = bytearray(100)
        assert mover.memcpy(dst, bytes(range(100)), flags=flags).result() is dst
        assert mover.memmove(dst, dst, flags=flags).result() is dst
        assert mover.flush(dst, flags=flags).result() is dst
        assert dst == bytes(range(100))
        assert mover.memset(dst, 3, flags=flags).result() == b"\3" * 100

    @pytest.mark.not_upstream
    def test_flush_changes_nothing(self, mover: DataMover) -> None:
        buf = bytearray(range(256)) * 40
        assert mover.flush(buf).result() is buf
        assert mover.flush(buf, 5000).result() is buf
        assert buf == bytearray(range(256)) * 40


class TestUpstream:
    pytestmark = pytest.mark.skipif(not IS_UPSTREAM, reason="the C library is ours")

    def test_what_is_dangerous_or_missing_is_refused(self) -> None:
        with ThreadsMover(1) as mover, SyncMover() as sync:
            for each in (mover, sync):
                with pytest.raises(NotSupportedError, match="^flush"):
                    each.flush(bytearray(1))
                with pytest.raises(NotSupportedError, match="^flags"):
                    each.memset(bytearray(1), 1, flags=Flags.MEM_DURABLE)
                assert not each.supports(Flags.MEM_DURABLE)
            assert mover.threads is None
            assert mover.inline_below is None
        with pytest.raises(NotSupportedError, match="^inline_below"):
            ThreadsMover(1, inline_below=0)


class TestFlags:
    def test_the_movers_honour_more_than_c_says(self, mover: DataMover) -> None:
        assert mover.capabilities == 0
        assert isinstance(mover.capabilities, Flags)
        for flags in (0, *Flags, Flags.MEM_DURABLE | Flags.NO_CACHE_HINT):
            assert mover.supports(flags) == (not IS_UPSTREAM or not flags)

    def test_unknown_ones(self, mover: DataMover) -> None:
        with pytest.raises(ValueError, match="^flags has unknown bits"):
            mover.supports(4)
        with pytest.raises(TypeError, match="^flags must be an integer"):
            mover.supports("MEM_DURABLE")  # type: ignore[arg-type]

    def test_they_are_those_of_the_c_library(self) -> None:
        assert Flags.MEM_DURABLE == lib.VDM_F_MEM_DURABLE
        assert Flags.NO_CACHE_HINT == lib.VDM_F_NO_CACHE_HINT
        assert sum(Flags) == lib.VDM_F_VALID_FLAGS


class TestOptions:
    @pytest.mark.not_upstream
    def test_threads(self) -> None:
        with ThreadsMover(3) as three, ThreadsMover(threads=1) as one:
            assert (three.threads, one.threads) == (3, 1)
        with ThreadsMover() as default:
            assert default.threads is not None
            assert default.threads >= 1

    @pytest.mark.not_upstream
    def test_inline_below(self) -> None:
        with ThreadsMover(1, inline_below=12345) as mover:
            assert mover.inline_below == 12345
        with ThreadsMover(1, inline_below=0) as mover:
            assert mover.inline_below == 0

    @pytest.mark.parametrize(
        ("value", "error", "message"),
        [
            (0, ValueError, "^threads must be from 1 to .*, but is 0"),
            (-1, ValueError, "^threads must be from 1 to"),
            (2**64, ValueError, "^threads must be from 1 to"),
            (True, TypeError, "^threads must be an integer, not bool"),
            (2.0, TypeError, "^threads must be an integer, not float"),
        ],
    )
    def test_wrong_threads(
        self, value: Any, error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            ThreadsMover(value)

    @pytest.mark.parametrize(
        ("value", "error", "message"),
        [
            (-1, ValueError, "^inline_below must be from 0 to .*, but is -1"),
            (2**64, ValueError, "^inline_below must be from 0 to"),
            (False, TypeError, "^inline_below must be an integer, not bool"),
            ("0", TypeError, "^inline_below must be an integer, not str"),
        ],
    )
    def test_wrong_inline_below(
        self, value: Any, error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            ThreadsMover(1, inline_below=value)

    def test_more_threads_than_can_be(self) -> None:
        with pytest.raises(OutOfMemoryError) as caught:
            ThreadsMover(2**62)
        assert isinstance(caught.value, MiniasyncError)

    def test_the_base_is_no_mover(self) -> None:
        with pytest.raises(TypeError, match="make a SyncMover"):
            DataMover()


class TestClose:
    def test_refuses_everything_afterwards(self, mover: DataMover) -> None:
        dst = bytearray(5)
        assert not mover.closed
        assert "open" in repr(mover)
        mover.close()
        mover.close()
        assert mover.closed
        assert "closed" in repr(mover)
        for call in (
            lambda: mover.memcpy(dst, b"12345"),
            lambda: mover.memmove(dst, b"12345"),
            lambda: mover.memset(dst, 1),
            lambda: mover.flush(dst),
            lambda: mover.vdm,
            lambda: mover.capabilities,
            lambda: mover.supports(0),
        ):
            with pytest.raises(ClosedError, match="closed"):
                call()
        dst.append(0)
        if isinstance(mover, ThreadsMover):
            with pytest.raises(ClosedError):
                _ = mover.threads
            with pytest.raises(ClosedError):
                _ = mover.inline_below

    def test_with_closes(self) -> None:
        with SyncMover() as mover:
            assert mover.memset(bytearray(1), 1).result() == b"\1"
        assert mover.closed

    def test_waits_for_what_was_started(self, gate: Gate) -> None:
        dst = bytearray(5)
        future = gate.mover.memcpy(dst, b"12345").start()
        gate.wait_entered()
        closer = threading.Thread(target=gate.mover.close)
        closer.start()
        while not gate.mover.closed:
            pass
        with pytest.raises(ClosedError):
            gate.mover.memcpy(dst, b"12345")
        assert future.running()
        gate.open()
        closer.join()
        assert future.done()
        assert dst == b"12345"

    def test_does_not_wait_for_another_mover(self, gate: Gate) -> None:
        with gate.mover.memcpy(bytearray(5), b"12345"):
            with ThreadsMover(1) as other:
                other.memset(bytearray(5), 1).start()
            gate.open()

    def test_dropping_the_mover_does_not_end_what_it_does(self) -> None:
        gate = Gate()
        dst = bytearray(5)
        future = gate.mover.memcpy(dst, b"12345").start()
        gate.wait_entered()
        del gate.mover
        gc.collect()
        gate.open()
        assert future.result() is dst
        assert dst == b"12345"


class TestVdm:
    def test_is_the_c_librarys(self, mover: DataMover) -> None:
        vdm = mover.vdm
        assert miniasync.ffi.typeof(vdm).cname == "struct vdm *"
        assert vdm == mover.vdm
        assert lib.vdm_is_supported(vdm, 0)

    def test_outlives_close(self, mover: DataMover) -> None:
        vdm = mover.vdm
        mover.close()
        dst, src = bytearray(5), b"12345"
        ffi = miniasync.ffi
        with ffi.from_buffer(dst) as to, ffi.from_buffer(src) as at:
            future = ffi.new("struct vdm_operation_future *")
            future[0] = lib.vdm_memcpy(vdm, to, at, 5, 0)
            base = ffi.addressof(future, "base")
            while lib.future_poll(base, ffi.NULL) != lib.FUTURE_STATE_COMPLETE:
                pass
        assert dst == b"12345"

    def test_the_c_mover_goes_with_the_last_holder(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from miniasync import _handle

        deleted = []
        real = _handle._delete

        def delete(*args: Any) -> None:
            deleted.append(True)
            real(*args)

        monkeypatch.setattr(_handle, "_delete", delete)
        mover = SyncMover()
        mover.close()
        assert deleted == [True]
        mover = SyncMover()
        vdm = mover.vdm
        mover.close()
        del mover
        assert deleted == [True]
        del vdm
        assert deleted == [True, True]
