# SPDX-License-Identifier: BSD-3-Clause
"""Which flights are to be looked at, and when.

`_entries` says what holds. The heap says which is first, and may hold entries that
hold no more: nobody searches it. They go when they come first, or with `_rebuild`
when they are many. Each is kept by number, so that no two compare by their flights,
which they forget early.

Other threads, finalizers and signal handlers come between any two steps, but not
into one of `heapq`'s, which is in C and calls nothing.

* An entry is in `_entries` before it is in the heap, and `_rebuild` begins a new
  heap before it copies `_entries`: who still adds to the old one is in the copy. So
  every entry is in the heap, if not in one that somebody is building.
* One is looked at and another one popped, if it came in between. That is put back.
* What an exception of a signal handler leaves out, `_rebuild` puts in. An entry may
  come to be in the heap twice: then its flight is looked at once too often.
* `take` leaves what it takes in `_entries`: who takes it is to add it again or to
  discard it, and after an exception, also one in `take`, to add all again.

`add` says when the heap was rebuilt: others may have looked at half of it, and are
to look again.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from miniasync._flight import Flight

NEVER = 2**64 - 1

# So many entries that hold no more are nothing to worry about.
_FEW = 64

_numbers = count()

# When, a number of its own, and the flight or None: a list, since it forgets.
_Entry = list[Any]


class Due:
    """Flights, each with a time of `monotonic_ns`."""

    __slots__ = ("_entries", "_heap")

    def __init__(self) -> None:
        self._entries: dict[Flight, _Entry] = {}
        self._heap: list[_Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, flight: Flight) -> bool:
        return flight in self._entries

    def flights(self) -> list[Flight]:
        """All of them, in no order."""
        return [*self._entries.copy()]

    def clear(self) -> None:
        """Forget them all."""
        self._entries.clear()
        self._heap = []

    def add(self, flight: Flight, when: int) -> bool:
        """Note or change when to look at one.

        Returns:
            Whether who has looked for the first meanwhile is to look again.
        """
        entry = [when, next(_numbers), flight]
        self._entries[flight] = entry
        heappush(self._heap, entry)
        if len(self._heap) <= 2 * len(self._entries) + _FEW:
            return False
        self._rebuild()
        return True

    def discard(self, flight: Flight) -> None:
        """Do not look at it."""
        entry = self._entries.pop(flight, None)
        if entry is not None:
            entry[2] = None

    def first(self) -> int:
        """When to look at the first; `NEVER` if there is none."""
        try:
            while self._heap:
                heap = self._heap
                entry = heap[0]
                if self._holds(entry):
                    when: int = entry[0]
                    return when
                popped = heappop(heap)
                if popped is not entry and self._holds(popped):
                    heappush(self._heap, popped)
        except IndexError:
            return self.first()  # another thread took the last
        except BaseException:
            self._rebuild()
            raise
        return NEVER

    def take(self, now: int) -> list[Flight]:
        """Those whose time has come, the first first."""
        taken: list[Flight] = []
        try:
            while self._heap:
                heap = self._heap
                if heap[0][0] > now:
                    break
                popped = heappop(heap)
                if self._holds(popped):
                    if popped[0] > now:
                        heappush(self._heap, popped)
                    else:
                        taken.append(popped[2])
        except IndexError:
            pass  # another thread took the last
        return taken

    def _holds(self, entry: _Entry) -> bool:
        flight = entry[2]
        return flight is not None and self._entries.get(flight) is entry

    def _rebuild(self) -> None:
        """Make a heap of the entries that hold."""
        try:
            self._heap = []
            for entry in self._entries.copy().values():
                heappush(self._heap, entry)
        except BaseException:
            self._rebuild()
            raise
