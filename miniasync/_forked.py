# SPDX-License-Identifier: BSD-3-Clause
"""What becomes of flights in a forked child.

Workers and other threads stayed behind, with the locks that they had and with what
they were doing. What had begun ends here. What was idle is as it was, though a chain
may just have taken it: that chain takes nobody further. Only what this thread was
about itself, when a signal handler or a function of the user's forked, goes on, and
is given back by who has it.

The codes come before the memory is given back, unlike in `Flight.settle`. There is no
other thread to see that. But the flights let go of what the user made, and
destructors, which may look at any other flight, come in between. One that finds the
end too early cannot resize a buffer yet; one that does not find it would wait for a
worker that there is not. What the user registered to be called in the child is called
before all of this, or after.
"""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident

from miniasync._driven import taken
from miniasync._ends import FORKED, PENDING
from miniasync._outstanding import outstanding


def _after_fork_in_child() -> None:
    me = get_ident()
    flights = [*outstanding.copy(), *tuple(taken)]
    left = [flight for flight in flights if flight.root().holder != me]
    begun = [flight for flight in flights if flight.slot is not None]
    for flight in left:
        if flight.lock.locked():
            # Else not: what a signal handler interrupted may be about to take it.
            flight.lock = allocate_lock()
        flight.holder = flight.parent = None
    for flight in flights:
        if flight.code != PENDING or flight.slot is not None:
            flight.interest = None
    for flight in begun:
        if flight.code == PENDING:
            flight.code = FORKED  # of all, see above
    for flight in begun:
        flight.settle(flight.code)


os.register_at_fork(after_in_child=_after_fork_in_child)
