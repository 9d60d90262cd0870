# SPDX-License-Identifier: BSD-3-Clause
"""Sizes and times as people write and read them."""

from __future__ import annotations

import re
import sys

_BINARY = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_DECIMAL = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) *([a-z]*)", re.ASCII | re.IGNORECASE)


def parse_size(text: str) -> int:
    """Read a size: ``4096``, ``64KiB``, ``64K``, ``1.5 MiB``, ``10MB``.

    ``K``, ``M``, ``G``, ``T`` alone are powers of 1024, as in ``KiB``; ``kB``,
    ``MB``, ``GB``, ``TB`` are powers of 1000.

    Args:
        text: What somebody typed.

    Returns:
        A number of bytes, at least 1.

    Raises:
        ValueError: It is not a size, or not a whole number of bytes from 1 on.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size; write it like 64KiB or 1MiB")
    number, unit = match[1], match[2].lower()
    factor = _DECIMAL.get(unit)
    if factor is None:
        factor = _BINARY.get("" if unit == "b" else unit.removesuffix("ib"))
    if factor is None or unit == "ib":
        raise ValueError(f"{text!r} has an unknown unit; use KiB, MiB, GiB or TiB")
    whole, _, fraction = number.partition(".")
    # Exact arithmetic: a float would make 0.1 KiB look like whole bytes.
    scale: int = 10 ** len(fraction)
    size, rest = divmod(int(whole + fraction) * factor, scale)
    if rest or not 1 <= size <= sys.maxsize:
        raise ValueError(
            f"{text!r} has to be a whole number of bytes from 1 to {sys.maxsize}"
        )
    return size


def format_size(size: int) -> str:
    """Write a size with the largest unit that fits: ``64 KiB``, ``1.5 MiB``."""
    value, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        del units[0]
    return f"{value:.1f}".removesuffix(".0") + f" {units[0]}"


def format_ns(ns: float) -> str:
    """Write a time given in nanoseconds with three figures: ``1.24 us``."""
    value, units = ns, ["ns", "us", "ms", "s"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        del units[0]
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {units[0]}"
