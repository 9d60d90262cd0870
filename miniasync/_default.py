# SPDX-License-Identifier: BSD-3-Clause
"""The mover for who does not want to choose one, and its operations."""

from __future__ import annotations

import atexit
import os
from _thread import RLock
from typing import TYPE_CHECKING

from miniasync._ending import finish_at_exit
from miniasync._movers import ThreadsMover
from miniasync._operations import Operations

if TYPE_CHECKING:
    from miniasync._handle import Handle

_mover: ThreadsMover | None = None
# Reentrant: a signal handler may want it, too.
_lock = RLock()


def default_mover() -> ThreadsMover:
    r"""The mover behind the module's own functions.

    It is made on first use, also in a forked child, and closed when the
    interpreter exits. Should anybody close it, the next call makes another.

    Example:
        >>> import miniasync
        >>> mover = miniasync.default_mover()
        >>> mover.memset(bytearray(2), 1).result()
        bytearray(b'\x01\x01')
        >>> miniasync.default_mover() is mover
        True
    """
    mover = _mover
    if mover is None or mover._handle.closed:
        return _make()
    return mover


class _Default(Operations):
    """Operations of whichever mover is the default one when they are made."""

    __slots__ = ()

    def _admit(self, flags: int) -> tuple[Handle, int]:
        return default_mover()._admit(flags)

    def __reduce__(self) -> str:
        return "_operations"


# Methods of this, so that they have the signatures and the documentation of those.
_operations = _Default()
memcpy = _operations.memcpy
memmove = _operations.memmove
memset = _operations.memset
flush = _operations.flush
memcpy_batch = _operations.memcpy_batch
memset_batch = _operations.memset_batch


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
