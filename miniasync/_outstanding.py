# SPDX-License-Identifier: BSD-3-Clause
"""What C works for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from miniasync._flight import Flight

outstanding: dict[Flight, None] = {}

exiting = False
"""Whether the interpreter is about to end."""
