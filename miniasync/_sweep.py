# SPDX-License-Identifier: BSD-3-Clause
"""Letting go of what only its own destination still knows.

The end of an operation is seen by who polls it. A future that its destination
holds, an attribute of it perhaps, is never dropped while it runs, because the
destination is pinned: both are forgotten together, and nobody polls. Once the
operation has ended they are a cycle like any other. So the garbage collector,
which would free that cycle, has the operations polled first.

It runs at any point of any thread, like finalizers. A flight whose lock is taken is
passed by, and so is one that somebody is interested in: that one is watched.
"""

from __future__ import annotations

import gc

from miniasync._outstanding import outstanding


def _before_collection(phase: str, info: dict[str, int]) -> None:
    # The youngest generation is collected too often, and seldom to the point.
    if phase != "start" or info["generation"] == 0 or not outstanding:
        return
    for flight in outstanding.copy():
        if flight.interest is None and flight.parent is None:
            flight.look()


gc.callbacks.append(_before_collection)
