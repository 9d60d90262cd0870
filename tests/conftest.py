# SPDX-License-Identifier: BSD-3-Clause
"""What tests share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

import miniasync
from miniasync import _outstanding

HERE = Path(__file__).parent

# For tests and their subprocesses: import-mode importlib does not do it.
sys.path.insert(0, str(HERE))

from forking import MAY_FORK, NO_FORKS  # noqa: E402
from gate import Gate  # noqa: E402
from loops import RUNS, Run  # noqa: E402

IS_UPSTREAM = miniasync.provider().is_upstream

# For tests that trace instructions: CPython 3.12 heeds this from the next tracer on.
sys._getframe().f_trace_opcodes = True


# Marks, whether tests with them can run here, and why not.
MARKS = {
    "not_upstream": (not IS_UPSTREAM, "upstream's library lacks what it tests"),
    "forks": (MAY_FORK, f"it forks, which {NO_FORKS} forbids"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for name, (can_run, reason) in MARKS.items():
        for item in items:
            if not can_run and item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "not_upstream: needs more than upstream's libminiasync has"
    )
    config.addinivalue_line("markers", "forks: goes on with Python in a forked child")


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Every test ends its operations, or has the reaper do it."""
    yield
    assert not _outstanding.outstanding


def _threads() -> miniasync.DataMover:
    return miniasync.ThreadsMover(threads=2)


def _workers() -> miniasync.DataMover:
    return miniasync.ThreadsMover(threads=2, inline_below=0)


@pytest.fixture(
    params=[
        miniasync.SyncMover,
        _threads,
        pytest.param(_workers, marks=pytest.mark.not_upstream),
    ],
    ids=["sync", "threads", "workers"],
)
def mover(request: pytest.FixtureRequest) -> Iterator[miniasync.DataMover]:
    """A mover of each kind; of threads, also one that does nothing inline."""
    with request.param() as mover:
        yield mover


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A mover with one worker that waits before each memcpy."""
    with Gate() as gate:
        yield gate


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest) -> Run:
    """What runs a coroutine function in one of the libraries."""
    return RUNS[request.param]


@pytest.fixture
def run_python(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Run a program in a Python of its own and return what it printed.

    It must end by itself, with status 0 and without a word on stderr.
    """
    may_fork = request.node.get_closest_marker("forks") is not None

    def run(program: str) -> str:
        assert may_fork or "os.fork(" not in program, "mark the test: forks"
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", dedent(program)],
            cwd=HERE,  # for gate; and the checkout's miniasync/ stays unseen
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.stderr, done.returncode) == ("", 0)
        return done.stdout

    return run
