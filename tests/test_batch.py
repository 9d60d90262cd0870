# SPDX-License-Identifier: BSD-3-Clause
"""What batches do, and what they refuse."""

from __future__ import annotations

import array
import ctypes
import mmap
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gate import Gate
from pinned import free

import miniasync
from miniasync import DataMover, Flags, ffi

TEXT = bytes(range(65, 91))


class TestPairs:
    def test_the_result_is_the_list_of_destinations(self, mover: DataMover) -> None:
        dsts = [bytearray(5) for _ in range(10)]
        srcs = [bytes([i]) * 5 for i in range(10)]
        future = mover.memcpy_batch(zip(dsts, srcs, strict=True))
        assert not any(map(any, dsts))
        result = future.result()
        assert [a is b for a, b in zip(result, dsts, strict=True)] == [True] * 10
        assert dsts == srcs
        assert all(map(free, dsts))

    def test_memset(self, mover: DataMover) -> None:
        dsts = [bytearray(5) for _ in range(256)]
        mover.memset_batch([(dst, i) for i, dst in enumerate(dsts)]).result()
        assert dsts == [bytes([i]) * 5 for i in range(256)]

    def test_of_a_length(self, mover: DataMover) -> None:
        a, b = bytearray(5), bytearray(5)
        mover.memcpy_batch([(a, TEXT, 3), (b, TEXT, 0)]).result()
        assert [a, b] == [b"ABC\0\0", bytes(5)]
        pairs: Any = [[a, 9, 1], [b, 8, 5]]
        mover.memset_batch(pairs).result()
        assert [a, b] == [b"\tBC\0\0", b"\b" * 5]

    def test_with_and_without_a_length(self, mover: DataMover) -> None:
        a, b, c = bytearray(5), bytearray(5), bytearray(5)
        pairs: Any = [(a, b"12345"), (b, TEXT, 2), (c, b"abcde")]
        mover.memcpy_batch(pairs).result()
        assert [a, b, c] == [b"12345", b"AB\0\0\0", b"abcde"]
        pairs = [(a, 1), (b, 2, 2)]
        mover.memset_batch(pairs).result()
        assert [a, b] == [b"\1" * 5, b"\2\2\0\0\0"]

    def test_no_pairs(self, mover: DataMover) -> None:
        assert mover.memcpy_batch([]).result() == []
        assert mover.memset_batch(()).result() == []
        assert mover.memcpy_batch(iter([]), disjoint=True).result() == []

    def test_buffers_of_all_kinds(self, mover: DataMover) -> None:
        floats = array.array("d", [0.0])
        ints = (ctypes.c_int32 * 3)()
        numbers = np.zeros((2, 3), np.int16)
        memory = ffi.new("char[2]")
        with mmap.mmap(-1, 4) as mapped:
            pairs: Any = [
                (floats, array.array("d", [1.5])),
                (ints, (ctypes.c_int32 * 3)(1, 2, 3)),
                (numbers, np.arange(6, dtype=np.int16)),
                (mapped, b"mmap"),
                (ffi.buffer(memory), b"ok"),
                (memoryview(bytearray(4))[1:3], b"mv"),
                (bytearray(), b""),
            ]
            mover.memcpy_batch(pairs).result()
            assert mapped[:] == b"mmap"
        assert list(floats) == [1.5]
        assert list(ints) == [1, 2, 3]
        assert numbers.tolist() == [[0, 1, 2], [3, 4, 5]]
        assert bytes(ffi.buffer(memory)) == b"ok"

    def test_parts_of_one_buffer(self, mover: DataMover) -> None:
        memory = bytearray(b"0123456789")
        view = memoryview(memory)
        mover.memcpy_batch([(view[:2], view[2:4]), (view[8:], view[4:6])]).result()
        assert memory == b"2323456745"

    def test_flags(self, mover: DataMover) -> None:
        dst = bytearray(1 << 20)
        mover.memset_batch([(dst, 1)], Flags.NO_CACHE_HINT).result()
        mover.memset_batch([(dst, 1)], flags=Flags.NO_CACHE_HINT).result()
        assert dst.count(1) == 1 << 20
        with pytest.raises(ValueError, match="flags has unknown bits"):
            mover.memset_batch([(dst, 1)], 1 << 20)

    @pytest.mark.not_upstream
    def test_durable(self, mover: DataMover) -> None:
        dst = bytearray(4)
        mover.memcpy_batch([(dst, b"1234")], Flags.MEM_DURABLE).result()
        assert dst == b"1234"

    @pytest.mark.parametrize("count", [1000, 100_000])
    def test_many(self, mover: DataMover, count: int) -> None:
        dsts = [bytearray(2) for _ in range(count)]
        srcs = [(i % 65536).to_bytes(2, "little") for i in range(count)]
        assert mover.memcpy_batch(zip(dsts, srcs, strict=True)).result() == srcs
        assert all(map(free, dsts))


Make = Callable[[bytearray, bytearray], Any]


