# SPDX-License-Identifier: BSD-3-Clause
"""Many operations of a mover behind one future."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from miniasync import _ffi
from miniasync._batch_buffers import (
    pin_copies,
    pin_copies_at,
    pin_fills,
    pin_fills_at,
)
from miniasync._ends import (
    CLOSED,
    FAILED,
    FORKED,
    PENDING,
    STRANDED,
    SUCCESS,
    error_of,
)
from miniasync._ffi import MEMCPY, MEMSET, NULL, lib, new
from miniasync._flight import Flight
from miniasync._future import Future, Operation
from miniasync._interest import interest_of
from miniasync._outstanding import outstanding
from miniasync.errors import BatchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import SupportsIndex

    from miniasync._batch_buffers import BatchPins
    from miniasync._buffers import SupportsBuffer
    from miniasync._ffi import CData
    from miniasync._handle import Handle

    Integers: TypeAlias = SupportsBuffer | Sequence[SupportsIndex] | SupportsIndex

B = TypeVar("B", bound="SupportsBuffer")

_BATCH = _ffi.ffi.typeof("struct ma_batch *")
_RESULTS = _ffi.ffi.typeof("uint8_t[]")


class Batch(Flight):
    """What stands behind a batch.

    Attributes:
        count: How many operations.
        flags: Bits of `Flags`.
        handle: The mover, until the end.
        kind: The C library's type of all operations.
        pins: The memory, until the end.
        results: C's result of each, from the start on; None after a success.
    """

    __slots__ = ("count", "flags", "handle", "kind", "pins", "results")

    def __init__(
        self, handle: Handle, kind: int, pins: BatchPins, value: Any, flags: int
    ) -> None:
        Flight.__init__(self, value)
        self.count = pins.count
        self.flags = flags
        self.handle: Handle | None = handle
        self.kind = kind
        self.pins: BatchPins | None = pins
        self.results: CData = None

    @property
    def drives_itself(self) -> bool:  # type: ignore[override]
        """Whether it takes further polls, to start operations or to see an end."""
        if self.handle is not None and self.handle.is_silent:
            return True
        return self.slot is not None and bool(self.slot.has_more)

    def describe(self) -> str:
        """Say what it is, in a few words."""
        kind = "memset" if self.kind == MEMSET else "memcpy"
        return f"batch of {self.count} {kind} operations"

    def uses(self, handle: Handle) -> bool:
        """Whether it is on its way on this mover."""
        return self.handle is handle

    def advance(self) -> CData:
        """Make the C future, or see whether it is complete."""
        if self.slot is None or not self.slot.base.task:
            if self.run(NULL, _ffi.MAKE_ONLY) != PENDING:
                return None
        elif self._conclude(self.slot.code) != PENDING:
            return None
        return _ffi.as_future(self.slot)

    def run(self, waiter: CData, timeout_ns: int) -> int:
        """Make it, start it, wait for it: the one call into C."""
        handle, pins = self.handle, self.pins
        if handle is None or pins is None:
            # Again, since something may have come between its steps.
            return self.settle(self.code)
        vdm, ops, results = handle.vdm, pins.ops, self.results
        if self.code != PENDING:
            return self.settle(self.code)
        if self.slot is None:
            if handle.closed:
                return self.settle(CLOSED)
            if handle.home is not None and handle.home != os.getpid():
                return self.settle(STRANDED)
            results = self.results = new(_RESULTS, self.count)
            outstanding[self] = None
            self.slot = new(_BATCH)
        code = lib.ma_batch_run(
            self.slot,
            vdm,
            self.kind,
            ops,
            results,
            self.count,
            self.flags,
            waiter,
            timeout_ns,
        )
        return self._conclude(code)

    def begun(self) -> CData:
        """The ``struct future *`` that C polls for it, None if there is none yet."""
        slot = self.slot
        if slot is None or not slot.base.task:
            return None
        return _ffi.as_future(slot)

    def outcome(self) -> int:
        """How it has ended in C."""
        slot = self.slot
        if slot is None or slot.code == PENDING:
            return PENDING
        return SUCCESS if slot.code == SUCCESS else FAILED

    def link(self) -> tuple[CData, CData] | None:
        """Make it, to be a link of a chain in C."""
        leaf = self.advance()
        if leaf is None:
            return None
        return leaf, _ffi.ffi.addressof(self.slot, "code")

    def release(self) -> None:
        """Make it idle again, if it is that in C: a chain ended before it."""
        if self.slot.base.context.state != _ffi.STATE_IDLE:
            return
        self.slot = self.results = None

    def unpin(self) -> None:
        """Give the program its memory back, with the code to follow; twice is fine."""
        pins = self.pins
        if pins is not None:
            pins.unpin()

    def let_go(self) -> None:
        """Forget the operations and the mover."""
        pins, handle = self.pins, self.handle
        if pins is not None and handle is not None and self.code == SUCCESS:
            nbytes = lib.ma_batch_bytes(pins.ops, self.count)
            self.handle = None  # it is counted once
            handle.count(self.count, nbytes)
        if self.code == FORKED and self.slot is not None:
            lib.ma_batch_abandon(self.slot)
        if self.code != FAILED:
            self.results = None
        self.pins = self.handle = None

    def error(self) -> BaseException:
        """What to raise. It has ended, and not with success."""
        if self.code != FAILED:
            return super().error()
        results = bytes(_ffi.ffi.buffer(self.results))
        errors = {i: error_of(code) for i, code in enumerate(results) if code}
        first, error = next(iter(errors.items()))
        return BatchError(
            f"{len(errors)} of {self.count} operations failed; the first, with"
            f" index {first}: {error}",
            errors,
        )

    def _conclude(self, code: int) -> int:
        """Settle it if this code of C's is an end."""
        if code == PENDING:
            if self.interest is None and self.drives_itself:
                interest_of(self)
            return code
        return self.settle(SUCCESS if code == SUCCESS else FAILED)


