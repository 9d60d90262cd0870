# SPDX-License-Identifier: BSD-3-Clause
"""The machine, as far as it matters to copies.

Read from Linux's proc and sys file systems; elsewhere, or where they are
hidden, a fact is simply missing.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def machine() -> dict[str, object]:
    """Describe the machine and the interpreter.

    Returns:
        What could be found out, by name, in the order to show it in. Values
        are strings, numbers, or for the caches a dictionary of both.
    """
    found: dict[str, object | None] = {
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "caches": caches() or None,
        "huge_pages": _chosen(Path("/sys/kernel/mm/transparent_hugepage/enabled")),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    return {name: value for name, value in found.items() if value is not None}


def cpu_model() -> str | None:
    """The processor's name for itself."""
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or None


def usable_cores() -> int:
    """The number of processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def caches() -> dict[str, str]:
    """Sizes of the data caches of one processor: ``{"L1": "32K", ...}``."""
    sizes = {}
    for index in sorted(_CACHES.glob("index*")):
        kind, level = _read(index / "type").strip(), _read(index / "level").strip()
        size = _read(index / "size").strip()
        if level and size and kind in ("Data", "Unified"):
            sizes[f"L{level}"] = size
    return sizes


def available_memory() -> int | None:
    """Bytes that can be had without swapping."""
    for line in _read(Path("/proc/meminfo")).splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def _chosen(path: Path) -> str | None:
    """The word in brackets: the kernel lists choices as ``always [never]``."""
    _, bracket, rest = _read(path).partition("[")
    return rest.partition("]")[0] if bracket else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