class TestRefusedPairs:
    @pytest.mark.parametrize(
        ("kind", "message", "bad"),
        [
            (TypeError, "pairs must be an iterable of .dst, src.", lambda a, b: 5),
            (TypeError, r"pairs\[1\] must be .dst, src. or", lambda a, b: [(a, b), 5]),
            (ValueError, r"pairs\[1\] .* not 4 items", lambda a, b: [(a, b), b"four"]),
            (ValueError, r"pairs\[0\] must be .*, not 1 items", lambda a, b: [(a,)]),
            (TypeError, r"pairs\[0\]: dst must be an obj.*int", lambda a, b: [(1, b)]),
            (TypeError, r"pairs\[1\]: src .* encode", lambda a, b: [(a, b), (a, "x")]),
            (BufferError, r"pairs\[1\]: dst is read", lambda a, b: [(a, b), (b"x", a)]),
            (
                BufferError,
                r"pairs\[0\]: src is not C-contiguous",
                lambda a, b: [(a, memoryview(b)[::2])],
            ),
            (
                TypeError,
                r"pairs\[1\]: dst holds references",
                lambda a, b: [(a, b), (np.empty(1, object), bytes(8))],
            ),
            (
                ValueError,
                r"pairs\[1\]: dst has 5 bytes and src 4: .*\(dst, src, n\)",
                lambda a, b: [(a, b), (a, b"4444")],
            ),
            (
                ValueError,
                r"pairs\[1\]: dst has 5 bytes and src 4",
                lambda a, b: [(a, b, 3), (a, b"4444")],
            ),
            (
                ValueError,
                r"pairs\[1\]: n is 6, but dst has only 5 bytes",
                lambda a, b: [(a, b, 5), (a, b, 6)],
            ),
            (
                ValueError,
                r"pairs\[0\]: n is 5, but src has only 4 bytes",
                lambda a, b: [(a, b"4444", 5)],
            ),
            (
                ValueError,
                r"pairs\[1\]: n is 1180591620717411303424, but dst has only 5",
                lambda a, b: [(a, b, 5), (a, b, 2**70)],
            ),
            (
                ValueError,
                r"pairs\[1\]: n must not be negative, but is -1",
                lambda a, b: [(a, b, 5), (a, b, -1)],
            ),
            (
                TypeError,
                r"pairs\[1\]: n must be an integer, not float",
                lambda a, b: [(a, b, 5), (a, b, 2.0)],
            ),
            (
                TypeError,
                r"pairs\[0\]: n must be an integer, not bool",
                lambda a, b: [(a, b, True)],
            ),
            (
                ValueError,
                r"pairs\[1\]: dst and src overlap.*use memmove",
                lambda a, b: [(a, b), (memoryview(a)[1:], memoryview(a)[:-1])],
            ),
            (
                ValueError,
                r"pairs\[0\]: dst and src overlap",
                lambda a, b: [(a, a)],
            ),
        ],
    )
    def test_copies(
        self, mover: DataMover, kind: type[Exception], message: str, bad: Make
    ) -> None:
        a, b = bytearray(5), bytearray(b"12345")
        with pytest.raises(kind, match=message) as caught:
            mover.memcpy_batch(bad(a, b))
        assert caught.value.__cause__ is None
        if "overlap" in message or "contiguous" in message:
            del caught  # its traceback has the pairs, and those have views
        assert free(a)
        assert free(b)
        assert not any(a)

    @pytest.mark.parametrize(
        ("kind", "message", "bad"),
        [
            (TypeError, "pairs must be an iterable of .dst, value.", lambda a, b: a),
            (
                ValueError,
                r"pairs\[1\]: value must be from",
                lambda a, b: [(a, 1, 1), (b, 256)],
            ),
            (ValueError, r"pairs\[0\]: value must .* is -1", lambda a, b: [(a, -1)]),
            (ValueError, r"pairs\[0\]: value must be", lambda a, b: [(a, 2**70)]),
            (
                TypeError,
                r"pairs\[1\]: value .* not bool",
                lambda a, b: [(a, 1), (a, True)],
            ),
            (TypeError, r"pairs\[0\]: value .* not bytes", lambda a, b: [(a, b"1")]),
            (TypeError, r"pairs\[0\]: dst must be", lambda a, b: [(3, 3)]),
            (ValueError, r"pairs\[0\]: n is 6, but dst", lambda a, b: [(a, 3, 6)]),
        ],
    )
    def test_fills(
        self, mover: DataMover, kind: type[Exception], message: str, bad: Make
    ) -> None:
        a, b = bytearray(5), bytearray(b"12345")
        if message.startswith("pairs must"):
            bad = lambda a, b: 7  # noqa: E731
        with pytest.raises(kind, match=message):
            mover.memset_batch(bad(a, b))
        assert free(a)
        assert free(b)
        assert not any(a)

    def test_what_the_iterable_raises(self, mover: DataMover) -> None:
        a = bytearray(5)

        def pairs() -> Any:
            yield a, b"12345"
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            mover.memcpy_batch(pairs())
        assert free(a)

    def test_integers_of_other_types(self, mover: DataMover) -> None:
        a = bytearray(5)
        pairs: Any = [(a, np.uint8(7), np.int64(3))]
        mover.memset_batch(pairs).result()
        assert a == b"\7\7\7\0\0"

    def test_a_closed_mover(self) -> None:
        with miniasync.SyncMover() as mover:
            pass
        with pytest.raises(miniasync.ClosedError):
            mover.memcpy_batch([])


