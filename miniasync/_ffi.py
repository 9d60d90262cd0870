# SPDX-License-Identifier: BSD-3-Clause
"""The one place where Python meets C.

Everything else in the package takes C functions and constants from here, where
they have types. Each call gives up the interpreter lock while it is in C.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from miniasync._miniasync import ffi as ffi
from miniasync._miniasync import lib as lib

# cffi's types say nothing about what a pointer points to.
CData: TypeAlias = Any

IS_UPSTREAM: bool = bool(lib.MA_PROVIDER_IS_UPSTREAM)
PROVIDER: str = ffi.string(lib.MINIASYNC_PROVIDER_NAME).decode()

MEMCPY: int = lib.VDM_OPERATION_MEMCPY
MEMMOVE: int = lib.VDM_OPERATION_MEMMOVE
MEMSET: int = lib.VDM_OPERATION_MEMSET
FLUSH: int = lib.VDM_OPERATION_FLUSH

MEM_DURABLE: int = lib.VDM_F_MEM_DURABLE
NO_CACHE_HINT: int = lib.VDM_F_NO_CACHE_HINT
ALL_FLAGS: int = lib.VDM_F_VALID_FLAGS

STATE_IDLE: int = lib.FUTURE_STATE_IDLE
STATE_RUNNING: int = lib.FUTURE_STATE_RUNNING
STATE_COMPLETE: int = lib.FUTURE_STATE_COMPLETE

SUCCESS: int = lib.VDM_SUCCESS
OUT_OF_MEMORY: int = lib.VDM_ERROR_OUT_OF_MEMORY
CORRUPTED: int = lib.VDM_ERROR_JOB_CORRUPTED
RUNNING: int = lib.MA_RUNNING
MAKE_ONLY: int = lib.MA_MAKE_ONLY

FOREVER: int = lib.FUTURE_WAITER_FOREVER

# Types looked up once: parsing their names costs as much as using them.
BYTES: CData = ffi.typeof("char[]")
# An array: memory of its own for the struct would take 64 bytes more.
SLOT: CData = ffi.typeof("struct vdm_operation_future[1]")
_FUTURE = ffi.typeof("struct future *")
_FUTURES = ffi.typeof("struct future *[]")

NULL: CData = ffi.NULL
from_buffer: Callable[..., CData] = ffi.from_buffer
memmove: Callable[..., None] = ffi.memmove
new: Callable[..., CData] = ffi.new
release: Callable[[CData], None] = ffi.release

run: Callable[..., int] = lib.ma_shim_run
wait: Callable[..., int] = lib.ma_shim_wait


def is_made(slot: CData) -> bool:
    """Has `run` made an operation in the slot? One that failed has no task."""
    base = slot[0].base
    return bool(base.task) or base.context.state == STATE_COMPLETE


def outcome(slot: CData) -> int:
    """What `run` would say of an operation, without polling it."""
    if slot[0].base.context.state != STATE_COMPLETE:
        return RUNNING
    result: int = slot[0].output.result
    return result


def as_future(slot: CData) -> CData:
    """The ``struct future *`` of a slot."""
    return ffi.cast(_FUTURE, slot)


def result_of(slot: CData) -> CData:
    """Where the result of a ``struct vdm_operation_future`` is, an ``int *``."""
    return ffi.cast("int *", ffi.addressof(slot[0], "output", "result"))


def new_chain(links: Sequence[tuple[CData, CData]]) -> CData:
    """Make a ``struct ma_chain *`` of futures and where their results are."""
    n = len(links)
    futures, results = zip(*links, strict=True)
    chain = ffi.new("struct ma_chain *", {"entries": n})
    lib.ma_chain_init(chain, future_array(futures), ffi.new("int *[]", results), n)
    return chain


def chain_future(chain: CData) -> CData:
    """The ``struct future *`` of a chain."""
    return ffi.addressof(chain, "base")


def address(pointer: CData) -> int:
    """Where it points to."""
    return int(ffi.cast("uintptr_t", pointer))


def counters_of(stats: CData) -> dict[str, int]:
    """The members of a pointer's struct by their names, without its size."""
    names = [name for name, _ in ffi.typeof(stats).item.fields if name != "size"]
    return {name: getattr(stats, name) for name in names}


def future_array(futures: Sequence[CData]) -> CData:
    """Return a ``struct future *[]``."""
    return ffi.new(_FUTURES, futures)


def run_future(future: CData, waiter: CData, timeout_ns: int) -> bool:
    """Poll a ``struct future *`` once, or wait for it; is it complete?

    Args:
        future: What to poll.
        waiter: What to wait with; NULL polls once.
        timeout_ns: How long to wait; a signal may cut it short.
    """
    return bool(lib.ma_shim_run_future(future, waiter, timeout_ns))


def new_event() -> CData:
    """Make a ``struct ma_event *``.

    Raises:
        MemoryError: There is no memory for it.
    """
    event = lib.ma_event_new()
    if not event:
        raise MemoryError("no memory for an event")
    return ffi.gc(event, lib.ma_event_delete)


def new_waiter() -> CData:
    """Make something to wait with, which is never deleted.

    Raises:
        MemoryError: There is no memory for it.
    """
    waiter = lib.future_waiter_new()
    if not waiter:
        raise MemoryError("no memory for a waiter")
    return waiter


def version() -> str:
    """The version that the files of LIBMINIASYNC_1.1 say they have."""
    text: bytes = ffi.string(lib.miniasync_version())
    return text.decode()
