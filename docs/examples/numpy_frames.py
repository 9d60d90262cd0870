# SPDX-License-Identifier: BSD-3-Clause
"""Keep a copy of each frame while the next one is being computed.

Two frames take turns: while one is copied into the history, the other is filled.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import miniasync

Frame = npt.NDArray[np.float32]

FRAMES, HEIGHT, WIDTH = 8, 720, 1280


def compute(frame: Frame, number: int) -> None:
    """Stand in for what a program does with NumPy."""
    np.multiply(frame, 0.5, out=frame)
    np.add(frame, number, out=frame)


def record() -> npt.NDArray[np.float32]:
    """Compute the frames and return all of them."""
    history = np.empty((FRAMES, HEIGHT, WIDTH), np.float32)
    drawn, shown = np.zeros((2, HEIGHT, WIDTH), np.float32)
    copy = None
    for number in range(FRAMES):
        compute(drawn, number)
        if copy is not None:
            copy.result()  # the copy of `shown`; from here on it may change
        drawn, shown = shown, drawn
        copy = miniasync.memcpy(history[number], shown).start()
    assert copy is not None
    copy.result()
    return history


if __name__ == "__main__":
    history = record()
    print("last pixels:", *(float(frame[-1, -1]) for frame in history))
