# SPDX-License-Identifier: BSD-3-Clause
"""The C interface through ffi and lib, with nothing of ours in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import miniasync
from miniasync import ffi, lib


@pytest.fixture(params=["sync", "threads"])
def vdm(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The struct vdm of a mover made by hand."""
    if request.param == "sync":
        mover = lib.data_mover_sync_new()
        assert mover
        yield lib.data_mover_sync_get_vdm(mover)
        lib.data_mover_sync_delete(mover)
    else:
        mover = lib.data_mover_threads_new(2, 128, lib.FUTURE_NOTIFIER_WAKER)
        assert mover
        yield lib.data_mover_threads_get_vdm(mover)
        lib.data_mover_threads_delete(mover)


@pytest.fixture
def runtime() -> Iterator[Any]:
    runtime = lib.runtime_new()
    assert runtime
    yield runtime
    lib.runtime_delete(runtime)


def base(future: Any) -> Any:
    return ffi.addressof(future, "base")


def test_a_copy_made_polled_and_checked_by_hand(vdm: Any) -> None:
    src = ffi.new("char[]", b"copied by hand")
    dst = ffi.new("char[]", len(src))
    future = ffi.new("struct vdm_operation_future *")
    future[0] = lib.vdm_memcpy(vdm, dst, src, len(src), 0)
    assert future.base.context.state == lib.FUTURE_STATE_IDLE
    assert future.data.vdm == vdm
    assert future.data.operation.type == lib.VDM_OPERATION_MEMCPY
    assert future.data.operation.data.memcpy.n == len(src)
    assert not any(bytes(ffi.buffer(dst)))

    while lib.future_poll(base(future), ffi.NULL) != lib.FUTURE_STATE_COMPLETE:
        pass
    assert future.output.result == lib.VDM_SUCCESS
    assert future.output.type == lib.VDM_OPERATION_MEMCPY
    assert future.output.output.memcpy.dest == dst
    assert ffi.string(dst) == b"copied by hand"


def test_the_runtime(vdm: Any, runtime: Any) -> None:
    buffers = [ffi.new("char[100]") for _ in range(20)]
    futures = ffi.new("struct vdm_operation_future[]", 20)
    array = ffi.new("struct future *[]", 20)
    for i, buffer in enumerate(buffers):
        futures[i] = lib.vdm_memset(vdm, buffer, i, 100, 0)
        array[i] = base(futures[i])
    lib.runtime_wait(runtime, array[0])
    assert bytes(ffi.buffer(buffers[0])) == bytes(100)
    lib.runtime_wait_multiple(runtime, array + 1, 19)
    for i, buffer in enumerate(buffers):
        assert bytes(ffi.buffer(buffer)) == bytes([i]) * 100
        assert futures[i].output.output.memset.str == buffer


def test_the_waiter(vdm: Any) -> None:
    waiter = lib.future_waiter_new()
    buffer = ffi.new("char[]", b"abcdef")
    future = ffi.new("struct vdm_operation_future *")
    future[0] = lib.vdm_memmove(vdm, buffer + 1, buffer, 5, 0)
    array = ffi.new("struct future *[]", [base(future)])
    forever = lib.FUTURE_WAITER_FOREVER
    assert lib.future_waiter_wait(waiter, array, 1, 1, forever, 0) == 0
    assert ffi.string(buffer) == b"aabcde"
    lib.future_waiter_delete(waiter)


def test_releasing_what_was_never_polled(vdm: Any) -> None:
    buffer = ffi.new("char[10]")
    future = ffi.new("struct vdm_operation_future *")
    future[0] = lib.vdm_memset(vdm, buffer, 1, 10, 0)
    assert lib.vdm_operation_release(future) == 0
    assert future.base.context.state == lib.FUTURE_STATE_COMPLETE
    assert future.output.result == lib.VDM_ERROR_JOB_CORRUPTED
    assert not any(bytes(ffi.buffer(buffer)))


@pytest.mark.not_upstream
def test_flush(vdm: Any, runtime: Any) -> None:
    buffer = ffi.new("char[100]")
    future = ffi.new("struct vdm_operation_future *")
    future[0] = lib.vdm_flush(vdm, buffer, 100, lib.VDM_F_MEM_DURABLE)
    lib.runtime_wait(runtime, base(future))
    assert future.output.result == lib.VDM_SUCCESS


def test_an_operation_filled_in_by_hand(vdm: Any, runtime: Any) -> None:
    buffer = ffi.new("char[10]")
    future = ffi.new("struct vdm_operation_future *")
    operation = future.data.operation
    operation.type = lib.VDM_OPERATION_MEMSET
    operation.data.memset.str = buffer
    operation.data.memset.c = 9
    operation.data.memset.n = 10
    lib.vdm_generic_operation(vdm, future)
    lib.runtime_wait(runtime, base(future))
    assert bytes(ffi.buffer(buffer)) == b"\t" * 10


def test_a_task_in_python(runtime: Any) -> None:
    polls = []

    @ffi.callback("future_task_fn")  # type: ignore[untyped-decorator]
    def task(context: Any, notifier: Any) -> int:
        polls.append(context)
        output = ffi.cast("int *", lib.future_context_get_output(context))
        output[0] = len(polls)
        done = len(polls) == 3
        return int(lib.FUTURE_STATE_COMPLETE if done else lib.FUTURE_STATE_RUNNING)

    memory = ffi.new("char[64]")
    future = ffi.cast("struct future *", memory)
    future.task = task
    future.context.output_size = ffi.sizeof("int")
    context = ffi.addressof(future, "context")
    lib.runtime_wait(runtime, future)
    assert ffi.cast("int *", lib.future_context_get_output(context))[0] == 3
    assert lib.future_has_property(future, lib.FUTURE_PROPERTY_ASYNC) == 0


def test_the_movers_of_python_are_those_of_c() -> None:
    with miniasync.SyncMover() as mover:
        vdm = mover.vdm
        assert vdm.op_new
        assert vdm.op_start
        assert vdm.capabilities == 0


def test_layouts() -> None:
    # cffi asked the C compiler, so this is about what the cdef leaves out.
    sizes = {
        "struct future_context": 24,
        "struct future_waker": 16,
        "struct future_poller": 8,
        "struct future_notifier": 32,
        "struct future": 40,
        "struct vdm_operation": 48,
        "struct vdm_operation_data": 64,
        "struct vdm_operation_output": 16,
        "struct vdm_operation_future": 120,
        "struct vdm": 48,
    }
    assert {name: ffi.sizeof(name) for name in sizes} == sizes
    assert ffi.sizeof("struct vdm_operation") - 8 == lib.VDM_OPERATION_DATA_MAX_SIZE
