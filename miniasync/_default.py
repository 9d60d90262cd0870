# SPDX-License-Identifier: BSD-3-Clause
"""The mover for who does not want to choose one, and its operations."""

from __future__ import annotations

import atexit
import os
from _thread import RLock
from typing import TYPE_CHECKING, Any, overload

from miniasync._batch import B
from miniasync._ending import finish_at_exit
from miniasync._movers import ThreadsMover

if TYPE_CHECKING:
    from collections.abc import Iterable

    from miniasync._batch import Integers
    from miniasync._buffers import SupportsBuffer
    from miniasync._future import Future

_mover: ThreadsMover | None = None
# Reentrant: a signal handler may want it, too.
_lock = RLock()


def default_mover() -> ThreadsMover:
    """The mover behind the module's own functions.

    It is made on first use, also in a forked child, and closed when the
    interpreter exits. Should anybody close it, the next call makes another.
    """
    mover = _mover
    if mover is None or mover._handle.closed:
        return _make()
    return mover


def memcpy(
    dst: B, src: SupportsBuffer, n: int | None = None, flags: int = 0
) -> Future[B]:
    """`DataMover.memcpy` of the default mover."""
    return default_mover().memcpy(dst, src, n, flags)


def memmove(
    dst: B, src: SupportsBuffer, n: int | None = None, flags: int = 0
) -> Future[B]:
    """`DataMover.memmove` of the default mover."""
    return default_mover().memmove(dst, src, n, flags)


def memset(dst: B, value: int, n: int | None = None, flags: int = 0) -> Future[B]:
    """`DataMover.memset` of the default mover."""
    return default_mover().memset(dst, value, n, flags)


def flush(buf: B, n: int | None = None, flags: int = 0) -> Future[B]:
    """`DataMover.flush` of the default mover."""
    return default_mover().flush(buf, n, flags)


@overload
def memcpy_batch(
    pairs: Iterable[tuple[B, SupportsBuffer] | tuple[B, SupportsBuffer, int]],
    flags: int = 0,
    *,
    disjoint: bool = False,
) -> Future[list[B]]: ...


@overload
def memcpy_batch(
    pairs: tuple[B, SupportsBuffer],
    flags: int = 0,
    *,
    dst_offsets: Integers | None = None,
    src_offsets: Integers | None = None,
    lengths: Integers,
    disjoint: bool = False,
) -> Future[B]: ...


def memcpy_batch(pairs: Any, flags: int = 0, **ranges: Any) -> Future[Any]:
    """`DataMover.memcpy_batch` of the default mover."""
    return default_mover().memcpy_batch(pairs, flags, **ranges)


@overload
def memset_batch(
    pairs: Iterable[tuple[B, int] | tuple[B, int, int]],
    flags: int = 0,
    *,
    disjoint: bool = False,
) -> Future[list[B]]: ...


@overload
def memset_batch(
    pairs: tuple[B, int],
    flags: int = 0,
    *,
    dst_offsets: Integers | None = None,
    lengths: Integers,
    disjoint: bool = False,
) -> Future[B]: ...


def memset_batch(pairs: Any, flags: int = 0, **ranges: Any) -> Future[Any]:
    """`DataMover.memset_batch` of the default mover."""
    return default_mover().memset_batch(pairs, flags, **ranges)


def _make() -> ThreadsMover:
    global _mover
    with _lock:
        while _mover is None or _mover._handle.closed:
            mover = ThreadsMover()
            if _mover is None or _mover._handle.closed:
                _mover = mover
        return _mover


def _close_at_exit() -> None:
    finish_at_exit()
    if _mover is not None:
        _mover.close()


def _after_fork_in_child() -> None:
    global _mover, _lock
    _mover = None
    _lock = RLock()


atexit.register(_close_at_exit)
os.register_at_fork(after_in_child=_after_fork_in_child)
