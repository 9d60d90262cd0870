# SPDX-License-Identifier: BSD-3-Clause
"""What the other tests rely on."""

from __future__ import annotations

from gate import Gate


def test_who_waits_at_a_gate_closed_once_more_is_let_through(gate: Gate) -> None:
    future = gate.mover.memcpy(bytearray(5), b"12345").start()
    gate.wait_entered()
    gate.close()
    gate.open()
    assert future.result(timeout=30) == b"12345"


def test_a_gate_that_was_opened_can_be_closed(gate: Gate) -> None:
    gate.open()
    assert gate.mover.memcpy(bytearray(5), b"12345").result() == b"12345"
    gate.close()
    gate.wait_entered()  # of before
    future = gate.mover.memcpy(bytearray(5), b"12345").start()
    gate.wait_entered()
    assert not future.done()
    gate.open()
    assert future.result(timeout=30) == b"12345"
