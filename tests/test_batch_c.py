# SPDX-License-Identifier: BSD-3-Clause
"""The C side of batches, through ffi, on movers that do as they are told."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

import pytest

import miniasync
from miniasync import ffi, lib

IDLE, RUNNING = lib.FUTURE_STATE_IDLE, lib.FUTURE_STATE_RUNNING
COMPLETE = lib.FUTURE_STATE_COMPLETE
NONE, WAKER = lib.FUTURE_NOTIFIER_NONE, lib.FUTURE_NOTIFIER_WAKER
CORRUPTED, OUT_OF_MEMORY = lib.VDM_ERROR_JOB_CORRUPTED, lib.VDM_ERROR_OUT_OF_MEMORY
RENOTIFY, RENOTIFY_YES = 0x4D41, 0x79657321


class Scripted:
    """A mover that moves nothing, and knows operations by the order of making.

    Attributes:
        memory: How many operations it has memory for.
        queue: How many it accepts at a time.
        inline: Whether starting an operation completes it.
        is_async: Whether it says that it works in the background.
        pending: The numbers of the wakers of those started, None without one.
        complete: Which of them are said to be complete.
        failing: Which of them end as corrupted.
        started: All that have been started.
        checks: How often one was looked at.
    """

    def __init__(self, renotify: bool = True) -> None:
        self.memory = self.queue = 1 << 30
        self.inline = False
        self.is_async = True
        self.pending: dict[int, object] = {}
        self.complete: set[int] = set()
        self.failing: set[int] = set()
        self.started: list[int] = []
        self.checks = 0
        self.vdm = ffi.new("struct vdm *")
        self._made = 0

        @ffi.callback("vdm_operation_new")  # type: ignore[untyped-decorator]
        def new(vdm: Any, kind: int) -> Any:
            if self.memory == 0:
                return ffi.NULL
            self.memory -= 1
            self._made += 1
            return ffi.cast("void *", self._made)

        @ffi.callback("vdm_operation_start")  # type: ignore[untyped-decorator]
        def start(data: Any, operation: Any, n: Any) -> int:
            index = int(ffi.cast("intptr_t", data)) - 1
            if n != ffi.NULL:
                n.notifier_used = WAKER  # as upstream's does, also in vain
            if index not in self.pending and self.queue == 0:
                return 1
            if index not in self.pending:
                self.queue -= 1
                self.started.append(index)
                if self.inline:
                    self.complete.add(index)
            self.pending[index] = None
            if n != ffi.NULL:
                self.pending[index] = int(ffi.cast("intptr_t", n.waker.data))
            return 0

        @ffi.callback("vdm_operation_check")  # type: ignore[untyped-decorator]
        def check(data: Any, operation: Any) -> int:
            self.checks += 1
            index = int(ffi.cast("intptr_t", data)) - 1
            if index not in self.pending:
                return int(IDLE)
            return int(COMPLETE if index in self.complete else RUNNING)

        @ffi.callback("vdm_operation_delete")  # type: ignore[untyped-decorator]
        def delete(data: Any, operation: Any, output: Any) -> None:
            index = int(ffi.cast("intptr_t", data)) - 1
            output.result = CORRUPTED if index in self.failing else lib.VDM_SUCCESS
            del self.pending[index]
            self.memory += 1
            self.queue += 1

        @ffi.callback("future_has_property_fn")  # type: ignore[untyped-decorator]
        def has_property(future: Any, prop: int) -> int:
            if prop == RENOTIFY:
                return RENOTIFY_YES if renotify else 0
            return int(self.is_async)

        self._keep = (new, start, check, delete, has_property)
        self.vdm.op_new, self.vdm.op_start = new, start
        self.vdm.op_check, self.vdm.op_delete = check, delete
        self.vdm.has_property = has_property


class Batch:
    """A batch of memsets; the i-th writes i, modulo 256."""

    def __init__(self, vdm: Any, n: int, size: int = 1, memory: Any = None) -> None:
        self.n = n
        self.memory = memory or ffi.new("char[]", n * size)
        self.ops = ffi.new("struct ma_batch_op[]", n)
        self.results = ffi.new("uint8_t[]", [0xFF] * n)
        self.cdata = ffi.new("struct ma_batch *")
        fill(self.ops, self.memory, size)
        lib.ma_batch_init(
            self.cdata, vdm, lib.VDM_OPERATION_MEMSET, self.ops, self.results, n, 0
        )
        self.base = ffi.addressof(self.cdata, "base")
        self.woken: list[int] = []

        @ffi.callback("future_waker_wake_fn")  # type: ignore[untyped-decorator]
        def wake(data: Any) -> None:
            self.woken.append(int(ffi.cast("intptr_t", data)))

        self._wake = wake

    def poll(self, waker: int | None = None) -> tuple[int, int]:
        """Poll with a waker of this number; the state and what was announced."""
        if waker is None:
            return lib.future_poll(self.base, ffi.NULL), NONE
        notifier = ffi.new("struct future_notifier *")
        notifier.waker.data = ffi.cast("void *", waker)
        notifier.waker.wake = self._wake
        notifier.notifier_used = 99
        return lib.future_poll(self.base, notifier), notifier.notifier_used


def fill(ops: Any, memory: Any, size: int) -> None:
    """Let the i-th operation write i to the i-th `size` bytes."""
    n = len(ops)
    dsts = ffi.new("void *[]", [memory + i * size for i in range(n)])
    sizes = ffi.new("size_t[]", [size] * n)
    values = ffi.new("uint8_t[]", [i % 256 for i in range(n)])
    at = ffi.new("struct ma_fault_at *")
    fault = lib.ma_ranges_of_buffers(
        ops, n, dsts, sizes, ffi.NULL, ffi.NULL, values, ffi.NULL, at
    )
    assert fault == lib.MA_FAULT_NONE


@pytest.fixture
def mover() -> Scripted:
    return Scripted()


@pytest.fixture(params=["sync", "threads"])
def real_vdm(request: pytest.FixtureRequest) -> Iterator[Any]:
    kind = {"sync": miniasync.SyncMover, "threads": miniasync.ThreadsMover}
    with kind[request.param]() as mover:
        yield mover.vdm


def test_an_empty_one() -> None:
    batch = Batch(Scripted().vdm, 0)
    assert batch.cdata.code == lib.MA_RUNNING
    assert batch.poll() == (COMPLETE, NONE)
    assert batch.cdata.code == 0


def test_nothing_is_made_before_the_first_poll(mover: Scripted) -> None:
    mover.memory = 0
    batch = Batch(mover.vdm, 5)
    assert bytes(batch.results) == bytes(5)
    mover.memory = 5
    assert batch.poll()[0] == RUNNING
    assert mover.started == [0, 1, 2, 3, 4]
    lib.ma_batch_abandon(batch.cdata)


def test_only_the_front_has_a_waker_and_the_latest_one(mover: Scripted) -> None:
    batch = Batch(mover.vdm, 4)
    assert batch.poll(10) == (RUNNING, WAKER)
    assert mover.pending == {0: 10, 1: None, 2: None, 3: None}
    assert batch.poll(11) == (RUNNING, WAKER)
    assert mover.pending == {0: 11, 1: None, 2: None, 3: None}
    assert batch.poll() == (RUNNING, NONE)
    assert mover.pending == {0: None, 1: None, 2: None, 3: None}
    mover.complete |= {0, 1, 3}
    assert batch.poll(12) == (RUNNING, WAKER)
    assert mover.pending == {2: 12, 3: None}
    mover.complete.add(2)
    assert batch.poll(13) == (COMPLETE, NONE)
    assert batch.woken == []
    assert batch.cdata.code == 0


def test_an_operation_that_cannot_replace_its_waker_is_polled() -> None:
    mover = Scripted(renotify=False)
    batch = Batch(mover.vdm, 2)
    assert batch.poll(10) == (RUNNING, WAKER)
    assert mover.pending == {0: 10, 1: None}
    mover.complete.add(0)
    assert batch.poll(11) == (RUNNING, NONE)
    mover.complete.add(1)
    assert batch.poll(12) == (COMPLETE, NONE)


@pytest.mark.parametrize("memory", [1, 3])
def test_memory_for_some(mover: Scripted, memory: int) -> None:
    mover.memory = memory
    batch = Batch(mover.vdm, 400)
    state, _ = batch.poll(1)
    for i in range(400):
        assert state == RUNNING
        assert mover.started == list(range(min(i + memory, 400)))
        assert mover.pending[i] == 1
        mover.complete.add(i)
        state, _ = batch.poll(1)
    assert state == COMPLETE
    assert batch.cdata.code == 0
    assert mover.memory == memory


def test_memory_for_one_that_ends_at_once(mover: Scripted) -> None:
    mover.memory = 1
    mover.inline = True
    batch = Batch(mover.vdm, 400)
    assert batch.poll(1) == (COMPLETE, NONE)
    assert mover.started == list(range(400))
    assert batch.cdata.code == 0


def test_memory_for_none(mover: Scripted) -> None:
    mover.memory = 0
    batch = Batch(mover.vdm, 3)
    assert batch.poll(1) == (COMPLETE, NONE)
    assert batch.cdata.code == lib.MA_BATCH_FAILED
    assert list(batch.results) == [OUT_OF_MEMORY] * 3
    assert mover.started == []


def test_memory_that_ends_and_comes_back(mover: Scripted) -> None:
    mover.memory = 1
    batch = Batch(mover.vdm, 3)
    assert batch.poll(1) == (RUNNING, WAKER)
    mover.complete.add(0)
    mover.memory = -1  # its own comes back: none
    assert batch.poll(1) == (COMPLETE, NONE)
    assert list(batch.results) == [0, OUT_OF_MEMORY, OUT_OF_MEMORY]
    assert batch.cdata.code == lib.MA_BATCH_FAILED


@pytest.mark.parametrize("renotify", [False, True])
def test_a_queue_that_is_full(renotify: bool) -> None:
    mover = Scripted(renotify)
    mover.queue = 3
    batch = Batch(mover.vdm, 50)
    done = 0
    assert batch.poll(1) == (RUNNING, WAKER)
    while True:
        # One more than the queue takes is made, and turned away.
        assert mover.started == list(range(min(done + 3, 50)))
        mover.complete.add(done)
        done += 1
        state, _ = batch.poll(1)
        if state == COMPLETE:
            break
    assert done == 50
    assert batch.cdata.code == 0
    assert mover.queue == 3


def test_a_front_that_is_turned_away_announces_nothing(mover: Scripted) -> None:
    mover.queue = 0
    batch = Batch(mover.vdm, 3)
    assert batch.poll(1) == (RUNNING, NONE)
    assert batch.poll(2) == (RUNNING, NONE)
    assert mover.started == []
    mover.queue = 1
    assert batch.poll(3) == (RUNNING, WAKER)
    assert mover.pending == {0: 3}
    mover.complete |= {0, 1, 2}
    while batch.poll(4)[0] != COMPLETE:
        pass
    assert mover.started == [0, 1, 2]


def test_one_that_was_turned_away_may_end_when_started(mover: Scripted) -> None:
    mover.queue = 1
    batch = Batch(mover.vdm, 4)
    batch.poll(1)
    assert mover.started == [0]
    mover.queue = 9
    mover.inline = True
    # Behind a front that runs still.
    assert batch.poll(2) == (RUNNING, WAKER)
    assert mover.started == [0, 1, 2, 3]
    mover.complete.add(0)
    assert batch.poll(3) == (COMPLETE, NONE)
    assert list(batch.results) == [0] * 4


def test_failures_are_written_down(mover: Scripted) -> None:
    mover.failing = {1, 3}
    batch = Batch(mover.vdm, 5)
    batch.poll()
    mover.complete |= set(range(4))
    assert batch.poll()[0] == RUNNING
    assert batch.cdata.code == lib.MA_RUNNING
    mover.complete.add(4)
    assert batch.poll()[0] == COMPLETE
    assert list(batch.results) == [0, CORRUPTED, 0, CORRUPTED, 0]
    assert batch.cdata.code == lib.MA_BATCH_FAILED


@pytest.mark.parametrize("order", [range(250), range(249, -1, -1)], ids=["up", "down"])
def test_polls_do_not_grow_with_the_square(mover: Scripted, order: range) -> None:
    batch = Batch(mover.vdm, 250)
    batch.poll(1)
    for i in order:
        mover.complete.add(i)
        state, _ = batch.poll(1)
    assert state == COMPLETE
    assert mover.checks <= 3 * 250


def test_a_poll_with_a_waker_stops_after_a_slice(mover: Scripted) -> None:
    mover.inline = True
    batch = Batch(mover.vdm, 256, 1 << 16)
    polls = 1
    while (polled := batch.poll(polls)) != (COMPLETE, NONE):
        # It has called the waker itself: there is nothing to wait for.
        assert polled == (RUNNING, WAKER)
        assert batch.woken == [*range(1, polls + 1)]
        assert len(mover.started) in range(60 * polls, 65 * polls)
        polls += 1
    assert polls == 4


def test_a_slice_ends_also_where_operations_are_queued(mover: Scripted) -> None:
    batch = Batch(mover.vdm, 600)
    for calls, started in enumerate([256, 512, 600, 600], 1):
        assert batch.poll(calls) == (RUNNING, WAKER)
        assert len(mover.started) == started
        # The front has the notifier of this poll, whatever else goes on.
        assert mover.pending[0] == calls
        assert batch.woken == [1, 2][:calls]
    lib.ma_batch_abandon(batch.cdata)


def test_a_slice_ends_also_where_many_are_complete(mover: Scripted) -> None:
    batch = Batch(mover.vdm, 5000)
    while not mover.pending or batch.cdata.has_more:
        batch.poll()
    mover.complete |= set(range(5000))
    mover.checks = 0
    assert batch.poll(1) == (RUNNING, WAKER)
    assert batch.woken == [1]
    assert mover.checks == 4096
    assert batch.poll(2) == (COMPLETE, NONE)
    assert mover.checks == 5000


def test_a_slice_that_ends_where_a_block_does(mover: Scripted) -> None:
    """The queue grows by 169 places; here it is empty when they are used up."""
    nobody_s = ffi.cast("char *", 4096)
    batch = Batch(mover.vdm, 400, (4 << 20) - (1 << 10) - 169 * (16 << 10), nobody_s)
    mover.complete.add(0)
    batch.poll(1)
    assert len(mover.started) == 170
    mover.complete |= set(range(170))
    batch.poll(2)
    assert len(mover.started) > 170
    assert list(mover.pending.values()) == [2] + [None] * (len(mover.pending) - 1)
    while len(mover.started) < 400:
        batch.poll(3)
    mover.complete |= set(range(400))
    assert batch.poll(4) == (COMPLETE, NONE)
    assert batch.cdata.code == 0


def test_a_poll_without_a_waker(mover: Scripted) -> None:
    mover.inline = True
    batch = Batch(mover.vdm, 256, 1 << 16)
    for started in (64, 128, 192):
        assert batch.poll() == (RUNNING, NONE)
        assert len(mover.started) in range(started - 4, started + 1)
        assert batch.cdata.has_more == 1
    while batch.poll() != (COMPLETE, NONE):
        pass
    assert batch.cdata.has_more == 0
    # Of a mover that works in the polling thread it does all at once.
    mover.is_async = False
    assert Batch(mover.vdm, 256, 1 << 16).poll() == (COMPLETE, NONE)


def test_whether_there_is_more_to_start(mover: Scripted) -> None:
    mover.queue = 1
    batch = Batch(mover.vdm, 2)
    batch.poll()
    # The second one was turned away.
    assert batch.cdata.has_more == 1
    mover.complete.add(0)
    batch.poll()
    assert batch.cdata.has_more == 0
    assert mover.started == [0, 1]
    lib.ma_batch_abandon(batch.cdata)


def test_abandoned_while_pending(mover: Scripted) -> None:
    batch = Batch(mover.vdm, 200)
    batch.poll()
    lib.ma_batch_abandon(batch.cdata)
    lib.ma_batch_abandon(batch.cdata)


def test_properties(mover: Scripted, real_vdm: Any) -> None:
    assert lib.future_has_property(Batch(mover.vdm, 1).base, 0) == 1
    assert lib.future_has_property(Batch(mover.vdm, 1).base, RENOTIFY) == 0
    batch = Batch(real_vdm, 1)
    plain = ffi.new("struct vdm_operation_future *")
    plain[0] = lib.vdm_memset(real_vdm, batch.memory, 0, 1, 0)
    single = lib.future_has_property(ffi.addressof(plain, "base"), 0)
    assert lib.future_has_property(batch.base, 0) == single
    assert lib.vdm_operation_release(plain) == 0
    mover.vdm.has_property = ffi.NULL
    assert lib.future_has_property(Batch(mover.vdm, 1).base, 0) == 0


@pytest.mark.parametrize("size", [1, 5000, 100_000])
def test_waited_for_on_real_movers(real_vdm: Any, size: int) -> None:
    waiter = lib.future_waiter_new()
    batch = Batch(real_vdm, 200, size)
    array = ffi.new("struct future *[]", [batch.base])
    forever = lib.FUTURE_WAITER_FOREVER
    assert lib.future_waiter_wait(waiter, array, 1, 1, forever, 0) == 0
    expected = b"".join(bytes([i]) * size for i in range(200))
    assert bytes(ffi.buffer(batch.memory)) == expected
    assert batch.cdata.code == 0
    lib.future_waiter_delete(waiter)


def test_deadlines_come_between_slices(mover: Scripted) -> None:
    mover.inline = True
    batch = Batch(mover.vdm, 256, 1 << 20)
    waiter = lib.future_waiter_new()
    array = ffi.new("struct future *[]", [batch.base])
    # A deadline in the past: every future is polled once all the same.
    assert lib.future_waiter_wait(waiter, array, 1, 1, 1, 0) == errno.ETIMEDOUT
    assert 4 <= len(mover.started) < 100
    forever = lib.FUTURE_WAITER_FOREVER
    assert lib.future_waiter_wait(waiter, array, 1, 1, forever, 0) == 0
    assert len(mover.started) == 256
    lib.future_waiter_delete(waiter)


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_the_sign_of_numbers(size: int) -> None:
    # In a buffer so large that without its sign -1 would be a good offset.
    bits = 8 * size
    room = min(2**bits + 1, 2**63)
    region = ffi.new("struct ma_region *", (ffi.cast("void *", 4096), room))
    lengths = ffi.new("struct ma_numbers *", {"value": 1})
    ops, at = ffi.new("struct ma_batch_op[]", 2), ffi.new("struct ma_fault_at *")
    for is_signed, last in [(True, -1), (True, 2 ** (bits - 1) - 2), (False, 255)]:
        data = ffi.new("char[]", (7).to_bytes(size, "little") * 2)
        ffi.buffer(data)[size:] = last.to_bytes(size, "little", signed=is_signed) + b"0"
        numbers = {"data": data, "size": size, "is_signed": is_signed}
        fault = lib.ma_ranges_of_offsets(
            *(ops, 2, region, ffi.NULL, 0),
            *(ffi.new("struct ma_numbers *", numbers), ffi.NULL, lengths, at),
        )
        if last == -1:
            assert fault == lib.MA_FAULT_DST
            assert (at.index, at.offset, at.length) == (1, 2**64 - 1, 1)
        else:
            assert fault == lib.MA_FAULT_NONE