class TestDisjoint:
    def test_overlapping_destinations(self, mover: DataMover) -> None:
        memory = bytearray(30)
        view = memoryview(memory)
        pairs = [(view[20:22], 1), (view[0:10], 2), (view[21:25], 3), (view[9:11], 4)]
        mover.memset_batch(pairs).result()
        with pytest.raises(ValueError, match=r"pairs\[1\] and pairs\[3\] write") as one:
            mover.memset_batch(pairs, disjoint=True)
        assert "disjoint=True" in str(one.value)
        with pytest.raises(ValueError, match=r"pairs\[0\] and pairs\[2\] write"):
            mover.memset_batch(pairs[:3], disjoint=True)

    def test_the_same_destination_twice(self, mover: DataMover) -> None:
        a = bytearray(5)
        with pytest.raises(ValueError, match=r"pairs\[0\] and pairs\[1\]"):
            mover.memcpy_batch([(a, b"12345"), (a, b"12345")], disjoint=True)
        assert free(a)

    def test_neighbours_and_empty_ones_are_disjoint(self, mover: DataMover) -> None:
        memory = bytearray(10)
        view = memoryview(memory)
        pairs = [(view[5:], 2), (view[:5], 1), (view[3:3], 9), (view[3:3], 9)]
        mover.memset_batch(pairs, disjoint=True).result()
        assert memory == b"\1" * 5 + b"\2" * 5

    def test_one_in_many(self, mover: DataMover) -> None:
        at = np.random.default_rng(1).permutation(10_000) * 8
        dst = bytearray(80_000)
        ranges: Any = {"dst_offsets": at, "disjoint": True}
        mover.memset_batch((dst, 1), lengths=8, **ranges).result()
        assert dst.count(1) == 80_000
        lengths = np.full(10_000, 8)
        lengths[np.argmax(at != 79_992)] += 1
        with pytest.raises(ValueError, match="operation .* write to the same bytes"):
            mover.memset_batch((dst, 1), lengths=lengths, **ranges)


class TestFailures:
    @pytest.mark.not_upstream
    def test_without_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MINIASYNC_MAX_OPERATIONS", "3")
        with Gate() as gate:
            buffers = [bytearray(5) for _ in range(6)]
            held = [gate.mover.memcpy(dst, b"12345").start() for dst in buffers[:2]]
            gate.wait_entered()
            # There is memory for one at a time, and so they end.
            batch = gate.mover.memset_batch([(dst, 7) for dst in buffers[2:]])
            more = gate.mover.memcpy(bytearray(5), b"12345").start()
            failed = gate.mover.memset_batch([(bytearray(3), 1), (bytearray(3), 2)])
            with pytest.raises(miniasync.BatchError) as caught:
                failed.result()
            errors = caught.value.errors
            assert list(errors) == [0, 1]
            for error in errors.values():
                assert isinstance(error, miniasync.OutOfMemoryError)
            assert str(caught.value).startswith(
                "2 of 2 operations failed; the first, with index 0: the mover has no"
            )
            again = failed.exception()
            assert isinstance(again, miniasync.BatchError)
            assert again is not caught.value
            assert "failed" in repr(failed)
            gate.open()
            assert more.result() == b"12345"
            assert batch.result() == [b"\7" * 5] * 4
            assert [future.result() for future in held] == [b"12345"] * 2

    def test_the_error(self) -> None:
        errors = {3: ValueError("three")}
        error = miniasync.BatchError("one failed", errors)
        assert isinstance(error, miniasync.MiniasyncError)
        assert (str(error), error.errors) == ("one failed", errors)
        copy = pickle.loads(pickle.dumps(error))
        assert (str(copy), list(copy.errors)) == ("one failed", [3])


def test_the_module_has_them() -> None:
    a, b = bytearray(3), bytearray(3)
    assert miniasync.memcpy_batch([(a, b"one"), (b, b"two")]).result() == [a, b]
    assert [a, b] == [b"one", b"two"]
    miniasync.memset_batch([(a, 1)], 0, disjoint=True).result()
    assert a == b"\1\1\1"
    miniasync.memcpy_batch((a, b"abcdef"), src_offsets=[3], lengths=3).result()
    assert a == b"def"
    miniasync.memset_batch((a, 0), dst_offsets=[1], lengths=2).result()
    assert a == b"d\0\0"
