# SPDX-License-Identifier: BSD-3-Clause
"""What can go wrong, apart from misuse.

Misuse raises plain `TypeError`, `ValueError` or `BufferError`. Each class here
is also one of Python's own, so that code which knows nothing of this package
handles it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BatchError",
    "ClosedError",
    "JobCorruptedError",
    "MiniasyncError",
    "NotSupportedError",
    "OutOfMemoryError",
]


class MiniasyncError(Exception):
    """The base of the errors below; never raised itself."""


class NotSupportedError(MiniasyncError, NotImplementedError):
    """The C library in use, or the mover, cannot do this."""


class ClosedError(MiniasyncError, ValueError):
    """The mover or runtime was closed before the call."""


class OutOfMemoryError(MiniasyncError, MemoryError):
    """There was no memory, or no thread, for it. Nothing was moved."""


class JobCorruptedError(MiniasyncError, RuntimeError):
    """The operation failed; what the destination holds is unknown."""


class BatchError(MiniasyncError):
    """Operations of a batch failed; the others are complete.

    Attributes:
        errors: What each of them would have raised by itself, by its index.
    """

    def __init__(self, message: str, errors: Mapping[int, Exception]) -> None:
        """Take the message, and what `errors` is to be."""
        super().__init__(message, errors)
        self.errors = dict(errors)

    def __str__(self) -> str:
        """The message."""
        return str(self.args[0])
