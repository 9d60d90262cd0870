# SPDX-License-Identifier: BSD-3-Clause
"""Movers: what moves bytes."""

from __future__ import annotations

import errno
from enum import IntFlag
from typing import TYPE_CHECKING, NamedTuple, SupportsIndex

from miniasync import _ffi
from miniasync._batch import B, Batching
from miniasync._batch_buffers import checked_byte
from miniasync._buffers import integer, pin_copy, pin_one
from miniasync._closing import Closing
from miniasync._ffi import FLUSH, MEMCPY, MEMMOVE, MEMSET, counters_of, ffi, lib
from miniasync._future import Future, Operation
from miniasync._handle import Handle
from miniasync._move import Move
from miniasync._outstanding import outstanding
from miniasync._small import SmallMove
from miniasync.errors import ClosedError, NotSupportedError, OutOfMemoryError

if TYPE_CHECKING:
    from miniasync._buffers import SupportsBuffer
    from miniasync._ffi import CData

# Below this, giving up the interpreter lock costs more than moving the bytes.
_SMALL = 4096

# What the C library takes for the length of its queue; ours has no end.
_QUEUE_LENGTH = 128


class Flags(IntFlag):
    """How an operation treats memory; combine them with ``|``."""

    MEM_DURABLE = _ffi.MEM_DURABLE
    """The bytes are written back to memory when the future is complete."""

    NO_CACHE_HINT = _ffi.NO_CACHE_HINT
    """The destination will not be read soon: keep it out of the cache."""


class Stats(NamedTuple):
    """What a mover has done."""

    operations: int
    """How many have ended well; each of a batch counts."""

    bytes: int
    """How many bytes these were about."""

    pending: int
    """How many futures have been started and are not known to be complete."""


