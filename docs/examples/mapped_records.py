# SPDX-License-Identifier: BSD-3-Clause
"""Collect one field of all records of a large file, and write it into another file.

Both files are mapped. One future has all the copies, which it finds through an
array of offsets: no Python object for each of them.
"""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import numpy as np

import miniasync

RECORD, FIELD_AT, FIELD = 256, 32, 64


def collect(records: Path, fields: Path) -> int:
    """Copy the field of each record; how many there are."""
    count = records.stat().st_size // RECORD
    with records.open("rb") as source, fields.open("w+b") as target:
        target.truncate(count * FIELD)
        with (
            mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as src,
            mmap.mmap(target.fileno(), 0) as dst,
        ):
            at = np.arange(count) * RECORD + FIELD_AT
            miniasync.memcpy_batch((dst, src), src_offsets=at, lengths=FIELD).result()
            dst.flush()
    return count


def main() -> None:
    """Make a file of records, unless one is named, and collect their fields."""
    records, fields = Path(sys.argv[1]), Path(sys.argv[2])
    if not records.exists():
        numbers = np.arange(200_000, dtype=np.uint32)
        numbers.repeat(RECORD // 4).tofile(records)
    print(f"collected {collect(records, fields)} fields of {FIELD} bytes")


if __name__ == "__main__":
    main()
