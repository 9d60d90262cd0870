# SPDX-License-Identifier: BSD-3-Clause
"""Buffers in, pinned memory out.

The only module that takes the address of anybody's memory. It checks a call's
arguments completely and gives out `Pinned`: the memory can neither go away nor
move until the cdata is released. An error leaves nothing pinned; the cdata is
released by hand everywhere, because a traceback would keep it alive.

Released cdata still holds its address, and using it raises nothing. So who holds
it forgets it first, and releases it then.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from miniasync import _dlpack
from miniasync._ffi import BYTES, NULL, CData, from_buffer, release
from miniasync._references import refuse_references

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Buffer

    class _Array(Protocol):
        # NumPy's own types announce __buffer__ to checkers from 3.12 on only.
        @property
        def __array_interface__(self) -> Mapping[str, object]: ...

    class _Tensor(Protocol):
        def __dlpack_device__(self) -> Any: ...

    SupportsBuffer: TypeAlias = Buffer | _Array | _Tensor

# Types that cannot hold references to Python objects.
PLAIN = frozenset((bytearray, bytes))


Pinned: TypeAlias = tuple[CData, CData | bytes, int]
"""The destination, or what is flushed; the source, or NULL; how many bytes.

A source that is bytes stands for itself: C takes its address with each call, and it
stays where it is as long as somebody has it.
"""


def pin_copy(dst: object, src: object, n: object, may_overlap: bool) -> Pinned:
    """Pin what a copy needs.

    Args:
        dst: A writable contiguous buffer.
        src: A contiguous buffer.
        n: The number of bytes, or None for all; both are then of one size.
        may_overlap: Whether both may share some of these bytes.

    Raises:
        TypeError: `dst` or `src` has no buffer, or `n` is no integer.
        ValueError: `n` or a size is wrong, or the ranges overlap.
        BufferError: `dst` is read-only, or one of both is not contiguous.
    """
    try:
        to = from_buffer(BYTES, dst, True)
    except (TypeError, ValueError, BufferError) as error:
        to = second_try("dst", dst, True, error)
    source = None
    try:
        if type(dst) not in PLAIN:
            refuse_references(dst)
        if type(src) is bytes and type(dst) is bytearray:
            source = src
        else:
            try:
                source = from_buffer(BYTES, src)
            except (TypeError, ValueError, BufferError) as error:
                source = second_try("src", src, False, error)
        if n is None:
            nbytes = len(to)
            if len(source) != nbytes:
                raise ValueError(
                    f"dst has {nbytes} bytes and src {len(source)}: pass buffers"
                    " of one size, or say with n how many bytes to copy"
                )
        else:
            nbytes = _checked(n, "src", len(source))
            _checked(n, "dst", len(to))
        # Two objects of these types share nothing. Comparing the distance covers
        # the order of both, and n = 0.
        if (
            not may_overlap
            and (type(dst) not in PLAIN or type(src) not in PLAIN or dst is src)
            and -nbytes < to + 0 - source < nbytes
        ):
            raise ValueError(
                "dst and src overlap, which memcpy does not allow: use memmove"
            )
    except BaseException:
        release(to)
        if source is not None and source is not src:
            release(source)
        raise
    return to, source, nbytes


def pin_one(name: str, obj: object, n: object, writable: bool) -> Pinned:
    """Pin what a memset or a flush needs.

    Args:
        name: What the argument is called where the user wrote it.
        obj: A contiguous buffer.
        n: The number of bytes, or None for all.
        writable: Whether the bytes will be written.

    Raises:
        TypeError: `obj` has no buffer, or `n` is no integer.
        ValueError: `n` is wrong.
        BufferError: `obj` is not contiguous, or read-only and should not be.
    """
    try:
        to = from_buffer(BYTES, obj, writable)
    except (TypeError, ValueError, BufferError) as error:
        to = second_try(name, obj, writable, error)
    try:
        if writable and type(obj) not in PLAIN:
            refuse_references(obj)
        nbytes = len(to) if n is None else _checked(n, name, len(to))
    except BaseException:
        release(to)
        raise
    return to, NULL, nbytes


def _checked(n: object, name: str, size: int) -> int:
    """Return `n` if a buffer of this size has as many bytes."""
    count = integer("n", n)
    if count < 0:
        raise ValueError(f"n must not be negative, but is {count}")
    if count > size:
        raise ValueError(f"n is {count}, but {name} has only {size} bytes")
    return count


def integer(name: str, value: object) -> int:
    """Return `value` as an int.

    Raises:
        TypeError: It is none; a bool is not taken for one.
    """
    if not isinstance(value, bool):
        try:
            return operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise TypeError(f"{name} must be an integer, not {type(value).__name__}")


def second_try(name: str, obj: object, writable: bool, error: Exception) -> CData:
    """Pin what has no buffer but shares its memory otherwise, or refuse it.

    Args:
        name: What the argument is called where the user wrote it.
        obj: What could not be pinned.
        writable: Whether the bytes will be written.
        error: Why.

    Raises:
        TypeError: It has no memory to share.
        BufferError: The memory cannot be used.
    """
    if isinstance(error, TypeError) and _dlpack.shares_memory(obj):
        obj = _dlpack.as_array(name, obj)
        try:
            return from_buffer(BYTES, obj, writable)
        except (TypeError, ValueError, BufferError) as second:
            error = second
    raise refusal(name, obj, writable, error) from None


def refusal(name: str, obj: object, writable: bool, error: Exception) -> Exception:
    """Say why `obj` was refused and what to do, whatever its type said."""
    try:
        with memoryview(obj) as view:  # type: ignore[arg-type]
            is_contiguous, is_readonly = view.c_contiguous, view.readonly
    except TypeError:
        hint = "; encode it first" if isinstance(obj, str) else ""
        return TypeError(
            f"{name} must be an object with the buffer protocol (bytearray,"
            f" memoryview, mmap, NumPy array, ...), not {type(obj).__name__}{hint}"
        )
    except (ValueError, BufferError):
        # NumPy has types without a format, such as datetime64.
        flags = getattr(obj, "flags", None)
        is_contiguous = getattr(flags, "c_contiguous", True)
        is_readonly = not getattr(flags, "writeable", True)
    if writable and is_readonly:
        return BufferError(
            f"{name} is read-only: pass a writable buffer, such as a bytearray"
        )
    if not is_contiguous:
        remedy = (
            "copy into a contiguous buffer and assign that"
            if writable
            else "pass a copy, such as bytes(...) or np.ascontiguousarray(...)"
        )
        return BufferError(f"{name} is not C-contiguous: {remedy}")
    return BufferError(f"{name} cannot be used: {error}")