class Batching:
    """The batches of one mover or another."""

    __slots__ = ()

    def _admit(self, flags: int) -> tuple[Handle, int]:
        """Check what has nothing to do with buffers.

        Returns:
            The mover's handle, and the flags as plain bits.

        Raises:
            TypeError: `flags` is no integer.
            ValueError: It has unknown bits.
            ClosedError: The mover is closed.
            NotSupportedError: The mover cannot do what they ask for.
        """
        raise NotImplementedError

    @overload
    def memcpy_batch(
        self,
        pairs: Iterable[
            tuple[B, SupportsBuffer] | tuple[B, SupportsBuffer, SupportsIndex]
        ],
        flags: int = 0,
        *,
        disjoint: bool = False,
    ) -> Future[list[B]]: ...

    @overload
    def memcpy_batch(
        self,
        pairs: tuple[B, SupportsBuffer],
        flags: int = 0,
        *,
        dst_offsets: Integers | None = None,
        src_offsets: Integers | None = None,
        lengths: Integers,
        disjoint: bool = False,
    ) -> Future[B]: ...

    def memcpy_batch(
        self,
        pairs: Any,
        flags: int = 0,
        *,
        dst_offsets: Integers | None = None,
        src_offsets: Integers | None = None,
        lengths: Integers | None = None,
        disjoint: bool = False,
    ) -> Future[Any]:
        """Copy bytes between many buffers, or between many parts of two.

        The copies run in any order and at the same time. Nothing moves before the
        future is started; the buffers stay pinned until it is done.

        Args:
            pairs: ``(dst, src)`` or, to copy the first `n` bytes only,
                ``(dst, src, n)`` for each copy. With `lengths`, one pair: the
                two buffers that the offsets are about.
            flags: `Flags`, or 0.
            dst_offsets: With which byte of `dst` each copy begins: an array or list
                of integers, or an integer for all. None: each begins where the one
                before it ends.
            src_offsets: With which byte of `src`, likewise.
            lengths: How many bytes each copies: an array or list of integers, or an
                integer for all.
            disjoint: Refuse copies of which two write to the same byte.

        Returns:
            A future with the list of destinations as its result; with `lengths`,
            with `dst`.

        Raises:
            TypeError: An argument is of a wrong type.
            ValueError: Sizes differ, something is out of range, or a copy's two
                ranges overlap. The message says which copy.
            BufferError: A `dst` is read-only, or a buffer is not contiguous.
            ClosedError: The mover is closed.
            NotSupportedError: The mover cannot make bytes durable.

        Example:
            >>> import miniasync
            >>> a, b = bytearray(3), bytearray(3)
            >>> miniasync.memcpy_batch([(a, b"one"), (b, b"two")]).result()
            [bytearray(b'one'), bytearray(b'two')]
            >>> picked = bytearray(4)
            >>> miniasync.memcpy_batch(
            ...     (picked, b"abcdefgh"), src_offsets=[6, 0], lengths=2
            ... ).result()
            bytearray(b'ghab')
        """
        handle, bits = self._admit(flags)
        if lengths is None:
            _refuse_offsets(dst_offsets, src_offsets)
            pins, value = pin_copies(pairs, disjoint)
        else:
            value, src = _only(pairs, "(dst, src)")
            pins = pin_copies_at(
                value, src, dst_offsets, src_offsets, lengths, disjoint
            )
        return Operation(Batch(handle, MEMCPY, pins, value, bits))

    @overload
    def memset_batch(
        self,
        pairs: Iterable[
            tuple[B, SupportsIndex] | tuple[B, SupportsIndex, SupportsIndex]
        ],
        flags: int = 0,
        *,
        disjoint: bool = False,
    ) -> Future[list[B]]: ...

    @overload
    def memset_batch(
        self,
        pairs: tuple[B, SupportsIndex],
        flags: int = 0,
        *,
        dst_offsets: Integers | None = None,
        lengths: Integers,
        disjoint: bool = False,
    ) -> Future[B]: ...

    def memset_batch(
        self,
        pairs: Any,
        flags: int = 0,
        *,
        dst_offsets: Integers | None = None,
        lengths: Integers | None = None,
        disjoint: bool = False,
    ) -> Future[Any]:
        r"""Fill many buffers with one byte each, or many parts of one.

        They are filled in any order and at the same time. Nothing moves before the
        future is started; the buffers stay pinned until it is done.

        Args:
            pairs: ``(dst, value)`` or, to fill the first `n` bytes only, ``(dst,
                value, n)`` for each fill; a value is a byte, from 0 to 255. With
                `lengths`, one pair: the buffer that the offsets are about, and the
                byte.
            flags: `Flags`, or 0.
            dst_offsets: With which byte of `dst` each fill begins: an array or list
                of integers, or an integer for all. None: each begins where the one
                before it ends.
            lengths: How many bytes each fills: an array or list of integers, or an
                integer for all.
            disjoint: Refuse fills of which two write to the same byte.

        Returns:
            A future with the list of destinations as its result; with `lengths`,
            with `dst`.

        Raises:
            TypeError: An argument is of a wrong type.
            ValueError: Something is out of range. The message says which fill.
            BufferError: A `dst` is read-only or not contiguous.
            ClosedError: The mover is closed.
            NotSupportedError: The mover cannot make bytes durable.

        Example:
            >>> import miniasync
            >>> a, b = bytearray(2), bytearray(2)
            >>> miniasync.memset_batch([(a, 1), (b, 2)]).result()
            [bytearray(b'\x01\x01'), bytearray(b'\x02\x02')]
            >>> miniasync.memset_batch(
            ...     (bytearray(6), 9), dst_offsets=[0, 4], lengths=[1, 2]
            ... ).result()
            bytearray(b'\t\x00\x00\x00\t\t')
        """
        handle, bits = self._admit(flags)
        if lengths is None:
            _refuse_offsets(dst_offsets)
            pins, dst = pin_fills(pairs, disjoint)
        else:
            dst, byte = _only(pairs, "(dst, value)")
            pins = pin_fills_at(dst, byte, dst_offsets, lengths, disjoint)
        return Operation(Batch(handle, MEMSET, pins, dst, bits))


def _refuse_offsets(*offsets: object) -> None:
    if any(each is not None for each in offsets):
        raise TypeError("offsets need lengths: how many bytes each is about")


def _only(pairs: Any, form: str) -> tuple[Any, Any]:
    """The one pair there may be with offsets."""
    if not isinstance(pairs, tuple | list) or len(pairs) != 2:
        raise TypeError(f"pairs must be one pair with lengths: {form}")
    return pairs[0], pairs[1]
