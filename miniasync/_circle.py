# SPDX-License-Identifier: BSD-3-Clause
"""Chains that would wait for one another.

A chain waits for a step that somebody else has: another thread, or another chain,
which in turn may wait for a step that is somebody else's. If that leads back to the
first one, all would wait in vain.

Who asks holds the lock of his own chain only, and the others go on between two looks.
So what is seen one after another need not be so at any one time: a chain may have
given back what was found with it before it came to where it is found afterwards. But
nothing of this is so again when it is over: no chain gets back a step that it has
given back, nor comes to a step again. What two looks find was so in between. If all
that the first look finds is found once more by a second one, all of it was so when
the first one ended, and nobody can have gone on since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from miniasync._flight import Flight


def is_waited_for_by(chain: Flight, flight: Flight) -> bool:
    """Whether what a chain is to wait for waits for this chain. Its lock is held."""
    path = _path(chain, flight)
    return path is not None and path == _path(chain, flight)


def _path(chain: Flight, flight: Flight) -> list[Flight] | None:
    """What is waited for and who has it, by turns, back to the chain, if it is so."""
    path: list[Flight] = []
    roots: set[Flight] = set()
    other: Flight | None = flight
    while other is not None:
        root = other.root()
        path += [other, root]
        if root is chain:
            return path
        if root in roots:
            break
        roots.add(root)
        other = root.about()
    return None