class DataMover(Batching, Closing):
    """What all movers can do; make a `SyncMover` or a `ThreadsMover`.

    Each operation returns a `Future` that has not been started. Buffers are
    whatever has the buffer protocol and is C-contiguous, of any item type; they
    are pinned until the future is done.
    """

    __slots__ = ("__weakref__", "_handle")

    # The flags that operations keep to, beyond what the C library announces.
    _honoured = 0 if _ffi.IS_UPSTREAM else _ffi.ALL_FLAGS
    _can_flush = not _ffi.IS_UPSTREAM

    _handle: Handle

    def __init__(self) -> None:
        raise TypeError("make a SyncMover or a ThreadsMover")

    def memcpy(
        self,
        dst: B,
        src: SupportsBuffer,
        n: SupportsIndex | None = None,
        flags: SupportsIndex = 0,
    ) -> Future[B]:
        """Copy bytes between buffers that do not overlap.

        Args:
            dst: A writable buffer.
            src: A buffer.
            n: How many bytes; None for all, if both have as many.
            flags: `Flags`, or 0.

        Returns:
            A future with `dst` as its result.

        Raises:
            TypeError: An argument is of a wrong type.
            ValueError: Sizes differ, `n` or `flags` is wrong, or both overlap.
            BufferError: `dst` is read-only, or one of both is not contiguous.
            ClosedError: The mover is closed.
        """
        bits = self._admit(flags)
        pinned = pin_copy(dst, src, n, False)
        handle = self._handle
        kind = SmallMove if pinned[2] < handle.small and not bits else Move
        return Operation(kind(handle, MEMCPY, pinned, dst, 0, bits))

    def memmove(
        self,
        dst: B,
        src: SupportsBuffer,
        n: SupportsIndex | None = None,
        flags: SupportsIndex = 0,
    ) -> Future[B]:
        """Copy bytes between buffers that may overlap.

        Arguments and errors are those of `memcpy`.
        """
        bits = self._admit(flags)
        pinned = pin_copy(dst, src, n, True)
        return Operation(Move(self._handle, MEMMOVE, pinned, dst, 0, bits))

    def memset(
        self,
        dst: B,
        value: SupportsIndex,
        n: SupportsIndex | None = None,
        flags: SupportsIndex = 0,
    ) -> Future[B]:
        """Fill a buffer with one byte.

        Args:
            dst: A writable buffer.
            value: The byte, from 0 to 255.
            n: How many bytes; None for all.
            flags: `Flags`, or 0.

        Returns:
            A future with `dst` as its result.

        Raises:
            TypeError: An argument is of a wrong type.
            ValueError: `value`, `n` or `flags` is wrong.
            BufferError: `dst` is read-only or not contiguous.
            ClosedError: The mover is closed.
        """
        bits = self._admit(flags)
        byte = checked_byte("value", value)
        pinned = pin_one("dst", dst, n, True)
        handle = self._handle
        kind = SmallMove if pinned[2] < handle.small and not bits else Move
        return Operation(kind(handle, MEMSET, pinned, dst, byte, bits))

    def flush(
        self, buf: B, n: SupportsIndex | None = None, flags: SupportsIndex = 0
    ) -> Future[B]:
        """Write the cache lines of a buffer back to memory.

        That makes bytes durable on persistent memory; an ordinary file mapping
        needs its own ``flush``.

        Args:
            buf: A buffer; it is not changed.
            n: How many bytes; None for all.
            flags: `Flags`, or 0.

        Returns:
            A future with `buf` as its result.

        Raises:
            TypeError: An argument is of a wrong type.
            ValueError: `n` or `flags` is wrong.
            BufferError: `buf` is not contiguous.
            ClosedError: The mover is closed.
            NotSupportedError: The C library in use cannot flush.
        """
        bits = self._admit(flags)
        if not self._can_flush:
            raise NotSupportedError(
                "flush would end the process with this libminiasync, which is"
                " upstream's: install miniasync with its bundled C library"
            )
        pinned = pin_one("buf", buf, n, False)
        return Operation(Move(self._handle, FLUSH, pinned, buf, 0, bits))

    def supports(self, flags: SupportsIndex) -> bool:
        """Whether operations of this mover keep to all of these flags.

        Raises:
            TypeError: `flags` is no integer.
            ValueError: It has unknown bits.
            ClosedError: The mover is closed.
        """
        wanted = _checked_flags(flags)
        return not wanted & ~(self._honoured | self.capabilities)

    @property
    def capabilities(self) -> Flags:
        """The flags that the C library announces for this mover.

        What is honoured may be more: see `supports`.
        """
        return Flags(self.vdm.capabilities & _ffi.ALL_FLAGS)

    @property
    def vdm(self) -> CData:
        """The ``struct vdm *`` for other C libraries.

        It keeps the C mover alive: `close` ends the mover for Python, and the C
        mover goes when the last of these goes, which waits for what it does.

        Raises:
            ClosedError: The mover is closed.
        """
        return self._handle.export()

    def stats(self) -> Stats:
        """What it has done so far; also of a closed mover.

        Operations that other C libraries start on `vdm` are not counted.
        """
        handle = self._handle
        pending = sum(
            flight.slot is not None and flight.uses(handle)
            for flight in outstanding.copy()
        )
        return Stats(handle.operations, handle.nbytes, pending)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._handle.closed

    def close(self) -> None:
        """Wait for the operations that have been started, and end the mover.

        Those that have not been started fail with `ClosedError` when they are.
        Closing twice is fine.
        """
        self._handle.close()

    def _cmover(self) -> CData:
        cmover = self._handle.cmover
        if cmover is None:
            raise ClosedError("the mover is closed: make another one")
        return cmover

    def _admit(self, flags: SupportsIndex) -> int:
        """Check what has nothing to do with buffers; the flags as plain bits."""
        if self._handle.closed:
            raise ClosedError("the mover is closed: make another one")
        if type(flags) is int and flags == 0:
            return 0
        bits = _checked_flags(flags)
        if bits & _ffi.MEM_DURABLE and not self.supports(_ffi.MEM_DURABLE):
            raise NotSupportedError(
                "flags: this mover cannot make bytes durable; leave MEM_DURABLE"
                " out and write them back by other means"
            )
        return bits


class SyncMover(DataMover):
    r"""Moves bytes in the thread that starts the operation.

    Starting an operation does all of it: there is nothing to wait for, and
    nothing goes on beside it.

    Example:
        >>> import miniasync
        >>> with miniasync.SyncMover() as mover:
        ...     mover.memset(bytearray(3), 7).result()
        bytearray(b'\x07\x07\x07')
    """

    __slots__ = ()

    def __init__(self) -> None:
        mover = lib.data_mover_sync_new()
        if not mover:
            raise OutOfMemoryError("no memory for a mover")
        vdm = lib.data_mover_sync_get_vdm(mover)
        self._handle = Handle(mover, vdm, lib.data_mover_sync_delete, has_threads=False)
        self._handle.small = _SMALL


