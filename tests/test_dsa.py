# SPDX-License-Identifier: BSD-3-Clause
"""What is said of DSA devices, on file systems made up for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from miniasync import _dsa, _info


def write(folder: Path, **attributes: str) -> None:
    folder.mkdir(parents=True)
    for name, value in attributes.items():
        (folder / name).write_text(f"{value}\n")


def make(
    root: Path, *, device: str = "enabled", queue: str = "enabled", **kw: str
) -> Any:
    listed = root / "sys/bus/dsa/devices"
    write(listed / "dsa0", state=device)
    write(listed / "engine0.0", group_id="0")
    attributes = {"state": queue, "mode": "shared", "type": "user", "size": "16", **kw}
    write(listed / "wq0.0", **attributes)
    write(root / "dev/dsa")
    (root / "dev/dsa/wq0.0").touch()
    return _dsa.devices(root)


def test_none(tmp_path: Path) -> None:
    found = _dsa.devices(tmp_path)
    assert found["devices"] == {}
    assert not found["usable"]
    assert "lists no DSA device" in str(found["advice"])


def test_a_usable_queue(tmp_path: Path) -> None:
    found = make(tmp_path)
    assert found["devices"] == {"dsa0": "enabled"}
    assert found["queues"] == {
        "wq0.0": {
            "state": "enabled",
            "mode": "shared",
            "type": "user",
            "size": "16",
            "suits": True,
            "accessible": True,
            "usable": True,
        }
    }
    assert found["usable"]
    assert found["advice"] is None
    assert _info._describe_dsa(found) == (
        "dsa0 enabled; wq0.0 enabled shared user (usable)"
    )


def test_a_disabled_device(tmp_path: Path) -> None:
    found = make(tmp_path, device="disabled", queue="disabled")
    assert "no DSA device is enabled" in found["advice"]


@pytest.mark.parametrize(
    "wrong", [{"queue": "disabled"}, {"mode": "dedicated"}, {"type": "kernel"}]
)
def test_a_queue_that_does_not_suit(tmp_path: Path, wrong: dict[str, str]) -> None:
    found = make(tmp_path, **wrong)
    assert not found["usable"]
    assert "no work queue suits" in found["advice"]
    assert "(not usable)" in _info._describe_dsa(found)


def test_a_queue_without_its_file(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "dev/dsa/wq0.0").unlink()
    found = _dsa.devices(tmp_path)
    assert not found["usable"]
    assert "may not open /dev/dsa/wq0.0" in str(found["advice"])
