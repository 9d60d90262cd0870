# SPDX-License-Identifier: BSD-3-Clause
"""What the command line shows: tables and progress bars.

With Rich installed and a terminal to show it on they are Rich's; otherwise
plain text. The choice is made here and nowhere else. What goes to a file or a
pipe has neither colours nor carriage returns, and no progress bar.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

Advance = Callable[[int], None]

_BAR_WIDTH = 30
_REDRAW_S = 0.1


def _fancy(stream: TextIO | None) -> Any:
    """Rich's console for this stream, or None for plain text."""
    if not _is_terminal(stream):
        return None
    try:
        from rich.console import (  # type: ignore[import-not-found,unused-ignore]
            Console,
        )
    except ImportError:
        return None
    return Console(file=stream)


def _is_terminal(stream: TextIO | None) -> bool:
    # None: closed by who started the program.
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], labels: int = 1
) -> None:
    """Print a table on standard output.

    Args:
        title: A line above it.
        columns: The headings.
        rows: The cells, as many in each row as there are columns.
        labels: How many columns, from the left, are words; the others are
            numbers and stand right.
    """
    console = _fancy(sys.stdout)
    # Rich would leave the last columns out, and ours is as wide as need be.
    if console is None or _width(columns, rows) > console.width:
        print(_plain_table(title, columns, rows, labels))
        return
    from rich.table import Table  # type: ignore[import-not-found,unused-ignore]

    table = Table(title=title, title_justify="left", title_style="bold")
    for index, name in enumerate(columns):
        table.add_column(
            name, justify="left" if index < labels else "right", no_wrap=True
        )
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """How wide a table with borders is."""
    cells = zip(columns, *rows, strict=True)
    return 1 + sum(max(map(len, column)) + 3 for column in cells)


def _plain_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], labels: int
) -> str:
    lines = [columns, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    lines.insert(1, ["-" * width for width in widths])
    text = [
        "  ".join(
            cell.ljust(width) if index < labels else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([title, *text, ""])


@contextmanager
def progress(label: str, total: int) -> Iterator[Advance]:
    """Show a progress bar on standard error while the block runs.

    Args:
        label: What is going on.
        total: How much there is to do, in any unit; 0 is drawn as done.

    Yields:
        A function to call with how much more was done.
    """
    console = _fancy(sys.stderr)
    if console is not None:
        from rich.progress import (  # type: ignore[import-not-found,unused-ignore]
            Progress,
        )

        with Progress(console=console, transient=True) as bar:
            task = bar.add_task(label, total=max(total, 1), completed=int(not total))
            yield lambda step: bar.advance(task, step)
    elif _is_terminal(sys.stderr):
        plain = _PlainBar(sys.stderr, label, total)
        try:
            yield plain.advance
        finally:
            plain.clear()
    else:
        yield lambda step: None


def last_words(sentence: str) -> str:
    """A sentence for standard error that may have to break into a bar.

    Args:
        sentence: What to say; it ends with a newline.

    Returns:
        The same, on a terminal on a line of its own and with the cursor shown.
    """
    return "\x1b[?25h\n" + sentence if _is_terminal(sys.stderr) else sentence


class _PlainBar:
    """A bar of hashes that redraws its line, ten times a second at most."""

    def __init__(self, stream: TextIO, label: str, total: int) -> None:
        self._stream = stream
        self._label = label
        self._total = total
        self._done = 0
        self._drawn = 0.0
        self.advance(0)

    def advance(self, step: int) -> None:
        self._done += step
        now = time.monotonic()
        if now - self._drawn < _REDRAW_S and self._done < self._total:
            return
        self._drawn = now
        share = min(self._done / self._total, 1.0) if self._total else 1.0
        bar = ("#" * round(share * _BAR_WIDTH)).ljust(_BAR_WIDTH, ".")
        line = f"{self._label} [{bar}] {share:4.0%}"
        # A line that wraps could not be redrawn.
        width = shutil.get_terminal_size().columns - 1
        self._stream.write("\r" + line[:width])
        self._stream.flush()

    def clear(self) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._stream.write("\r" + " " * width + "\r")
        self._stream.flush()
