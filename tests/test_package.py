# SPDX-License-Identifier: BSD-3-Clause
"""The package as a whole: names, errors, documentation, what an import costs."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pickle
from collections.abc import Callable

import pytest

import miniasync

MODULES = [
    "miniasync",
    "miniasync._batch",
    "miniasync._default",
    "miniasync._future",
    "miniasync._movers",
    "miniasync._operations",
    "miniasync._runtime",
    "miniasync._wait",
]


def test_all_is_sorted_and_true() -> None:
    names = miniasync.__all__
    # As ruff sorts: constants, then classes, then the rest.
    constants = sorted(name for name in names if name.isupper())
    classes = sorted(n for n in names if n[0].isupper() and not n.isupper())
    rest = sorted(name for name in names if not name[0].isupper())
    assert names == constants + classes + rest
    assert all(hasattr(miniasync, name) for name in names)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_the_documentation(module: str) -> None:
    tests = doctest.DocTestFinder(exclude_empty=True).find(
        importlib.import_module(module)
    )
    assert any(test.examples for test in tests)
    for test in tests:
        if miniasync.provider().is_upstream and test.name.endswith(".flush"):
            continue  # it has none
        assert doctest.DocTestRunner().run(test).failed == 0


def test_everything_public_is_documented() -> None:
    for name in miniasync.__all__:
        thing = getattr(miniasync, name)
        if not (inspect.isclass(thing) or inspect.isroutine(thing)):
            continue
        assert thing.__doc__, name
        for attribute in dir(thing) if inspect.isclass(thing) else ():
            value = getattr(thing, attribute)
            if not attribute.startswith("_") and callable(value):
                assert value.__doc__, f"{name}.{attribute}"


@pytest.mark.parametrize(
    ("error", "base"),
    [
        (miniasync.NotSupportedError, NotImplementedError),
        (miniasync.ClosedError, ValueError),
        (miniasync.OutOfMemoryError, MemoryError),
        (miniasync.JobCorruptedError, RuntimeError),
    ],
)
def test_errors_are_also_pythons(error: type[Exception], base: type[Exception]) -> None:
    assert issubclass(error, miniasync.MiniasyncError)
    assert issubclass(error, base)
    assert str(pickle.loads(pickle.dumps(error("text")))) == "text"


def test_the_provider_says_who_it_is() -> None:
    provider = miniasync.provider()
    assert provider.name in ("bundled", "system")
    assert (provider.version is None) == provider.is_upstream
    if provider.version is not None:
        assert (
            provider.version
            == miniasync.ffi.string(miniasync.lib.miniasync_version()).decode()
        )


def test_importing_it_brings_in_nothing_heavy(run_python: Callable[[str], str]) -> None:
    assert (
        run_python(
            """
            import sys, miniasync
            miniasync.memcpy(bytearray(1), b"1").result()
            heavy = ["asyncio", "logging", "numpy", "concurrent", "inspect",
                     "importlib.metadata", "subprocess", "tempfile", "ctypes"]
            print([name for name in heavy if name in sys.modules])
            """
        )
        == "[]\n"
    )


def test_importing_it_starts_nothing(run_python: Callable[[str], str]) -> None:
    assert (
        run_python(
            """
            import os, miniasync
            print(len(os.listdir("/proc/self/task")))
            """
        )
        == "1\n"
    )
