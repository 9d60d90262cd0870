# SPDX-License-Identifier: BSD-3-Clause
"""What taking locks and waiting have in common: see `_flight`."""

from __future__ import annotations

from operator import methodcaller
from typing import NoReturn

# The longest sleep between two looks at signals.
SLICE_NS = 50_000_000

# Arguments of a lock's acquire, for `map`: what a signal handler raises comes after
# any call, also one that has just taken a lock; but not after a loop's next item.
TRY = (False,)
WAIT = (True,)

# For the same use: a flight's lock is taken, and `holder` written, if it is true.
enter = methodcaller("enter")


def refuse() -> NoReturn:
    """Say that this thread would wait for what it is about itself."""
    raise RuntimeError(
        "this thread is at this future already: what interrupts it, such as a signal"
        " handler, and what it runs, such as a step, cannot wait for it"
    )
