# SPDX-License-Identifier: BSD-3-Clause
"""Batches of parts of two buffers, given by offsets and lengths."""

from __future__ import annotations

import array
import ctypes
from typing import Any

import numpy as np
import pytest
from gate import Gate
from pinned import free

from miniasync import DataMover, _numbers

TEXT = bytes(range(65, 91))


def test_gather_and_scatter(mover: DataMover) -> None:
    dst = bytearray(6)
    future = mover.memcpy_batch((dst, TEXT), src_offsets=[24, 0, 10], lengths=2)
    assert future.result() is dst
    assert dst == b"YZABKL"
    wide = bytearray(10)
    mover.memcpy_batch(
        (wide, b"abcdef"), dst_offsets=[7, 0, 4], lengths=[3, 2, 1]
    ).result()
    assert wide == b"de\0\0f\0\0abc"


def test_all_given(mover: DataMover) -> None:
    dst = np.zeros(10, np.uint8)
    result = mover.memcpy_batch(
        (dst, TEXT),
        dst_offsets=np.array([0, 5]),
        src_offsets=np.array([1, 3], np.uint8),
        lengths=array.array("H", [2, 4]),
    ).result()
    assert result is dst
    assert bytes(dst) == b"BC\0\0\0DEFG\0"


def test_memset(mover: DataMover) -> None:
    dst = bytearray(6)
    mover.memset_batch((dst, 7), dst_offsets=[0, 4], lengths=[1, 2]).result()
    assert dst == b"\7\0\0\0\7\7"
    mover.memset_batch((dst, 1), lengths=[2, 3]).result()
    assert dst == b"\1" * 5 + b"\7"


def test_one_source_for_all(mover: DataMover) -> None:
    dst = bytearray(6)
    mover.memcpy_batch((dst, b"xab"), src_offsets=1, lengths=[2, 2, 2]).result()
    assert dst == b"ababab"


@pytest.mark.parametrize("code", "bBhHiIlLqQ")
def test_integers_of_any_width(mover: DataMover, code: str) -> None:
    dst = bytearray(100)
    offsets = array.array(code, [99, 0, 50])
    for at in (offsets, np.array(offsets), memoryview(offsets)):
        dst[:] = bytes(100)
        mover.memset_batch((dst, 1), dst_offsets=at, lengths=1).result()
        assert [i for i, byte in enumerate(dst) if byte] == [0, 50, 99]
    del at
    offsets.append(0)  # not pinned


def test_arrays_of_other_shapes(mover: DataMover) -> None:
    dst = bytearray(10)
    strided = np.arange(10)[::-3]
    mover.memset_batch((dst, 1), dst_offsets=strided, lengths=1).result()
    assert dst == b"\1\0\0\1\0\0\1\0\0\1"
    raw = bytearray(1) + np.array([2, 4]).tobytes()
    unaligned = np.frombuffer(raw, np.int64, offset=1)
    mover.memset_batch((dst, 2), dst_offsets=unaligned, lengths=1).result()
    assert dst == b"\1\0\2\1\2\0\1\0\0\1"
    ints = (ctypes.c_uint16 * 2)(8, 9)
    mover.memset_batch((dst, 3), dst_offsets=ints, lengths=1).result()
    assert dst[8:] == b"\3\3"
    at = np.array(5, np.int16)
    mover.memset_batch((dst, 4), dst_offsets=at, lengths=[1]).result()
    assert dst[5] == 4
    mover.memset_batch((dst, 0), dst_offsets=range(10), lengths=1).result()
    assert not any(dst)
    none = np.array([], int)
    mover.memset_batch((dst, 1), dst_offsets=none, lengths=3).result()
    assert not any(dst)


