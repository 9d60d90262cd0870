# SPDX-License-Identifier: BSD-3-Clause
"""Timeouts, as users give them."""

from __future__ import annotations

import math
from time import monotonic_ns

# About 73 years, so that adding the time of day stays within 64 bits.
_LONGEST_NS = 2**61


def deadline_of(timeout: float | None) -> int | None:
    """What `deadline_after` returns; None if there is no timeout."""
    return None if timeout is None else deadline_after(timeout)


def deadline_after(timeout: float) -> int:
    """Return the time of `monotonic_ns` when a timeout in seconds is over.

    Not earlier than now.

    Raises:
        TypeError: It is no number.
        ValueError: It is not a number.
    """
    return monotonic_ns() + _to_nanoseconds(timeout)


def _to_nanoseconds(timeout: float) -> int:
    try:
        nanoseconds = timeout * 1e9
        if math.isnan(nanoseconds):
            raise ValueError("timeout must not be NaN")
        return max(0, min(int(nanoseconds), _LONGEST_NS))
    except OverflowError:
        return _LONGEST_NS if timeout > 0 else 0
    except TypeError:
        kind = type(timeout).__name__
        raise TypeError(
            f"timeout must be a number of seconds or None, not {kind}"
        ) from None
