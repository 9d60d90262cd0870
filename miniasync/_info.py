# SPDX-License-Identifier: BSD-3-Clause
"""What this build of miniasync is and what it runs on: ``miniasync info``."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import miniasync
from miniasync import _dsa, _sysinfo


def collect() -> dict[str, object]:
    """Find out about the package, its C library, the movers and the machine.

    Returns:
        A dictionary of strings, numbers, truth values, None where something is
        not known, and dictionaries of the same, ready for JSON.
    """
    provider = miniasync.provider()
    return {
        "miniasync": version("miniasync"),
        "libminiasync": {
            "provider": provider.name,
            "version": provider.version,
            "upstream": provider.is_upstream,
        },
        "movers": _movers(),
        **_sysinfo.machine(),
    }


def version_line() -> str:
    """The versions of the package and of its C library in one line."""
    return f"miniasync {version('miniasync')} ({_library(*miniasync.provider())})"


def _movers() -> dict[str, dict[str, object]]:
    return {
        "SyncMover": {"available": True},
        "ThreadsMover": {"available": True, **_defaults()},
        "DmlMover": _dml(),
    }


def _dml() -> dict[str, object]:
    dsa = _dsa.devices()
    try:
        with miniasync.DmlMover() as mover:
            return {"available": True, "hardware": mover.uses_hardware, "dsa": dsa}
    except miniasync.MiniasyncError as error:
        return {"available": False, "reason": str(error), "dsa": dsa}


def _defaults() -> dict[str, object]:
    with miniasync.ThreadsMover() as mover:
        try:
            return {"threads": mover.threads, "inline_below": mover.inline_below}
        except miniasync.NotSupportedError:
            return {"threads": None, "inline_below": None}


def _library(name: str, number: str | None, is_upstream: bool) -> str:
    whose = "upstream's" if is_upstream else "our own"
    known = "" if number is None else f" {number}"
    return f"libminiasync{known}, {whose}, {name}"


def describe(found: dict[str, object]) -> str:
    """Write what `collect` found for people, a line for each fact."""
    lines = {}
    for name, value in found.items():
        if not isinstance(value, dict):
            lines[name] = str(value)
        elif name == "libminiasync":
            lines["C library"] = _library(
                value["provider"], value["version"], value["upstream"]
            )
        elif name == "movers":
            lines |= {mover: _describe_mover(facts) for mover, facts in value.items()}
            lines["DSA"] = _describe_dsa(value["DmlMover"]["dsa"])
        else:
            lines[name] = ", ".join(f"{key} {fact}" for key, fact in value.items())
    width = max(len(name) for name in lines) + 2
    return "\n".join(
        f"{name.replace('_', ' ')}:".ljust(width) + value
        for name, value in lines.items()
    )


def _describe_mover(facts: dict[str, object]) -> str:
    if not facts["available"]:
        return str(facts["reason"])
    if "hardware" in facts:
        return "with a device" if facts["hardware"] else "available, without a device"
    details = {
        "threads": f"{facts.get('threads')} threads",
        "inline_below": f"inline below {facts.get('inline_below')} bytes",
    }
    # What upstream's library does not tell is None.
    known = [text for name, text in details.items() if facts.get(name) is not None]
    return ", ".join(known) or "available"


def _describe_dsa(facts: dict[str, Any]) -> str:
    parts = [f"{name} {state}" for name, state in facts["devices"].items()]
    parts += [
        f"{name} {queue['state']} {queue['mode']} {queue['type']}"
        f" ({'usable' if queue['usable'] else 'not usable'})"
        for name, queue in facts["queues"].items()
    ]
    if facts["advice"] is not None:
        parts.append(facts["advice"])
    return "; ".join(parts)
