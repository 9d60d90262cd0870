# SPDX-License-Identifier: BSD-3-Clause
"""The C side of chains, through ffi."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import miniasync
from miniasync import ffi, lib

RUNNING, COMPLETE = lib.FUTURE_STATE_RUNNING, lib.FUTURE_STATE_COMPLETE
NONE, WAKER = lib.FUTURE_NOTIFIER_NONE, lib.FUTURE_NOTIFIER_WAKER


class Step:
    """A future that is complete when the test says so."""

    def __init__(self, code: int = 0) -> None:
        self.complete = False
        self.wakers: list[int | None] = []
        self.future = ffi.new("struct future *")
        self.code = ffi.new("int *", 77)

        @ffi.callback("future_task_fn")  # type: ignore[untyped-decorator]
        def task(context: Any, n: Any) -> int:
            if n == ffi.NULL:
                self.wakers.append(None)
            else:
                self.wakers.append(int(ffi.cast("intptr_t", n.waker.data)))
                n.notifier_used = WAKER
            if not self.complete:
                return int(RUNNING)
            self.code[0] = code
            return int(COMPLETE)

        @ffi.callback("future_has_property_fn")  # type: ignore[untyped-decorator]
        def has_property(future: Any, prop: int) -> int:
            return 5

        self._keep = (task, has_property)
        self.future.task = task
        self.future.has_property = has_property


class Chain:
    def __init__(self, targets: Sequence[Any], codes: Sequence[Any]) -> None:
        n = len(targets)
        self.cdata = ffi.new("struct ma_chain *", {"entries": n})
        futures = ffi.new("struct future *[]", list(targets))
        results = ffi.new("int *[]", list(codes))
        lib.ma_chain_init(self.cdata, futures, results, n)
        self.base = ffi.addressof(self.cdata, "base")

    @property
    def code(self) -> tuple[int, int]:
        return self.cdata.code, self.cdata.index

    def poll(self, waker: int | None = None) -> tuple[int, int]:
        """Poll with a waker of this number; the state and what was announced."""
        if waker is None:
            return lib.future_poll(self.base, ffi.NULL), NONE
        notifier = ffi.new("struct future_notifier *")
        notifier.waker.data = ffi.cast("void *", waker)
        return lib.future_poll(self.base, notifier), notifier.notifier_used


def chain(*steps: Step) -> Chain:
    return Chain([step.future for step in steps], [step.code for step in steps])


@pytest.fixture(params=["sync", "threads"])
def vdm(request: pytest.FixtureRequest) -> Iterator[Any]:
    kind = {"sync": miniasync.SyncMover, "threads": miniasync.ThreadsMover}
    with kind[request.param]() as mover:
        yield mover.vdm


def test_one_after_another_with_the_notifier_of_the_poll() -> None:
    steps = a, b, c = Step(), Step(), Step()
    both = chain(*steps)
    assert both.cdata.code == lib.MA_RUNNING
    assert both.poll(1) == (RUNNING, WAKER)
    assert both.poll() == (RUNNING, NONE)
    assert (a.wakers, b.wakers) == ([1, None], [])
    a.complete = True
    assert both.poll(2) == (RUNNING, WAKER)
    assert (a.wakers, b.wakers, c.wakers) == ([1, None, 2], [2], [])
    b.complete = c.complete = True
    assert both.poll(3) == (COMPLETE, NONE)
    assert both.code == (0, 2)
    assert [len(step.wakers) for step in steps] == [3, 2, 1]


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_nothing_is_started_after_a_failure(failing: int) -> None:
    steps = [Step(8 if i == failing else 0) for i in range(3)]
    for step in steps:
        step.complete = True
    failed = chain(*steps)
    assert failed.poll(1) == (COMPLETE, NONE)
    assert failed.code == (8, failing)
    assert [len(step.wakers) for step in steps] == [int(i <= failing) for i in range(3)]


def test_without_a_code_a_step_ends_well() -> None:
    step = Step(8)
    step.complete = True
    single = Chain([step.future], [ffi.NULL])
    assert single.poll() == (COMPLETE, NONE)
    assert single.code == (0, 0)


def test_an_empty_one() -> None:
    empty = chain()
    assert empty.poll() == (COMPLETE, NONE)
    assert empty.code == (0, 0)


class TestStopped:
    def test_before_the_start(self) -> None:
        step = Step()
        stopped = chain(step)
        lib.ma_chain_stop(stopped.cdata)
        assert stopped.poll() == (COMPLETE, NONE)
        assert stopped.code == (lib.MA_CHAIN_STOPPED, 0)
        assert step.wakers == []

    def test_in_the_middle(self) -> None:
        a, b, c = Step(), Step(), Step()
        stopped = chain(a, b, c)
        stopped.poll(1)
        lib.ma_chain_stop(stopped.cdata)
        assert stopped.poll(2) == (RUNNING, WAKER)
        a.complete = True
        assert stopped.poll(3) == (COMPLETE, NONE)
        assert stopped.code == (lib.MA_CHAIN_STOPPED, 1)
        assert (b.wakers, c.wakers) == ([], [])

    def test_a_failure_counts_more(self) -> None:
        a, b = Step(8), Step()
        stopped = chain(a, b)
        stopped.poll(1)
        lib.ma_chain_stop(stopped.cdata)
        a.complete = True
        assert stopped.poll(2) == (COMPLETE, NONE)
        assert stopped.code == (8, 0)

    def test_in_its_last_link_it_ends_well(self) -> None:
        a = Step()
        stopped = chain(a)
        stopped.poll(1)
        lib.ma_chain_stop(stopped.cdata)
        a.complete = True
        assert stopped.poll(2) == (COMPLETE, NONE)
        assert stopped.code == (0, 0)


def test_chains_in_chains() -> None:
    a, b, c, d = Step(), Step(), Step(8), Step()
    inner = chain(b, c)
    code = ffi.addressof(inner.cdata, "code")
    outer = Chain([a.future, inner.base, d.future], [a.code, code, d.code])
    for step in (a, b):
        step.complete = True
    assert outer.poll(1) == (RUNNING, WAKER)
    assert outer.code == (lib.MA_RUNNING, 0)
    c.complete = True
    assert outer.poll(1) == (COMPLETE, NONE)
    assert (outer.code, inner.code) == ((8, 1), (8, 1))
    assert d.wakers == []


def test_operations_and_batches(vdm: Any) -> None:
    """a -> b, all of b -> c piece by piece, then a is filled."""
    size, n = 1 << 16, 16
    a, b, c = (ffi.new("char[]", size) for _ in range(3))
    ffi.memmove(a, bytes(range(256)) * (size // 256), size)
    first = ffi.new("struct vdm_operation_future *")
    last = ffi.new("struct vdm_operation_future *")
    first[0] = lib.vdm_memcpy(vdm, b, a, size, 0)
    last[0] = lib.vdm_memset(vdm, a, 1, size, 0)
    batch = ffi.new("struct ma_batch *")
    ops, results = ffi.new("struct ma_batch_op[]", n), ffi.new("uint8_t[]", n)
    piece = size // n
    dsts = ffi.new("void *[]", [c + i * piece for i in range(n)])
    srcs = ffi.new("void *[]", [b + i * piece for i in range(n)])
    sizes = ffi.new("size_t[]", [piece] * n)
    at = ffi.new("struct ma_fault_at *")
    fault = lib.ma_ranges_of_buffers(
        ops, n, dsts, sizes, srcs, sizes, ffi.NULL, ffi.NULL, at
    )
    assert fault == lib.MA_FAULT_NONE
    lib.ma_batch_init(batch, vdm, lib.VDM_OPERATION_MEMCPY, ops, results, n, 0)
    mixed = Chain(
        [ffi.addressof(each, "base") for each in (first, batch, last)],
        [
            ffi.cast("int *", ffi.addressof(first, "output", "result")),
            ffi.addressof(batch, "code"),
            ffi.cast("int *", ffi.addressof(last, "output", "result")),
        ],
    )
    waiter = lib.future_waiter_new()
    array = ffi.new("struct future *[]", [mixed.base])
    forever = lib.FUTURE_WAITER_FOREVER
    assert lib.future_waiter_wait(waiter, array, 1, 1, forever, 0) == 0
    lib.future_waiter_delete(waiter)
    assert mixed.code == (0, 2)
    assert bytes(ffi.buffer(c)) == bytes(range(256)) * (size // 256)
    assert bytes(ffi.buffer(a)) == b"\1" * size


def test_an_operation_that_could_not_be_made(vdm: Any) -> None:
    failed = ffi.new("struct vdm_operation_future *")
    failed[0] = lib.vdm_memset(vdm, ffi.NULL, 1, 0, 0)
    assert lib.vdm_operation_release(failed) == 0
    rest = Step()
    code = ffi.cast("int *", ffi.addressof(failed, "output", "result"))
    ended = Chain([ffi.addressof(failed, "base"), rest.future], [code, rest.code])
    assert ended.poll() == (COMPLETE, NONE)
    assert ended.code == (lib.VDM_ERROR_JOB_CORRUPTED, 0)
    assert rest.wakers == []


def test_properties_are_those_of_the_link_it_has_come_to() -> None:
    a, b = Step(), Step()
    b.future.has_property = ffi.NULL
    both = chain(a, b)
    assert lib.future_has_property(both.base, 0) == 5
    a.complete = True
    both.poll()
    assert lib.future_has_property(both.base, 0) == 0
    b.complete = True
    both.poll()
    assert lib.future_has_property(both.base, 0) == -1
