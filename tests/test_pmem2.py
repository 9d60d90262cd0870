# SPDX-License-Identifier: BSD-3-Clause
"""libpmem2, compiled by others against upstream's headers, on a mover of Python's."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

import miniasync

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def what_is_missing() -> str | None:
    """Why the binding cannot be compiled, or None."""
    if shutil.which("cc") is None:
        return "no C compiler"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "no headers of Python (Debian: python3-dev)"
    found = subprocess.run(
        ["cc", "-E", "-"],
        input="#include <libpmem2/base.h>\n",
        capture_output=True,
        text=True,
        check=False,
    )
    return "no libpmem2 (Debian: libpmem2-dev)" if found.returncode else None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the compiled binding is."""
    missing = what_is_missing()
    if missing is not None:
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("pmem2")
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "pmem2_build.py")],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="module")
def pmem2(folder: Path) -> Iterator[ModuleType]:
    """The example as a module: what it has is what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        patch.syspath_prepend(folder)
        yield importlib.import_module("pmem2")


@pytest.fixture(params=["BYTE", "CACHE_LINE", "PAGE"])
def granularity(request: pytest.FixtureRequest, monkeypatch: Any) -> str:
    """How libpmem2 makes bytes persistent: not at all, by cache line, by msync."""
    monkeypatch.setenv("PMEM2_FORCE_GRANULARITY", request.param)
    return str(request.param)


class Area:
    """A mapped file, and what it should contain."""

    def __init__(self, pmem2: ModuleType, map: Any, size: int) -> None:
        self.lib = pmem2.pmem2
        self.ffi = pmem2._pmem2.ffi
        self.map = map
        self.at = self.ffi.cast("char *", self.lib.pmem2_map_get_address(map))
        self.random = Random(size)
        self.source = self.random.randbytes(size)
        self.expected = bytearray(self.random.randbytes(size))
        self.ffi.memmove(self.at, self.expected, size)
        self.made = 0

    def make(self, at: int, n: int) -> Any:
        """One operation, on n bytes from at; each kind in turn."""
        self.made += 1
        shift = self.random.randrange(n + 1) // 2
        end = at + n
        if self.made % 3 == 0:
            self.expected[at:end] = self.source[at:end]
            src = self.ffi.from_buffer(self.source) + at
            return self.lib.pmem2_memcpy_async(self.map, self.at + at, src, n, 0)
        if self.made % 3 == 1:
            n -= shift
            self.expected[at : at + n] = self.expected[end - n : end]
            src = self.at + end - n
            return self.lib.pmem2_memmove_async(self.map, self.at + at, src, n, 0)
        self.expected[at:end] = bytes([self.made % 256]) * n
        return self.lib.pmem2_memset_async(self.map, self.at + at, self.made, n, 0)


def try_many(
    pmem2: ModuleType, mover: miniasync.DataMover, granularity: str, n: int, size: int
) -> None:
    """Operations of `size` bytes, a few one at a time and then n at once."""
    with tempfile.TemporaryFile() as file:
        file.truncate(n * size)
        with pmem2.mapped(file.fileno(), mover) as map:
            assert pmem2.pmem2.pmem2_map_get_store_granularity(map) == getattr(
                pmem2.pmem2, f"PMEM2_GRANULARITY_{granularity}"
            )
            area = Area(pmem2, map, n * size)
            for i in range(min(n, 30)):
                pmem2.wait_for([area.make(i * size, size - i % 2)])
            pmem2.wait_for([area.make(i * size, size - i % 7) for i in range(n)])
            assert bytes(area.ffi.buffer(area.at, n * size)) == area.expected
        assert file.read() == area.expected


def test_thousands(
    pmem2: ModuleType, mover: miniasync.DataMover, granularity: str
) -> None:
    # On a disk each msync takes its time.
    n = 200 if granularity == "PAGE" else 3000
    try_many(pmem2, mover, granularity, n, 300)


def test_large_ones(
    pmem2: ModuleType, mover: miniasync.DataMover, granularity: str
) -> None:
    try_many(pmem2, mover, granularity, 4, 1 << 20)


def test_the_map_outlives_the_mover_in_python(pmem2: ModuleType) -> None:
    with tempfile.TemporaryFile() as file:
        file.truncate(1 << 16)
        mover = miniasync.ThreadsMover(threads=1)
        with pmem2.mapped(file.fileno(), mover) as map:
            mover.close()
            del mover
            area = Area(pmem2, map, 1 << 16)
            pmem2.wait_for([area.make(i, 1) for i in range(1000)])
            pmem2.wait_for([area.make(0, 1 << 16)])
        assert file.read() == area.expected


def test_the_error_of_libpmem2(pmem2: ModuleType) -> None:
    with (
        miniasync.SyncMover() as mover,
        open(os.devnull) as file,
        pytest.raises(OSError, match="libpmem2: error -1000"),
        pmem2.mapped(file.fileno(), mover),
    ):
        pass


def test_the_example(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / "pmem2.py")],
        env={**os.environ, "PYTHONPATH": str(folder)},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == "copied 8 times 131072 bytes into a file\n"
