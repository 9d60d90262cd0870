# SPDX-License-Identifier: BSD-3-Clause
"""Memory moved in the background, as futures.

>>> import miniasync
>>> dst = bytearray(5)
>>> miniasync.memcpy(dst, b"bytes").result()
bytearray(b'bytes')
"""

import miniasync._forked  # they add themselves to what a fork calls
import miniasync._sweep  # noqa: F401 - and to the garbage collector
from miniasync._chain import chain
from miniasync._default import (
    default_mover,
    flush,
    memcpy,
    memcpy_batch,
    memmove,
    memset,
    memset_batch,
)
from miniasync._dml import DmlMover
from miniasync._ffi import ffi, lib
from miniasync._future import Future, State
from miniasync._movers import DataMover, Flags, Stats, SyncMover, ThreadsMover
from miniasync._provider import Provider, provider
from miniasync._runtime import Runtime
from miniasync._step import PENDING, Pending, Waker
from miniasync._wait import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    DoneAndNotDoneFutures,
    as_completed,
    wait,
)
from miniasync.errors import (
    BatchError,
    ClosedError,
    JobCorruptedError,
    MiniasyncError,
    NotSupportedError,
    OutOfMemoryError,
)

__version__ = "0.1.0"

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "PENDING",
    "BatchError",
    "ClosedError",
    "DataMover",
    "DmlMover",
    "DoneAndNotDoneFutures",
    "Flags",
    "Future",
    "JobCorruptedError",
    "MiniasyncError",
    "NotSupportedError",
    "OutOfMemoryError",
    "Pending",
    "Provider",
    "Runtime",
    "State",
    "Stats",
    "SyncMover",
    "ThreadsMover",
    "Waker",
    "__version__",
    "as_completed",
    "chain",
    "default_mover",
    "ffi",
    "flush",
    "lib",
    "memcpy",
    "memcpy_batch",
    "memmove",
    "memset",
    "memset_batch",
    "provider",
    "wait",
]
