# SPDX-License-Identifier: BSD-3-Clause
"""Who keeps a C mover alive."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from miniasync import _ffi
from miniasync._ending import finish_all
from miniasync._ffi import ffi
from miniasync._outstanding import outstanding
from miniasync.errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from miniasync._ffi import CData


class Handle:
    """A C mover, shared by its Python mover and the flights on it.

    The C mover is deleted when nobody has it any more: the handle, while it is
    open or a flight needs it, or what `export` gave out.

    Attributes:
        closed: Nothing may be started any more.
        cmover: The C mover, None once it is closed and nobody uses it.
        is_silent: Its operations wake nobody when they are complete.
        home: The only process in which it works, None if forked ones are as good:
            in a child, a mover with threads of upstream's library hangs.
        nbytes: How many bytes its complete operations were about.
        operations: How many are complete, and ended well.
        small: Operations of fewer bytes may be done without it, in Python.
        vdm: Its ``struct vdm *``, likewise.
    """

    __slots__ = (
        "closed",
        "cmover",
        "home",
        "is_silent",
        "nbytes",
        "operations",
        "small",
        "vdm",
    )

    def __init__(
        self,
        cmover: CData,
        vdm: CData,
        delete: Callable[[CData], None],
        *,
        has_threads: bool,
    ) -> None:
        self.closed = False
        self.is_silent = False
        self.nbytes = 0
        self.operations = 0
        self.small = 0
        self.home = os.getpid() if has_threads and _ffi.IS_UPSTREAM else None
        self.cmover: CData = ffi.gc(cmover, partial(_delete, delete, os.getpid()))
        self.vdm = vdm

    def close(self) -> None:
        """Wait for what has been started; nothing else will be."""
        self.closed = True
        finish_all(self)
        if any(
            flight.uses(self) and flight.root().lock.locked()
            for flight in outstanding.copy()
        ):
            # A signal handler closes it, and what that has interrupted is about to
            # look at what C has completed, or not done yet: with the C mover.
            return
        self.vdm = self.cmover = None

    def count(self, operations: int, nbytes: int) -> None:
        """Count what has ended well.

        In one piece with others' counting: the interpreter changes threads at
        calls and jumps only.
        """
        self.operations += operations
        self.nbytes += nbytes

    def export(self) -> CData:
        """Return the ``struct vdm *`` as something that keeps the C mover.

        Raises:
            ClosedError: The mover is closed.
        """
        vdm, cmover = self.vdm, self.cmover
        if self.closed or cmover is None:
            raise ClosedError("the mover is closed: make another one")
        # The destructor does nothing but hold the C mover until it is called.
        return ffi.gc(vdm, partial(_forget, cmover))


def _delete(
    delete: Callable[[CData], None],
    pid: int,
    cmover: CData,
    getpid: Callable[[], int] = os.getpid,
) -> None:
    # Upstream's library would wait for threads that a forked child has not.
    if not _ffi.IS_UPSTREAM or pid == getpid():
        delete(cmover)


def _forget(cmover: CData, vdm: CData) -> None:
    pass
