# SPDX-License-Identifier: BSD-3-Clause
"""The mover for Intel DSA."""

from __future__ import annotations

import errno
import os

from miniasync._ffi import counters_of, ffi, lib
from miniasync._handle import Handle
from miniasync._movers import DataMover
from miniasync.errors import NotSupportedError, OutOfMemoryError

_PATHS: dict[str, int] = {
    "auto": lib.DATA_MOVER_DML_AUTO,
    "hardware": lib.DATA_MOVER_DML_HARDWARE,
    "software": lib.DATA_MOVER_DML_SOFTWARE,
}


class DmlMover(DataMover):
    """Moves bytes with Intel's Data Streaming Accelerator, through libdml.

    The device works beside the program; what it refuses or cannot finish is done
    by the processor, so operations end well whatever it does. Without a device,
    an operation is done by the thread that starts it.

    Args:
        path: ``"hardware"`` insists on the device. ``"auto"`` uses it where there
            is one and where that helps. ``"software"`` is libdml's own code, for
            comparison.

    Raises:
        TypeError: `path` is no string.
        ValueError: It is none of the three.
        NotSupportedError: This build has no libdml, or, with ``"hardware"``, this
            process has no device that it may use.
        OutOfMemoryError: There is no memory for it.
    """

    __slots__ = ()

    def __init__(self, path: str = "auto") -> None:
        if not isinstance(path, str):
            raise TypeError(f"path must be a string, not {type(path).__name__}")
        if path not in _PATHS:
            raise ValueError(
                f"path must be 'auto', 'hardware' or 'software', not {path!r}"
            )
        mover = lib.data_mover_dml_new(_PATHS[path])
        if not mover:
            raise _refusal(ffi.errno)
        vdm = lib.data_mover_dml_get_vdm(mover)
        self._handle = Handle(mover, vdm, lib.data_mover_dml_delete, has_threads=False)
        # The device wakes nobody.
        self._handle.is_silent = self.uses_hardware

    @property
    def uses_hardware(self) -> bool:
        """Whether it has a device.

        Raises:
            ClosedError: The mover is closed.
        """
        return bool(self.dml_stats()["hardware"])

    def dml_stats(self) -> dict[str, int]:
        """What it has done so far, and how, by the names of the C library.

        `miniasync_vdm_dml(7)` explains each.

        Raises:
            ClosedError: The mover is closed.
        """
        stats = ffi.new("struct data_mover_dml_stats *")
        stats.size = ffi.sizeof("struct data_mover_dml_stats")
        lib.data_mover_dml_get_stats(self._cmover(), stats)
        return counters_of(stats)


def _refusal(number: int) -> Exception:
    if number == errno.ENOTSUP:
        return NotSupportedError(
            "this build of miniasync has no DML backend: install libdml 1.1 or"
            " later (github.com/intel/DML), then build miniasync from source with"
            " MINIASYNC_DML=ON, and CMAKE_PREFIX_PATH saying where libdml is"
        )
    if number == errno.ENODEV:
        return NotSupportedError(
            "there is no DSA device that this process may use: see what"
            " 'miniasync info' says of it, or choose path='auto'"
        )
    if number == errno.ENOMEM:
        return OutOfMemoryError("no memory for a mover")
    return OSError(number, os.strerror(number))
