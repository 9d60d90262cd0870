# SPDX-License-Identifier: BSD-3-Clause
"""Which DSA devices there are, and what is missing to use them.

The kernel's idxd driver lists devices and work queues under one folder (kernel
documentation, ABI/stable/sysfs-driver-dma-idxd). libdml submits to enabled shared
work queues of user type, through their files in ``/dev/dsa``.
"""

from __future__ import annotations

import os
from pathlib import Path

_ROOT = Path("/")

_CONFIGURE = (
    "configure a shared work queue of user type with accel-config, as in README.md"
)


def devices(root: Path = _ROOT) -> dict[str, object]:
    """Find out about the DSA devices of the machine.

    Args:
        root: The root of the file system.

    Returns:
        ``devices``: a dictionary of each device's state, and ``queues``: of each
        queue's state, mode, type and whether this process may use it; ``usable``:
        whether there is one; ``advice``: what to do if not, else None. Ready for
        JSON.
    """
    folder = root / "sys/bus/dsa/devices"
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        names = []
    found = {
        name: _read(folder / name / "state") for name in names if name.startswith("dsa")
    }
    queues = {
        name: _queue(folder / name, root / "dev/dsa" / name)
        for name in names
        if name.startswith("wq")
    }
    usable = any(queue["usable"] for queue in queues.values())
    return {
        "devices": found,
        "queues": queues,
        "usable": usable,
        "advice": None if usable else _advice(found, queues),
    }


def _queue(folder: Path, device: Path) -> dict[str, object]:
    state, mode, kind = (_read(folder / name) for name in ("state", "mode", "type"))
    accessible = os.access(device, os.R_OK | os.W_OK)
    suits = (state, mode, kind) == ("enabled", "shared", "user")
    return {
        "state": state,
        "mode": mode,
        "type": kind,
        "size": _read(folder / "size"),
        "suits": suits,
        "accessible": accessible,
        "usable": suits and accessible,
    }


def _advice(found: dict[str, str], queues: dict[str, dict[str, object]]) -> str:
    if not found:
        return (
            "the kernel lists no DSA device: it takes a processor that has one"
            " (Xeon of 2023 or later), enabled in the firmware, and the idxd driver"
        )
    if "enabled" not in found.values():
        return f"no DSA device is enabled: {_CONFIGURE}"
    suitable = [name for name, queue in queues.items() if queue["suits"]]
    if not suitable:
        return f"no work queue suits: {_CONFIGURE}"
    return (
        f"this process may not open /dev/dsa/{suitable[0]}: allow it, for instance"
        " by a udev rule for a group of users"
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
