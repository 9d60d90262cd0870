# SPDX-License-Identifier: BSD-3-Clause
"""Chains that seem to wait for one another, and do not."""

from __future__ import annotations

import threading

import pytest
from gate import Gate

from miniasync import chain
from miniasync._flight import Flight
from miniasync._sequence import Chain


def test_one_goes_on_while_another_looks_at_it(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has given back what is waited for before it comes to what it waits for."""
    copy = gate.mover.memcpy(bytearray(5), b"12345")
    inner = chain(lambda _: copy, bytes)
    outer = chain(inner, lambda _: "outer")
    other = chain(copy, inner, lambda _: "other")
    other.poll()
    about = Chain.about

    def go_on() -> None:
        gate.open()
        while other._flight.about() is not inner._flight:
            other.poll()

    def interrupted(flight: Chain) -> Flight | None:
        if flight is other._flight:
            monkeypatch.undo()
            thread = threading.Thread(target=go_on)
            thread.start()
            thread.join(30)
        return about(flight)

    monkeypatch.setattr(Chain, "about", interrupted)
    outer.poll()
    assert Chain.about is about
    assert outer.result(timeout=30) == "outer"
    assert other.result(timeout=30) == "other"
