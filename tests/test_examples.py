# SPDX-License-Identifier: BSD-3-Clause
"""What docs/examples shows, and what a new user types."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def run_example(name: str, folder: Path, *args: str) -> str:
    """Run a script of docs/examples and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *args],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def test_numpy_frames(tmp_path: Path) -> None:
    pixel, pixels = 0.0, [0.0, 0.0]
    for number in range(8):
        pixel = pixels[number % 2] * 0.5 + number
        pixels[number % 2] = pixel
        pixels.append(pixel)
    expected = " ".join(map(str, pixels[2:]))
    assert run_example("numpy_frames.py", tmp_path) == f"last pixels: {expected}\n"


def test_frame_server(tmp_path: Path) -> None:
    out = run_example("frame_server.py", tmp_path)
    match = re.fullmatch(
        r"10 frames, the slowest in [\d.]+ ms; (\d+) pings, .* ms\n", out
    )
    assert match is not None
    assert int(match[1]) > 0


def test_two_processes(tmp_path: Path) -> None:
    frames = [sha256(bytes([n]) * (16 << 20)).hexdigest()[:8] for n in range(6)]
    assert run_example("two_processes.py", tmp_path) == " ".join(frames) + "\n"


def test_mapped_records(tmp_path: Path) -> None:
    out = run_example("mapped_records.py", tmp_path, "records", "fields")
    assert out == "collected 200000 fields of 64 bytes\n"
    fields = np.fromfile(tmp_path / "fields", np.uint32)
    assert (fields == np.arange(200_000, dtype=np.uint32).repeat(16)).all()


def test_an_interactive_session() -> None:
    """Ctrl-C at a prompt ends the wait, and the future is still good."""
    pid, terminal = pty.fork()
    if pid == 0:
        # Its older line editor, whose echo is the same everywhere.
        os.environ |= {"PYTHON_BASIC_REPL": "1", "TERM": "dumb"}
        os.chdir(Path(__file__).parent)
        os.execv(sys.executable, [sys.executable, "-q", "-i"])
    said = b""

    def read_until(what: bytes) -> None:
        nonlocal said
        while what not in said:
            readable, _, _ = select.select([terminal], [], [], 60)
            assert readable, said
            said += os.read(terminal, 4096)
        said = said.partition(what)[2]

    def enter(line: str) -> None:
        os.write(terminal, line.encode() + b"\n")

    try:
        read_until(b">>> ")
        for line in (
            "import miniasync",
            "from gate import Gate",
            "gate = Gate()",
            "dst = bytearray(5)",
            "f = gate.mover.memcpy(dst, b'12345').start()",
        ):
            enter(line)
            read_until(b">>> ")
        enter("print('wait' + 'ing', flush=True); f.result()")
        read_until(b"waiting")
        os.write(terminal, b"\x03")
        read_until(b"KeyboardInterrupt")
        read_until(b">>> ")
        enter("f")
        read_until(b"<miniasync.Future: memcpy of 5 bytes, running>")
        enter("gate.open(); f.result()")
        read_until(b"bytearray(b'12345')")
        enter("exit()")
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, said
