# SPDX-License-Identifier: BSD-3-Clause
"""The operations, each a future: what a mover does, and the module itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from miniasync import _ffi
from miniasync._batch import B, Batching
from miniasync._batch_buffers import checked_byte
from miniasync._buffers import pin_copy, pin_one
from miniasync._ffi import FLUSH, MEMCPY, MEMMOVE, MEMSET
from miniasync._future import Future, Operation
from miniasync._move import Move
from miniasync._small import SmallMove
from miniasync.errors import NotSupportedError

if TYPE_CHECKING:
    from typing import SupportsIndex

    from miniasync._buffers import SupportsBuffer

# What operations without flags share: see `Move`.
_COPY, _MOVE, _FLUSH = (MEMCPY, 0, 0), (MEMMOVE, 0, 0), (FLUSH, 0, 0)
_FILLS = [(MEMSET, byte, 0) for byte in range(256)]


class Operations(Batching):
    """Operations of one mover or another."""

    __slots__ = ()

    def memcpy(
        self,
        dst: B,
        src: SupportsBuffer,
        n: SupportsIndex | None = None,
        flags: int = 0,
    ) -> Future[B]:
        """Copy bytes between buffers that do not overlap.

        Nothing moves before the future is started, by its ``start`` or ``result``,
        by ``await`` or ``with``. Both buffers stay pinned until it is done.

        Args:
            dst: A writable C-contiguous buffer with items of any type: a bytearray,
                mmap, memoryview, NumPy array, tensor in the CPU's memory, ...
            src: A C-contiguous buffer.
            n: How many bytes, from the first of both on; None for all, if both have
                as many.
            flags: `Flags`, or 0.

        Returns:
            A future with `dst` as its result.

        Raises:
            TypeError: An argument is of a wrong type.
            ValueError: Sizes differ, `n` or `flags` is wrong, or both overlap.
            BufferError: `dst` is read-only, or one of both is not contiguous.
            ClosedError: The mover is closed.
            NotSupportedError: The mover cannot make bytes durable.

        Example:
            >>> import miniasync
            >>> dst = bytearray(5)
            >>> miniasync.memcpy(dst, b"bytes").result()
            bytearray(b'bytes')
            >>> with miniasync.memcpy(dst, b"BY...", 2):  # starts here
            ...     pass  # the program goes on meanwhile
            >>> dst
            bytearray(b'BYtes')
        """
        handle, bits = self._admit(flags)
        pinned = pin_copy(dst, src, n, False)
        kind = SmallMove if pinned[2] < handle.small and not bits else Move
        how = (MEMCPY, 0, bits) if bits else _COPY
        return Operation(kind(handle, how, pinned, dst))

    def memmove(
        self,
        dst: B,
        src: SupportsBuffer,
        n: SupportsIndex | None = None,
        flags: int = 0,
    ) -> Future[B]:
        """Copy bytes between buffers that may overlap.

        Like `memcpy`, but `dst` then has what `src` had before, whatever both share.

        Args:
            dst: A writable C-contiguous buffer.
            src: A C-contiguous buffer.
            n: How many bytes; None for all, if both have as many.
            flags: `Flags`, or 0.

        Returns:
            A future with `dst` as its result.

        Raises:
            TypeError: An argument is of a wrong type.
            ValueError: Sizes differ, or `n` or `flags` is wrong.
            BufferError: `dst` is read-only, or one of both is not contiguous.
            ClosedError: The mover is closed.
            NotSupportedError: The mover cannot make bytes durable.

        Example:
            >>> import miniasync
            >>> data = bytearray(b"abcdef")
            >>> view = memoryview(data)
            >>> _ = miniasync.memmove(view[1:], view[:5]).result()
            >>> data
            bytearray(b'aabcde')
        """
        handle, bits = self._admit(flags)
        pinned = pin_copy(dst, src, n, True)
        how = (MEMMOVE, 0, bits) if bits else _MOVE
        return Operation(Move(handle, how, pinned, dst))

    def memset(
        self,
        dst: B,
        value: SupportsIndex,
        n: SupportsIndex | None = None,
        flags: int = 0,
    ) -> Future[B]:
        r"""Fill a buffer with one byte.

        Nothing is written before the future is started; the buffer stays pinned
        until it is done.

        Args:
            dst: A writable C-contiguous buffer.
            value: The byte, from 0 to 255.
            n: How many bytes, from the first on; None for all.
            flags: `Flags`, or 0.

        Returns:
            A future with `dst` as its result.

        Raises:
            TypeError: An argument is of a wrong type.
            ValueError: `value`, `n` or `flags` is wrong.
            BufferError: `dst` is read-only or not contiguous.
            ClosedError: The mover is closed.
            NotSupportedError: The mover cannot make bytes durable.

        Example:
            >>> import miniasync
            >>> miniasync.memset(bytearray(5), 7, n=2).result()
            bytearray(b'\x07\x07\x00\x00\x00')
        """
        handle, bits = self._admit(flags)
        byte = checked_byte("value", value)
        pinned = pin_one("dst", dst, n, True)
        kind = SmallMove if pinned[2] < handle.small and not bits else Move
        how = (MEMSET, byte, bits) if bits else _FILLS[byte]
        return Operation(kind(handle, how, pinned, dst))

    def flush(
        self, buf: B, n: SupportsIndex | None = None, flags: int = 0
    ) -> Future[B]:
        """Write the cache lines of a buffer back to memory.

        That makes bytes durable on persistent memory; an ordinary file mapping
        needs its own ``flush``. Nothing happens before the future is started; the
        buffer stays pinned until it is done.

        Args:
            buf: A C-contiguous buffer; it is not changed.
            n: How many bytes, from the first on; None for all.
            flags: `Flags`, or 0.

        Returns:
            A future with `buf` as its result.

        Raises:
            TypeError: An argument is of a wrong type.
            ValueError: `n` or `flags` is wrong.
            BufferError: `buf` is not contiguous.
            ClosedError: The mover is closed.
            NotSupportedError: The C library in use cannot flush, or the mover
                cannot make bytes durable.

        Example:
            >>> import mmap
            >>> import miniasync
            >>> memory = mmap.mmap(-1, 4096)
            >>> copy = miniasync.memcpy(memory, b"record", 6)
            >>> miniasync.chain(copy, miniasync.flush(memory, 6)).result()[:6]
            b'record'
            >>> memory.close()
        """
        handle, bits = self._admit(flags)
        if _ffi.IS_UPSTREAM:
            raise NotSupportedError(
                "flush would end the process with this libminiasync, which is"
                " upstream's: install miniasync with its bundled C library"
            )
        pinned = pin_one("buf", buf, n, False)
        how = (FLUSH, 0, bits) if bits else _FLUSH
        return Operation(Move(handle, how, pinned, buf))
