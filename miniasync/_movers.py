# SPDX-License-Identifier: BSD-3-Clause
"""Movers: what moves bytes."""

from __future__ import annotations

import errno
from enum import IntFlag
from typing import TYPE_CHECKING, NamedTuple

from miniasync import _ffi
from miniasync._buffers import integer
from miniasync._closing import Closing
from miniasync._ffi import counters_of, ffi, lib
from miniasync._handle import Handle
from miniasync._operations import Operations
from miniasync._outstanding import outstanding
from miniasync.errors import ClosedError, NotSupportedError, OutOfMemoryError

if TYPE_CHECKING:
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


class DataMover(Operations, Closing):
    """What all movers can do; make a `SyncMover` or a `ThreadsMover`.

    Each operation returns a `Future` that has not been started. Buffers are
    whatever has the buffer protocol and is C-contiguous, of any item type; they
    are pinned until the future is done.
    """

    __slots__ = ("__weakref__", "_handle")

    # The flags that operations keep to, beyond what the C library announces.
    _honoured = 0 if _ffi.IS_UPSTREAM else _ffi.ALL_FLAGS

    _handle: Handle

    def __init__(self) -> None:
        raise TypeError("make a SyncMover or a ThreadsMover")

    def supports(self, flags: int) -> bool:
        """Whether operations of this mover keep to all of these flags.

        Args:
            flags: `Flags`, combined with ``|``.

        Raises:
            TypeError: `flags` is no integer.
            ValueError: It has unknown bits.
            ClosedError: The mover is closed.

        Example:
            >>> import miniasync
            >>> with miniasync.SyncMover() as mover:
            ...     mover.supports(miniasync.Flags(0))
            True
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

        Example:
            >>> import miniasync
            >>> with miniasync.SyncMover() as mover:
            ...     _ = mover.memset(bytearray(100), 1).result()
            ...     mover.stats()
            Stats(operations=1, bytes=100, pending=0)
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

    def _admit(self, flags: int) -> tuple[Handle, int]:
        handle = self._handle
        if handle.closed:
            raise ClosedError("the mover is closed: make another one")
        if type(flags) is int and flags == 0:
            return handle, 0
        bits = _checked_flags(flags)
        if bits & _ffi.MEM_DURABLE and not self.supports(_ffi.MEM_DURABLE):
            raise NotSupportedError(
                "flags: this mover cannot make bytes durable; leave MEM_DURABLE"
                " out and write them back by other means"
            )
        return handle, bits


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


def _checked_flags(flags: int) -> int:
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
