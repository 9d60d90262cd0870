# SPDX-License-Identifier: BSD-3-Clause
"""Futures of a test's own."""

from __future__ import annotations

from miniasync import PENDING, Future, Pending, Waker


class Countdown(Future[str]):
    """Complete at the nth step; never uses its waker."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    def step(self, waker: Waker) -> str | Pending:
        self.left -= 1
        return "liftoff" if self.left <= 0 else PENDING
