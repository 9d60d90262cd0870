# SPDX-License-Identifier: BSD-3-Clause
"""Whatever a program does with futures, in any order, against a model of every byte.

Memory belongs to one operation at a time, from its making to its end, so that what
is in it is known at any time but in between.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import partial
from typing import Any

import hypothesis.strategies as st
import pytest
import trio
from forking import MAY_FORK
from gate import Gate
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
)
from making import GATED, MOVERS, OURS, Making, which
from model import Job, same

import miniasync
from miniasync import _daemon, _outstanding

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*was dropped:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]

LONG = "MINIASYNC_TEST_LONG" in os.environ
PATIENCE_S = 30

timeouts = st.sampled_from([0, 0.001])


@pytest.fixture(scope="module", autouse=True)
def small_garbage() -> Iterator[None]:
    """Have the garbage collector look at what is made here only."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


class Machine(Making):
    """Everything a program may do."""

    jobs = Making.jobs
    garbage = False

    # Going on. What has ended may be asked again.

    @rule(job=jobs)
    def start(self, job: Job) -> None:
        if job.state == "cancelled":
            with pytest.raises(CancelledError):
                job.get().start()
        elif job.state != "failed":
            self.run(job, job.get().start)

    @rule(job=jobs)
    def poll(self, job: Job) -> None:
        if job.state != "failed":
            self.run(job, job.get().poll)

    @rule(job=jobs)
    def look(self, job: Job) -> None:
        future = job.get()
        done, cancelled = future.done(), future.cancelled()
        assert cancelled == (job.state == "cancelled")
        if job.state != "started":
            assert done == job.has_ended
            assert not future.running()
        elif not done:
            assert future.state is not miniasync.State.IDLE
        assert repr(future)

    @rule(job=jobs, timeout=timeouts)
    def time_out(self, job: Job, timeout: float) -> None:
        if not job.has_ended:
            self.run(job, lambda: job.get().result(timeout))

    @rule(job=jobs)
    def callback(self, job: Job) -> None:
        job.expected_calls += 1
        job.get().add_done_callback(job.called)

    @rule(job=jobs)
    def cancel(self, job: Job) -> None:
        assert job.get().cancel() == (job.state in ("new", "cancelled"))
        if job.state == "new":
            job.cancel()

    @rule(job=jobs)
    def resize(self, job: Job) -> None:
        """Memory is pinned from the making to the end."""
        if job.makes_more:
            return  # some is given to operations that are yet to be made
        if job.state == "new":
            assert all(zone.is_pinned() for zone in job.zones)
        elif job.state == "started":
            # Somebody may have seen its end.
            free = [zone.is_pinned() for zone in job.zones]
            assert all(free) or job.is_chain or job.get().done()

    # Waiting.

    @rule(job=jobs)
    def result(self, job: Job) -> None:
        self.end(job, partial(job.get().result, PATIENCE_S))

    @rule(job=jobs)
    def exception(self, job: Job) -> None:
        self.end(job, job.get().exception)

    @rule(job=consumes(jobs))
    def block(self, job: Job) -> None:
        def block() -> None:
            with job.get():
                pass

        self.end(job, block)

    @rule(job=consumes(jobs))
    def await_in_asyncio(self, job: Job) -> None:
        async def main() -> None:
            if job.state == "cancelled":
                with pytest.raises(asyncio.CancelledError):
                    await job.get()
            else:
                assert same(await job.get(), job.value)

        self.end(job, lambda: asyncio.run(main()))

    @rule(job=consumes(jobs))
    def await_in_trio(self, job: Job) -> None:
        async def main() -> None:
            with trio.fail_after(PATIENCE_S):
                assert same(await job.get(), job.value)

        self.end(job, lambda: trio.run(main))

    @rule(job=consumes(jobs))
    def cancelled_task(self, job: Job) -> None:
        """It waits for the end; of a chain, for that of the step."""

        async def main() -> None:
            async def wait() -> None:
                await job.get()

            task = asyncio.ensure_future(wait())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(0)
            if not job.is_chain and task.done():
                assert job.get().done()
            self.gate.open()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()
            assert job.get().done()

        if not job.has_ended:
            job.state = "started" if not job.doomed or job.is_chain else "new"
        asyncio.run(main())
        self.conclude(job)

    @rule(jobs=st.lists(consumes(jobs), max_size=4), way=st.integers(0, 2))
    def wait(self, jobs: list[Job], way: int) -> None:
        self.gate.open()
        futures = [job.get() for job in jobs]
        if way == 0:
            assert miniasync.wait(futures) == (set(futures), set())
        elif way == 1:
            assert set(miniasync.as_completed(futures)) == set(futures)
        else:
            with miniasync.Runtime() as runtime:
                runtime.wait(*futures)
        for job in jobs:
            self.conclude(job)

    @rule(target=jobs, jobs=st.lists(consumes(jobs), min_size=2, max_size=4))
    def wait_for_one(self, jobs: list[Job]) -> Any:
        """The others go on."""
        self.gate.open()
        futures = [job.get() for job in jobs]
        done, left = miniasync.wait(futures, return_when=miniasync.FIRST_COMPLETED)
        assert done
        assert done | left == set(futures)
        for job in jobs:
            if job.get() in done:
                self.conclude(job)
            elif not job.has_ended:
                job.state = "started"
        return multiple(*jobs)

    @rule(job=jobs)
    def wait_for_first_step(self, job: Job) -> None:
        if job.first is not None and job.state == "started" and not job.doomed:
            self.gate.open()
            job.first.result(PATIENCE_S)

    @rule(
        job=consumes(jobs),
        does=st.lists(
            st.sampled_from(["wait", "time out", "poll", "cancel"]),
            min_size=2,
            max_size=2,
        ),
    )
    def two_threads(self, job: Job, does: list[str]) -> None:
        self.gate.open()
        future = job.get()
        barrier = threading.Barrier(len(does))
        unexpected: list[BaseException] = []

        def act(what: str) -> None:
            barrier.wait()
            try:
                if what == "wait":
                    future.result(PATIENCE_S)
                elif what == "time out":
                    future.exception(0.001)
                elif what == "poll":
                    while future.poll() is not miniasync.State.COMPLETE:
                        pass
                else:
                    future.cancel()
            except (TimeoutError, CancelledError, miniasync.ClosedError):
                pass
            except BaseException as error:
                unexpected.append(error)

        threads = [threading.Thread(target=act, args=(what,)) for what in does]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert unexpected == []
        self.end(job, lambda: future.exception(PATIENCE_S))

    # Leaving alone.

    @rule(job=consumes(jobs), in_a_cycle=st.booleans())
    def drop(self, job: Job, in_a_cycle: bool) -> None:
        if in_a_cycle:
            cycle = [job.future]
            cycle.append(cycle)  # type: ignore[arg-type]
            del cycle
        job.future = job.first = None
        self.garbage |= in_a_cycle

    @precondition(lambda self: self.garbage)
    @rule()
    def collect(self) -> None:
        gc.collect()
        self.garbage = False

    @precondition(lambda self: self.jobs_made)
    @rule(which=which)
    def close(self, which: int) -> None:
        """It waits for what was started; nothing else will be."""
        self.gate.open()
        mover = self.movers[which]
        mover.close()
        assert mover.closed
        assert mover.stats().pending == 0
        for job in self.jobs_made:
            job.mover_closes(mover)
        if which == GATED:
            self.gate = Gate()
            self.movers[which] = self.gate.mover
        else:
            self.movers[which] = MOVERS[which]()

    @precondition(lambda self: MAY_FORK and OURS and self.jobs_made)
    @rule()
    def fork(self) -> None:
        """The child goes on with what was not started; the parent with all."""
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                self.in_child()
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0) == (pid, 0)

    def in_child(self) -> None:
        for job in self.jobs_made:
            if job.future is None or job.has_ended:
                continue
            if job.state == "new":
                if self.movers[GATED] in job.movers:
                    continue  # its copies are Python's, and so is what they wait for
                self.end(job, partial(job.get().result, PATIENCE_S))
            else:
                error = job.future.exception(PATIENCE_S)
                assert error is None or isinstance(
                    error, (miniasync.JobCorruptedError, miniasync.ClosedError)
                )
        with miniasync.ThreadsMover(threads=1) as mover:
            assert mover.memset(bytearray(100_000), 1).result(PATIENCE_S)[-1] == 1

    # What always holds.

    @invariant()
    def nothing_else_was_written(self) -> None:
        for zone in self.zones:
            zone.check()

    def teardown(self) -> None:
        for job in self.jobs_made:
            if job.future is not None:
                self.end(job, job.future.exception)
        self.gate.open()
        gc.collect()
        deadline = time.monotonic() + PATIENCE_S
        while _outstanding.outstanding or not _daemon.daemon().idle:
            assert time.monotonic() < deadline, "never let go of"
        for mover in self.movers:
            assert mover.stats().pending == 0
            mover.close()
        for job in self.jobs_made:
            if job.future is None and not job.has_ended:
                if job.state == "new":
                    job.cancel()
                elif job.is_chain:
                    job.doomed = True  # perhaps
                    job.fail()
                else:
                    job.complete()
        for zone in self.zones:
            zone.check(thoroughly=True)
        for job in self.jobs_made:
            while job.future is not None and job.calls != job.expected_calls:
                assert time.monotonic() < deadline, "a callback was not called"
            assert job.calls <= job.expected_calls

    def run(self, job: Job, go: Callable[[], object]) -> None:
        """Start a job or go on with it, and see whether that was its end."""
        if job.has_ended:
            go()
            return
        error: Exception | None = None
        try:
            go()
        except (TimeoutError, miniasync.ClosedError) as raised:
            error = raised.with_traceback(None)
        if job.doomed and not job.is_chain:
            assert isinstance(error, miniasync.ClosedError)
            job.fail()
            return
        job.state = "started"
        if job.get().done():
            self.conclude(job)

    def end(self, job: Job, wait: Callable[[], object]) -> None:
        """Wait for a job."""
        self.gate.open()
        with suppress(CancelledError, miniasync.ClosedError):
            wait()
        self.conclude(job)

    def conclude(self, job: Job) -> None:
        """See to it that a job has ended, and as it was to."""
        was = job.state
        future = job.get()
        assert future.done()
        try:
            error = future.exception(0)
        except CancelledError:
            if was != "cancelled":
                job.cancel()
            return
        assert was != "cancelled"
        if job.has_ended:
            assert (error is None) == (was == "complete")
        elif error is None:
            job.complete()
        elif isinstance(error, miniasync.ClosedError):
            job.fail()
        else:
            raise error


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=2000 if LONG else 100,
    stateful_step_count=100 if LONG else 30,
    # For every change the same; now and then something new.
    derandomize=not LONG,
    print_blob=LONG,
    database=None,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
