# SPDX-License-Identifier: BSD-3-Clause
"""Is a buffer pinned?"""

from __future__ import annotations


def free(buffer: bytearray) -> bool:
    """Whether nothing pins the bytearray: only then can it be resized."""
    try:
        buffer.append(0)
    except BufferError:
        return False
    del buffer[-1]
    return True
