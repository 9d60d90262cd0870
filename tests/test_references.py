# SPDX-License-Identifier: BSD-3-Clause
"""Destinations with references to Python objects, and what hides what it holds."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pinned import free

import miniasync
from miniasync import DataMover


class TestNumPy:
    @pytest.mark.parametrize("kind", ["O", [("a", "i8"), ("b", "O")]])
    def test_references_are_not_written_over(self, kind: Any) -> None:
        dst: Any = np.zeros(2, kind)
        with pytest.raises(TypeError, match="^dst holds references"):
            miniasync.memcpy(dst, bytes(dst.nbytes))
        with pytest.raises(TypeError, match="^dst holds references"):
            miniasync.memset(memoryview(dst), 1)

    def test_a_field_called_o_is_no_reference(self) -> None:
        array: Any = np.zeros(2, [("O", "i8")])
        dst = memoryview(array)
        miniasync.memset(dst, 1).result()
        assert dst.tobytes() == bytes([1] * 16)


class TestCtypes:
    """Its unions and, before 3.13, its packed structures say they are bytes."""

    @staticmethod
    def packed(*fields: tuple[str, Any]) -> Any:
        return type(
            "Packed",
            (ctypes.Structure,),
            {
                "_pack_": 1,
                "_layout_": "ms",
                "_fields_": [("a", ctypes.c_char), *fields],
            },
        )

    @staticmethod
    def union(*fields: tuple[str, Any]) -> Any:
        fields = (("a", ctypes.c_char), *fields)
        return type("Either", (ctypes.Union,), {"_fields_": fields})

    @pytest.mark.parametrize("make", [packed, union])
    def test_references_are_not_written_over(
        self, mover: DataMover, make: Callable[..., Any]
    ) -> None:
        kind = make(("b", ctypes.py_object))
        inside = make(("b", ctypes.c_int), ("c", (kind * 2) * 3))
        heir = type("Heir", (kind,), {"_fields_": [("more", ctypes.c_int)]})
        for each in (kind, kind * 2, inside, heir):
            dst = each()
            for to in (dst, memoryview(dst), memoryview(dst).cast("B")[1:]):
                with pytest.raises(TypeError, match="^dst holds references"):
                    mover.memset(to, 1)
            with pytest.raises(TypeError, match=r"^pairs\[1\]: dst holds references"):
                mover.memset_batch([(bytearray(1), 1), (dst, 1)])
            with pytest.raises(TypeError, match="^dst holds references"):
                mover.memset_batch((dst, 1), lengths=[1])
            assert bytes(dst) == bytes(ctypes.sizeof(dst))

    @pytest.mark.parametrize("make", [packed, union])
    def test_others_are_written_to(
        self, mover: DataMover, make: Callable[..., Any]
    ) -> None:
        pointer = ctypes.POINTER(ctypes.c_int)
        kind = make(("b", ctypes.c_int * 3), ("p", pointer), ("c", ctypes.c_char_p))
        for dst in (kind(), (kind * 2)()):
            assert mover.memset(dst, 7).result() is dst
            assert bytes(dst) == b"\7" * ctypes.sizeof(dst)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="no class had buffers before")
class TestGivenOutOnce:
    class Once:
        def __init__(self, memory: Any) -> None:
            self.memory = memory
            self.times = 0

        def __buffer__(self, flags: int) -> memoryview:
            self.times += 1
            if self.times > 1:
                raise BufferError("it is taken")
            return memoryview(self.memory)

    def test_as_a_source(self, mover: DataMover) -> None:
        dst = bytearray(5)
        assert mover.memcpy(dst, self.Once(b"12345")).result() == b"12345"

    def test_as_a_destination(self, mover: DataMover) -> None:
        """What is in it cannot be seen, unless there is a memoryview."""
        text = r"dst gives its memory out only once \(it is taken\): pass a memoryview"
        memory = bytearray(5)
        with pytest.raises(BufferError, match=f"^{text}"):
            mover.memset(self.Once(memory), 1)
        pairs: Any = [(bytearray(1), 1), (self.Once(memory), 1)]
        with pytest.raises(BufferError, match=rf"^pairs\[1\]: {text}"):
            mover.memset_batch(pairs)
        assert free(memory)
        mover.memset(memoryview(self.Once(memory)), 1).result()
        assert memory == b"\1" * 5

    def test_as_offsets(self, mover: DataMover) -> None:
        dst = bytearray(3)
        at = self.Once(b"\0\2")
        mover.memset_batch((dst, 7), dst_offsets=at, lengths=1).result()
        assert dst == b"\7\0\7"
