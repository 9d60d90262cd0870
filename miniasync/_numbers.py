# SPDX-License-Identifier: BSD-3-Clause
"""Offsets and lengths, as whoever has many of them has them.

C copies and checks them, from an array of integers of any width. That is pinned
during one call only, under the rules of `_buffers`. Of other iterables an array is
made.
"""

from __future__ import annotations

import operator
import sys
from typing import TYPE_CHECKING, Any

from miniasync import _dlpack, _ffi
from miniasync._buffers import integer
from miniasync._ffi import BYTES, NULL, from_buffer, new

if TYPE_CHECKING:
    from miniasync._ffi import CData

_NUMBERS = _ffi.ffi.typeof("struct ma_numbers *")
_INT64S = _ffi.ffi.typeof("int64_t[]")

_INTEGERS = "bBhHiIlLqQnN"
_FOREIGN = ">!" if sys.byteorder == "little" else "<"
_MOST = 2**63 - 1


class Numbers:
    """Some arrays of integers of one length, and single integers for all."""

    __slots__ = ("_counts", "_given", "_signed", "_views")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        # What C has as another number, because it is beyond 64 bits.
        self._given: dict[str, int | list[int]] = {}
        self._signed: dict[str, bool] = {}
        self._views: list[object] = []

    def release(self) -> None:
        """Let go of the arrays; what `add` returned is not to be used any more."""
        self._views.clear()

    def add(self, name: str, obj: object) -> CData:
        """Pin an argument.

        Returns:
            A ``struct ma_numbers *``, NULL for None.

        Raises:
            TypeError: It holds no integers.
            ValueError: It is of a wrong shape or, if single, out of range.
        """
        if obj is None:
            return NULL
        single = _as_single(name, obj)
        if single is not None:
            if single < 0:
                raise ValueError(f"{name} must not be negative, but is {single}")
            if single > _MOST:
                self._given[name] = single
            return new(_NUMBERS, {"value": min(single, _MOST)})
        try:
            view = memoryview(obj)  # type: ignore[arg-type]
        except TypeError:
            return self._add_other(name, obj)
        except (ValueError, BufferError) as error:
            raise TypeError(f"{name} must hold integers: {error}") from None
        with view:
            return self._add_view(name, obj, view)

    def count(self) -> int:
        """How many each array has.

        Raises:
            ValueError: They differ, or there is none.
        """
        counts = self._counts
        if not counts:
            raise ValueError(
                "one of the offsets or lengths must be an array: it says how many"
                " operations there are"
            )
        if len(set(counts.values())) > 1:
            sizes = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise ValueError(f"arrays must be of one length, but are: {sizes}")
        return next(iter(counts.values()))

    def value(self, name: str, index: int, bits: int) -> int:
        """What a number that C has is in the argument of this name."""
        given = self._given.get(name)
        if given is not None:
            return given if isinstance(given, int) else given[index]
        return bits - 2**64 if self._signed.get(name) and bits > _MOST else bits

    def _add_view(self, name: str, obj: object, view: memoryview) -> CData:
        format = view.format
        if format[0] in _FOREIGN and view.itemsize > 1:
            raise TypeError(
                f"{name} has a foreign byte order: convert it, for instance with"
                " .astype(np.int64)"
            )
        if format.lstrip("@=<>!") not in tuple(_INTEGERS):
            raise TypeError(
                f"{name} must hold integers, not items of format {format!r}: convert"
                " it, for instance with .astype(np.int64)"
            )
        if view.ndim != 1:
            raise ValueError(
                f"{name} must have one dimension, not {view.ndim}: use .ravel()"
            )
        self._counts[name] = len(view)
        self._signed[name] = format[-1].islower()
        try:
            data = from_buffer(BYTES, obj if view.c_contiguous else view.tobytes())
        except BufferError:  # it gives its memory out only once
            data = from_buffer(BYTES, view.tobytes())
        self._views.append(data)
        return new(
            _NUMBERS,
            {
                "data": data,
                "size": view.itemsize,
                "is_signed": self._signed[name],
            },
        )

    def _add_other(self, name: str, obj: Any) -> CData:
        """Add what is no buffer."""
        if _dlpack.shares_memory(obj):
            try:
                array: Any = _dlpack.as_array(name, obj)
            except (TypeError, BufferError):
                pass  # it may still give its numbers away one by one
            else:
                with memoryview(array) as view:
                    return self._add_view(name, array, view)
        return self._add_items(name, obj)

    def _add_items(self, name: str, obj: Any) -> CData:
        try:
            items = list(obj)
        except TypeError:
            raise TypeError(
                f"{name} must be an integer or an array of integers, not"
                f" {type(obj).__name__}"
            ) from None
        if not {int}.issuperset(map(type, items)):
            items = _as_integers(name, items)
        try:
            data = new(_INT64S, items)
        except OverflowError:
            self._given[name] = items
            data = new(_INT64S, [max(-_MOST, min(item, _MOST)) for item in items])
        self._counts[name] = len(items)
        self._signed[name] = True
        self._views.append(data)
        return new(_NUMBERS, {"data": data, "size": 8, "is_signed": True})


def _as_single(name: str, obj: object) -> int | None:
    """Return it if it is an integer."""
    if isinstance(obj, bool):
        return integer(name, obj)
    try:
        return operator.index(obj)  # type: ignore[arg-type]
    except TypeError:
        return None


def _as_integers(name: str, items: list[Any]) -> list[int]:
    # Each gets a name for an error only: to make it takes longer than all the rest.
    try:
        if bool not in map(type, items):
            return list(map(operator.index, items))
    except TypeError:
        pass
    return [integer(f"{name}[{index}]", item) for index, item in enumerate(items)]
