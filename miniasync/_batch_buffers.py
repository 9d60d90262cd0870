# SPDX-License-Identifier: BSD-3-Clause
"""Many buffers in, pinned memory and checked operations out.

Under the rules of `_buffers`: cdata with addresses goes from here to C through
`BatchPins` alone, and an error leaves nothing pinned. For each call one list has
all references to such cdata, so that to clear it is to release them.

Buffers are pinned in C, by one loop over all, which says neither where nor why
it failed. That is found out afterwards, one by one.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any, NoReturn

from miniasync import _ffi
from miniasync._buffers import PLAIN, integer, second_try
from miniasync._ffi import BYTES, NULL, CData, from_buffer, lib, new
from miniasync._numbers import Numbers
from miniasync._references import refuse_references
from miniasync.errors import OutOfMemoryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_OPS = _ffi.ffi.typeof("struct ma_batch_op[]")
_REGION = _ffi.ffi.typeof("struct ma_region *")
_FAULT_AT = _ffi.ffi.typeof("struct ma_fault_at *")
_ADDRESSES = _ffi.ffi.typeof("void *[]")
_SIZES = _ffi.ffi.typeof("size_t[]")
_LENGTHS = _ffi.ffi.typeof("int64_t[]")
_VALUES = _ffi.ffi.typeof("uint8_t[]")

_MOST = 2**63 - 1


class BatchPins:
    """The operations of a batch and their memory, held until `unpin`.

    Attributes:
        count: How many operations.
        ops: A ``struct ma_batch_op[]``.
    """

    __slots__ = ("_views", "count", "ops")

    def __init__(self, views: list[CData], count: int) -> None:
        self._views = views
        self.count = count
        self.ops: CData = new(_OPS, count)

    def unpin(self) -> None:
        """Let go of the memory now; further calls do nothing."""
        self._views.clear()


def pin_copies(pairs: Iterable[Any], disjoint: bool) -> tuple[BatchPins, list[Any]]:
    """Pin what a batch of copies between buffers of their own needs.

    Args:
        pairs: ``(dst, src)`` or ``(dst, src, n)`` for each operation.
        disjoint: Whether to refuse destinations that overlap.

    Returns:
        The pins, and the destinations.

    Raises:
        TypeError: Something has no buffer, is no pair or no integer.
        ValueError: Sizes differ, an `n` is wrong, or ranges overlap.
        BufferError: A `dst` is read-only, or a buffer is not contiguous.
    """
    dsts, srcs, lengths = _columns(pairs, "(dst, src) or (dst, src, n)")
    return _pin_pairs(dsts, srcs, NULL, lengths, disjoint), list(dsts)


def pin_fills(pairs: Iterable[Any], disjoint: bool) -> tuple[BatchPins, list[Any]]:
    """Pin what a batch of fills of buffers of their own needs.

    Arguments and errors are those of `pin_copies`, with ``(dst, value)`` or
    ``(dst, value, n)`` for each operation.
    """
    dsts, values, lengths = _columns(pairs, "(dst, value) or (dst, value, n)")
    if not _within(values, 255):
        values = [
            checked_byte(f"pairs[{index}]: value", value)
            for index, value in enumerate(values)
        ]
    pins = _pin_pairs(dsts, None, new(_VALUES, values), lengths, disjoint)
    return pins, list(dsts)


def pin_copies_at(
    dst: object,
    src: object,
    dst_offsets: object,
    src_offsets: object,
    lengths: object,
    disjoint: bool,
) -> BatchPins:
    """Pin what a batch of copies between parts of two buffers needs.

    Args:
        dst: A writable contiguous buffer.
        src: A contiguous buffer.
        dst_offsets: Where each copy goes to, or None: one behind another.
        src_offsets: Where it comes from, likewise.
        lengths: How many bytes each has, or all have.
        disjoint: Whether to refuse destinations that overlap.

    Raises:
        TypeError: A buffer is none, or something else holds no integers.
        ValueError: Something is out of range, or ranges overlap.
        BufferError: `dst` is read-only, or one of both is not contiguous.
    """
    return _pin_at(dst, (src,), 0, dst_offsets, src_offsets, lengths, disjoint)


def pin_fills_at(
    dst: object, value: object, dst_offsets: object, lengths: object, disjoint: bool
) -> BatchPins:
    """Pin what a batch of fills of parts of a buffer needs.

    Arguments and errors are those of `pin_copies_at`.
    """
    byte = checked_byte("value", value)
    return _pin_at(dst, (), byte, dst_offsets, None, lengths, disjoint)


def checked_byte(name: str, value: object) -> int:
    """Return a value for memset.

    Raises:
        TypeError: It is no integer.
        ValueError: It is no byte.
    """
    byte = integer(name, value)
    if not 0 <= byte <= 255:
        raise ValueError(f"{name} must be from 0 to 255, but is {byte}")
    return byte


def _columns(
    pairs: Iterable[Any], form: str
) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any] | None]:
    """The first, second and, where there are such, third items of all pairs."""
    try:
        items = list(pairs)
    except TypeError:
        raise TypeError(
            f"pairs must be an iterable of {form}, not {type(pairs).__name__}"
        ) from None
    try:
        columns = list(zip(*items, strict=True))
    except (TypeError, ValueError):
        columns = []
    if len(columns) == 2:
        return columns[0], columns[1], None
    padded = []
    for index, item in enumerate(items):
        try:
            parts = tuple(item)
        except TypeError:
            raise TypeError(
                f"pairs[{index}] must be {form}, not {type(item).__name__}"
            ) from None
        if len(parts) not in (2, 3):
            raise ValueError(f"pairs[{index}] must be {form}, not {len(parts)} items")
        padded.append((*parts, None)[:3])
    if not padded:
        return (), (), None
    dsts, others, lengths = zip(*padded, strict=True)
    return dsts, others, lengths


def _pin_pairs(
    dsts: Sequence[Any],
    srcs: Sequence[Any] | None,
    values: CData,
    lengths: Sequence[Any] | None,
    disjoint: bool,
) -> BatchPins:
    count = len(dsts)
    views: list[CData] = []
    try:
        _pin_all(views, "dst", dsts, True)
        _refuse_all_references(dsts)
        sizes = list(map(len, views))
        to = new(_ADDRESSES, views)
        from_ = from_sizes = NULL
        if srcs is not None:
            _pin_all(views, "src", srcs, False)
            sizes.extend(map(len, views[count:]))
            from_ = new(_ADDRESSES, views[count:])
            from_sizes = new(_SIZES, sizes[count:])
        counts = _lengths(lengths)
        pins = BatchPins(views, count)
        at = new(_FAULT_AT)
        fault = lib.ma_ranges_of_buffers(
            pins.ops,
            count,
            to,
            new(_SIZES, sizes[:count]),
            from_,
            from_sizes,
            values,
            counts,
            at,
        )
        if fault == lib.MA_FAULT_NONE and disjoint:
            fault = lib.ma_ranges_disjoint(pins.ops, count, at)
        if fault != lib.MA_FAULT_NONE:
            _refuse_pair(fault, at, sizes, count, lengths)
    except BaseException:
        views.clear()
        raise
    return pins


def _pin_all(
    views: list[CData], name: str, objects: Sequence[Any], writable: bool
) -> None:
    """Add the pinned memory of all of them to the list."""
    before = len(views)
    try:
        views.extend(map(from_buffer, repeat(BYTES), objects, repeat(writable)))
    except (TypeError, ValueError, BufferError):
        del views[before:]
        for index, obj in enumerate(objects):
            try:
                views.append(from_buffer(BYTES, obj, writable))
            except (TypeError, ValueError, BufferError) as error:
                where = f"pairs[{index}]: {name}"
                views.append(second_try(where, obj, writable, error))


def _refuse_all_references(dsts: Sequence[Any]) -> None:
    if PLAIN.issuperset(map(type, dsts)):
        return
    for index, dst in enumerate(dsts):
        if type(dst) not in PLAIN:
            try:
                refuse_references(dst)
            except (TypeError, BufferError) as error:
                raise type(error)(f"pairs[{index}]: {error}") from None


def _within(numbers: Sequence[Any], most: int) -> bool:
    """Are they all plain integers from 0 to `most`?"""
    return (
        set(map(type, numbers)) == {int} and min(numbers) >= 0 and max(numbers) <= most
    )


def _lengths(lengths: Sequence[Any] | None) -> CData:
    """An ``int64_t[]`` in which -1 stands for None; NULL if all are."""
    if lengths is None:
        return NULL
    if _within(lengths, _MOST):
        return new(_LENGTHS, lengths)
    counts = []
    for index, length in enumerate(lengths):
        count = -1
        if length is not None:
            count = integer(f"pairs[{index}]: n", length)
            if count < 0:
                raise ValueError(
                    f"pairs[{index}]: n must not be negative, but is {count}"
                )
        counts.append(min(count, _MOST))
    return new(_LENGTHS, counts)


def _refuse_pair(
    fault: int, at: CData, sizes: list[int], count: int, lengths: Any
) -> NoReturn:
    """Raise what C has found in pairs.

    Args:
        fault: What is wrong.
        at: Where.
        sizes: Those of all destinations, then those of all sources.
        count: How many pairs.
        lengths: The third items, or None.
    """
    index = at.index
    where = f"pairs[{index}]"
    if fault == lib.MA_FAULT_SIZES:
        raise ValueError(
            f"{where}: dst has {sizes[index]} bytes and src {sizes[count + index]}:"
            " pass buffers of one size, or say how many bytes to copy:"
            " (dst, src, n)"
        )
    if fault == lib.MA_FAULT_DST:
        raise ValueError(
            f"{where}: n is {lengths[index]}, but dst has only {sizes[index]} bytes"
        )
    if fault == lib.MA_FAULT_SRC:
        raise ValueError(
            f"{where}: n is {lengths[index]}, but src has only"
            f" {sizes[count + index]} bytes"
        )
    _refuse_operation(fault, at, "pairs[{}]")


def _pin_at(
    dst: object,
    srcs: tuple[object, ...],
    value: int,
    dst_offsets: object,
    src_offsets: object,
    lengths: object,
    disjoint: bool,
) -> BatchPins:
    views: list[CData] = []
    numbers = Numbers()
    try:
        to = _region(views, "dst", dst, True)
        if type(dst) not in PLAIN:
            refuse_references(dst)
        from_ = _region(views, "src", srcs[0], False) if srcs else NULL
        at_dst = numbers.add("dst_offsets", dst_offsets)
        at_src = numbers.add("src_offsets", src_offsets)
        sizes = numbers.add("lengths", lengths)
        pins = BatchPins(views, numbers.count())
        at = new(_FAULT_AT)
        fault = lib.ma_ranges_of_offsets(
            pins.ops, pins.count, to, from_, value, at_dst, at_src, sizes, at
        )
        if fault == lib.MA_FAULT_NONE and disjoint:
            fault = lib.ma_ranges_disjoint(pins.ops, pins.count, at)
        if fault == lib.MA_FAULT_DST:
            _refuse_range("dst", at, to.size, numbers)
        if fault == lib.MA_FAULT_SRC:
            _refuse_range("src", at, from_.size, numbers)
        if fault != lib.MA_FAULT_NONE:
            _refuse_operation(fault, at, "operation {}")
    except BaseException:
        views.clear()
        raise
    finally:
        numbers.release()
    return pins


def _region(views: list[CData], name: str, obj: object, writable: bool) -> CData:
    """Pin a buffer; a ``struct ma_region *``."""
    try:
        views.append(from_buffer(BYTES, obj, writable))
    except (TypeError, ValueError, BufferError) as error:
        views.append(second_try(name, obj, writable, error))
    return new(_REGION, (views[-1], len(views[-1])))


def _refuse_range(name: str, at: CData, size: int, numbers: Numbers) -> NoReturn:
    """Raise what C has found in offsets and lengths."""
    index = at.index
    length = numbers.value("lengths", index, at.length)
    offset = numbers.value(f"{name}_offsets", index, at.offset)
    if length < 0:
        raise ValueError(f"lengths[{index}] must not be negative, but is {length}")
    if offset < 0:
        raise ValueError(
            f"{name}_offsets[{index}] must not be negative, but is {offset}"
        )
    raise ValueError(
        f"operation {index} is about the {length} bytes from {offset} on of {name},"
        f" which has only {size} bytes"
    )


def _refuse_operation(fault: int, at: CData, name: str) -> NoReturn:
    this = name.format(at.index)
    if fault == lib.MA_FAULT_OVERLAP:
        raise ValueError(
            f"{this}: dst and src overlap, which memcpy does not allow: use memmove"
            " for it"
        )
    if fault == lib.MA_FAULT_SHARED:
        raise ValueError(
            f"{name.format(at.other)} and {this} write to the same bytes, which"
            " disjoint=True does not allow: put one of them into another batch"
        )
    raise OutOfMemoryError("no memory to find out whether destinations overlap")