def test_lists_are_taken_as_a_whole(
    mover: DataMover, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To give each item a name takes longer than all the rest."""

    def never(name: str, value: object) -> int:
        raise AssertionError(f"{name} was looked at by itself")

    monkeypatch.setattr(_numbers, "integer", never)
    for lengths in ([1, 2], [np.int64(1), np.uint8(2)], [1, np.int8(2)]):
        dst = bytearray(3)
        mover.memcpy_batch((dst, b"abc"), lengths=lengths).result()
        assert dst == b"abc"


def test_they_are_copied(gate: Gate) -> None:
    dst = bytearray(4)
    offsets, lengths = np.array([0, 2]), np.array([1, 1])
    future = gate.mover.memcpy_batch(
        (dst, TEXT), dst_offsets=offsets, src_offsets=offsets, lengths=lengths
    )
    offsets[:] = 1 << 40
    lengths[:] = 1 << 40
    gate.open()
    assert future.result() == b"A\0C\0"


@pytest.mark.parametrize(
    ("kind", "message", "ranges"),
    [
        (
            ValueError,
            r"lengths\[1\] must not be negative, but is -1",
            {"lengths": [1, -1]},
        ),
        (
            ValueError,
            r"lengths must not be negative, but is -1",
            {"dst_offsets": [0], "lengths": -1},
        ),
        (
            ValueError,
            r"dst_offsets\[1\] must not be negative, but is -3",
            {"dst_offsets": np.array([0, -3], np.int8), "lengths": 1},
        ),
        (
            ValueError,
            r"src_offsets\[0\] must not be negative, but is -128",
            {"src_offsets": np.array([-128], np.int8), "lengths": 1},
        ),
        (
            ValueError,
            r"src_offsets must not be negative",
            {"src_offsets": -1, "lengths": [1]},
        ),
        (
            ValueError,
            r"dst_offsets\[0\] .* is -9223372036854775808",
            {"dst_offsets": np.array([-(2**63)]), "lengths": 1},
        ),
        (
            ValueError,
            r"operation 1 is about the 3 bytes from 8 on of dst, which has only 10",
            {"dst_offsets": [7, 8], "lengths": 3},
        ),
        (
            ValueError,
            r"operation 0 .* from 11 on of dst",
            {"dst_offsets": [11], "lengths": 0},
        ),
        (
            ValueError,
            r"operation 2 is about the 4 bytes from 8 on of dst",
            {"lengths": [4, 4, 4]},
        ),
        (
            ValueError,
            r"operation 0 is about the 27 bytes from 0 on of dst",
            {"lengths": [27]},
        ),
        (
            ValueError,
            r"operation 1 is about the 2 bytes from 25 on of src, which has only 26",
            {"src_offsets": [24, 25], "lengths": 2},
        ),
        (
            ValueError,
            r"operation 0 is about the 18446744073709551615 bytes",
            {"dst_offsets": 2, "lengths": np.array([2**64 - 1], np.uint64)},
        ),
        (
            ValueError,
            r"operation 0 .* the 2 bytes from 18446744073709551615 on of src",
            {"src_offsets": np.array([2**64 - 1], np.uint64), "lengths": 2},
        ),
        (
            ValueError,
            r"operation 0 .* from 9223372036854775807 on of dst",
            {"dst_offsets": [2**63 - 1], "lengths": 2**63 - 1},
        ),
        (
            ValueError,
            rf"operation 0 is about the {2**70} bytes from 2 on of dst",
            {"dst_offsets": [2], "lengths": 2**70},
        ),
        (
            ValueError,
            rf"operation 1 is about the {2**70} bytes from 1 on of dst",
            {"lengths": [1, 2**70]},
        ),
        (
            ValueError,
            rf"operation 1 is about the 2 bytes from {2**63} on of src",
            {"src_offsets": [0, 2**63], "lengths": 2},
        ),
        (
            ValueError,
            rf"operation 0 is about the 2 bytes from {2**64} on of dst",
            {"dst_offsets": 2**64, "lengths": [2]},
        ),
        (
            ValueError,
            rf"lengths\[1\] must not be negative, but is {-(2**70)}$",
            {"lengths": [1, -(2**70)]},
        ),
        (
            ValueError,
            rf"src_offsets\[0\] must not be negative, but is {-(2**64)}$",
            {"src_offsets": [-(2**64), 2**64], "lengths": 1},
        ),
        (
            ValueError,
            rf"lengths\[0\] must not be negative, but is {-(2**63)}$",
            {"lengths": [-(2**63)]},
        ),
        (ValueError, r"one of the offsets or lengths must be an array", {"lengths": 3}),
        (
            ValueError,
            r"of one length, but are: dst_offsets 2, lengths 3",
            {"dst_offsets": [1, 2], "lengths": [1, 1, 1]},
        ),
        (
            ValueError,
            r"dst_offsets must have one dimension, not 2: use .ravel",
            {"dst_offsets": np.zeros((2, 2), int), "lengths": 1},
        ),
        (
            TypeError,
            r"lengths must hold integers, not items of format 'd'.*astype",
            {"lengths": np.ones(2)},
        ),
        (
            TypeError,
            r"lengths must hold integers, not items of format '\?'",
            {"lengths": np.ones(2, bool)},
        ),
        (
            TypeError,
            r"lengths must hold integers, not items of format 'Zd'",
            {"lengths": np.ones(2, complex)},
        ),
        (
            TypeError,
            r"lengths must hold integers, not items of format 'O'",
            {"lengths": np.ones(2, object)},
        ),
        (
            TypeError,
            r"lengths must hold integers",
            {"lengths": np.zeros(2, "datetime64[s]")},
        ),
        (
            TypeError,
            r"lengths must hold integers",
            {"lengths": np.zeros(2, [("a", int)])},
        ),
        (
            TypeError,
            r"dst_offsets has a foreign byte order: .*astype",
            {
                "dst_offsets": np.array([1]).astype(np.dtype(int).newbyteorder()),
                "lengths": 1,
            },
        ),
        (
            TypeError,
            r"lengths must be an integer or an array of integers, not float",
            {"lengths": 2.5},
        ),
        (TypeError, r"lengths must be an integer, not bool", {"lengths": True}),
        (TypeError, r"lengths\[1\] must be an integer, not str", {"lengths": [1, "2"]}),
        (TypeError, r"lengths\[0\] must be an integer, not bool", {"lengths": [True]}),
        (TypeError, r"offsets need lengths", {"dst_offsets": [1]}),
        (TypeError, r"offsets need lengths", {"src_offsets": [1]}),
    ],
)
def test_refused(
    mover: DataMover, kind: type[Exception], message: str, ranges: Any
) -> None:
    dst = bytearray(10)
    src = bytearray(TEXT)
    with pytest.raises(kind, match=message):
        mover.memcpy_batch((dst, src), **ranges)
    assert free(dst)
    assert free(src)


def test_offsets_are_free_after_an_error(mover: DataMover) -> None:
    offsets = array.array("q", [99])
    dst = bytearray(10)
    with pytest.raises(ValueError, match="from 99 on of dst") as caught:
        mover.memset_batch((dst, 1), dst_offsets=offsets, lengths=1)
    offsets.append(0)
    dst.append(0)
    del caught


def test_overlaps(mover: DataMover) -> None:
    memory = bytearray(TEXT)
    with pytest.raises(ValueError, match="operation 1: dst and src overlap"):
        mover.memcpy_batch(
            (memory, memory), dst_offsets=[0, 12], src_offsets=10, lengths=3
        )
    assert free(memory)
    mover.memcpy_batch(
        (memory, memory), dst_offsets=[0, 13], src_offsets=10, lengths=3
    ).result()
    assert memory == b"KLMDEFGHIJKLMKLM" + TEXT[16:]


@pytest.mark.parametrize(
    ("kind", "message", "pair"),
    [
        (TypeError, r"pairs must be one pair with lengths: \(dst, src\)", 5),
        (TypeError, r"pairs must be one pair", [(bytearray(1), b"1")]),
        (TypeError, r"dst must be an object", ("x", b"1")),
        (TypeError, r"src must be an object", (bytearray(1), 1)),
        (BufferError, r"dst is read-only", (b"1", b"1")),
        (
            BufferError,
            r"src is not C-contiguous",
            (bytearray(1), memoryview(b"123")[::2]),
        ),
        (TypeError, r"dst holds references", (np.empty(1, object), b"1")),
    ],
)
def test_buffers(
    mover: DataMover, kind: type[Exception], message: str, pair: Any
) -> None:
    with pytest.raises(kind, match=message):
        mover.memcpy_batch(pair, lengths=[1])
    if isinstance(pair, tuple) and isinstance(pair[0], bytearray):
        assert free(pair[0])


def test_values(mover: DataMover) -> None:
    dst = bytearray(3)
    for value in (-1, 256, 2**70):
        with pytest.raises(ValueError, match="value must be from 0 to 255"):
            mover.memset_batch((dst, value), lengths=[1])
    values: Any = array.array("b")
    with pytest.raises(TypeError, match="value must be an integer, not array"):
        mover.memset_batch((dst, values), lengths=[1])
    assert free(dst)


def test_many(mover: DataMover) -> None:
    count = 100_000
    src = np.random.default_rng(0).integers(0, 256, 3 * count, np.uint8)
    order = np.random.default_rng(1).permutation(count)
    dst = np.zeros_like(src)
    mover.memcpy_batch(
        (dst, src), dst_offsets=order * 3, lengths=3, disjoint=True
    ).result()
    expected = np.zeros_like(src).reshape(count, 3)
    expected[order] = src.reshape(count, 3)
    assert (dst.reshape(count, 3) == expected).all()
