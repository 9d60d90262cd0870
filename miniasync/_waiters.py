# SPDX-License-Identifier: BSD-3-Clause
"""What Python threads sleep in while C works.

A waiter of the C library is never deleted: an operation that was waited for in
vain may still wake it. Others use it again instead.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from weakref import WeakSet

from miniasync._ffi import lib

if TYPE_CHECKING:
    from miniasync._ffi import CData

_spare: list[CData] = []
_waiters: WeakSet[Waiter] = WeakSet()


def _new() -> CData:
    try:  # one step, since several threads may do it
        return _spare.pop()
    except IndexError:
        pass
    cdata = lib.future_waiter_new()
    if not cdata:
        raise MemoryError("no memory to wait with")
    return cdata


class Waiter:
    """A waiter of the C library, and after a fork a fresh one.

    Attributes:
        cdata: The ``struct future_waiter *``, good in this process.
    """

    __slots__ = ("__weakref__", "cdata")

    def __init__(self) -> None:
        self.cdata = _new()
        _waiters.add(self)

    def __del__(self, spare: list[CData] = _spare) -> None:
        try:
            cdata = self.cdata
        except AttributeError:
            return  # a signal handler raised before it was made
        spare.append(cdata)


def _after_fork_in_child() -> None:
    # Threads that the child does not have may have been inside.
    _spare.clear()
    for waiter in _waiters:
        waiter.cdata = _new()


os.register_at_fork(after_in_child=_after_fork_in_child)

shared = Waiter()