class ThreadsMover(DataMover):
    """Moves bytes with worker threads, which know nothing of Python.

    Args:
        threads: How many; None for one a processor, as far as that helps.
        inline_below: Operations of fewer bytes are done by the thread that
            starts them; 0 sends all through a worker. None lets the C library
            choose.

    Raises:
        TypeError: An argument is no integer.
        ValueError: It is out of range.
        OutOfMemoryError: There is no memory for it, or no thread.
        NotSupportedError: `inline_below` was given, but the C library in use
            has no such limit.

    Example:
        >>> import miniasync
        >>> with miniasync.ThreadsMover(threads=2) as mover:
        ...     mover.memcpy(bytearray(3), b"abc").result()
        bytearray(b'abc')
    """

    __slots__ = ()

    def __init__(
        self, threads: int | None = None, *, inline_below: int | None = None
    ) -> None:
        nthreads = None if threads is None else _within("threads", threads, 1)
        limit = None
        if inline_below is not None:
            limit = _within("inline_below", inline_below, 0)
            if _ffi.IS_UPSTREAM:
                raise NotSupportedError(
                    "inline_below is not known to this libminiasync, which is"
                    " upstream's: install miniasync with its bundled C library"
                )
        if nthreads is None:
            mover = lib.data_mover_threads_default()
        else:
            mover = lib.data_mover_threads_new(
                nthreads, _QUEUE_LENGTH, lib.FUTURE_NOTIFIER_WAKER
            )
        if not mover:
            count = "its" if nthreads is None else str(nthreads)
            raise OutOfMemoryError(
                "no memory for a mover"
                if ffi.errno != errno.EAGAIN
                else f"the system does not allow {count} threads: use fewer"
            )
        vdm = lib.data_mover_threads_get_vdm(mover)
        self._handle = Handle(
            mover, vdm, lib.data_mover_threads_delete, has_threads=True
        )
        if limit is not None:
            lib.data_mover_threads_set_inline_below(mover, limit)
        if not _ffi.IS_UPSTREAM:
            inline: int = lib.data_mover_threads_get_inline_below(mover)
            self._handle.small = min(inline, _SMALL)

    @property
    def threads(self) -> int | None:
        """How many worker threads it has; None where the C library is upstream's.

        Raises:
            ClosedError: The mover is closed.
        """
        count: int = lib.data_mover_threads_get_nthreads(self._cmover())
        return None if _ffi.IS_UPSTREAM else count

    def threads_stats(self) -> dict[str, int]:
        """Who has done what was handed over, by the names of the C library.

        ``queued`` operations were handed over; all others the thread that started
        them has done itself. Of those, ``worker_bytes`` in ``worker_pieces`` were
        done by worker threads, ``waiter_bytes`` in ``waiter_pieces`` by threads that
        waited for them. What is being done counts already.

        Raises:
            ClosedError: The mover is closed.
            NotSupportedError: The C library in use does not count.
        """
        cmover = self._cmover()
        if _ffi.IS_UPSTREAM:
            raise NotSupportedError(
                "this libminiasync, which is upstream's, does not count: install"
                " miniasync with its bundled C library"
            )
        stats = ffi.new("struct data_mover_threads_stats *")
        stats.size = ffi.sizeof("struct data_mover_threads_stats")
        lib.data_mover_threads_get_stats(cmover, stats)
        return counters_of(stats)

    @property
    def inline_below(self) -> int | None:
        """Operations of fewer bytes are done by the thread that starts them.

        None where the C library is upstream's, which has no such limit.

        Raises:
            ClosedError: The mover is closed.
        """
        nbytes: int = lib.data_mover_threads_get_inline_below(self._cmover())
        return None if _ffi.IS_UPSTREAM else nbytes


def _checked_flags(flags: SupportsIndex) -> int:
    bits = integer("flags", flags)
    if bits & ~_ffi.ALL_FLAGS:
        raise ValueError(
            f"flags has unknown bits ({bits:#x}): combine miniasync.Flags, or"
            " leave it 0"
        )
    return bits


def _within(name: str, value: int, least: int) -> int:
    number = integer(name, value)
    if not least <= number <= 2**63 - 1:
        raise ValueError(f"{name} must be from {least} to 2**63 - 1, but is {number}")
    return number
