# SPDX-License-Identifier: BSD-3-Clause
"""Which C library is in use."""

from __future__ import annotations

from typing import NamedTuple

from miniasync import _ffi


class Provider(NamedTuple):
    """The C library behind the package.

    Attributes:
        name: ``bundled``, or ``system`` for one that was installed before.
        version: Its version; None where it does not say.
        is_upstream: Whether it lacks what this project has added to upstream's
            interface.
    """

    name: str
    version: str | None
    is_upstream: bool


def provider() -> Provider:
    """Say which C library is in use."""
    version = None if _ffi.IS_UPSTREAM else _ffi.version()
    return Provider(_ffi.PROVIDER, version, _ffi.IS_UPSTREAM)
