# SPDX-License-Identifier: BSD-3-Clause
"""The console script: usage, `info`, and what is shown where."""

import json
import os
import pty
import shutil
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

import pytest

import miniasync
from miniasync import _console, _info
from miniasync.__main__ import main
from miniasync._units import format_ns, format_size, parse_size

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

VERSION = version("miniasync")


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-Im", "miniasync", *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_is_installed_as_a_console_script() -> None:
    (script,) = entry_points(group="console_scripts", name="miniasync")
    assert script.load() is main


def test_version_names_both_versions() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert VERSION in done.stdout
    assert (miniasync.provider().version or "upstream's") in done.stdout


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["move"],
        ["copy", "only-one"],
        ["copy", "a", "b", "--chunk", "0"],
        ["copy", "a", "b", "--chunk", "1 bushel"],
        ["copy", "a", "b", "--in-flight", "0"],
        ["copy", "a", "b", "--in-flight", "x"],
        ["bench", "--sizes", "64KiB,,1MiB"],
        ["bench", "--seconds", "0"],
        ["bench", "--seconds", "nan"],
        ["info", "--xml"],
    ],
)
def test_wrong_usage_is_status_2_and_a_sentence(
    args: list[str], capsys: Capture
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(args)
    assert ended.value.code == 2
    assert "usage: miniasync" in capsys.readouterr().err


def test_a_wrong_size_is_explained(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["copy", "a", "b", "--chunk", "1 bushel"])
    assert "unknown unit; use KiB, MiB, GiB or TiB" in capsys.readouterr().err


def test_info_shows_every_fact(capsys: Capture) -> None:
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert "C library:" in out
    assert "ThreadsMover:" in out
    assert "DmlMover:" in out
    assert VERSION in out


def test_info_for_programs(capsys: Capture) -> None:
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["miniasync"] == VERSION
    library = found["libminiasync"]
    provider = miniasync.provider()
    assert library["provider"] == provider.name
    assert library["version"] == provider.version
    assert library["upstream"] == provider.is_upstream
    assert found["movers"]["SyncMover"]["available"] is True
    facts = found["movers"]["ThreadsMover"]
    assert facts["available"] is True
    if not provider.is_upstream:
        with miniasync.ThreadsMover() as mover:
            assert facts["threads"] == mover.threads
            assert facts["inline_below"] == mover.inline_below
    facts = found["movers"]["DmlMover"]
    assert facts["available"] == ("reason" not in facts)
    if facts["available"]:
        with miniasync.DmlMover() as dml:
            assert facts["hardware"] == dml.uses_hardware
    assert found["cores"] == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("provider", "text"),
    [
        (("bundled", "0.3.0", False), "libminiasync 0.3.0, our own, bundled"),
        (("system", None, True), "libminiasync, upstream's, system"),
    ],
)
def test_info_says_whose_library_it_is(
    provider: tuple[str, str | None, bool], text: str, monkeypatch: Patch
) -> None:
    fake = miniasync.Provider(*provider)
    monkeypatch.setattr(miniasync, "provider", lambda: fake)
    assert f" {text}\n" in _info.describe(_info.collect())
    assert f"({text})" in _info.version_line()


def test_info_leaves_out_what_upstream_does_not_tell(monkeypatch: Patch) -> None:
    def unknown(self: miniasync.ThreadsMover) -> int:
        raise miniasync.NotSupportedError("not known")

    monkeypatch.setattr(miniasync.ThreadsMover, "threads", property(unknown))
    found = _info.collect()
    movers: Any = found["movers"]
    facts = movers["ThreadsMover"]
    assert facts == {"available": True, "threads": None, "inline_below": None}
    lines = [line.split() for line in _info.describe(found).splitlines()]
    assert ["ThreadsMover:", "available"] in lines


def test_a_closed_pipe_is_no_traceback() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as out:
        done = subprocess.run(
            [sys.executable, "-Im", "miniasync", "info"],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("4096", 4096),
        ("64B", 64),
        ("64KiB", 65536),
        ("64 kib", 65536),
        ("64K", 65536),
        ("64k", 65536),
        ("1.5MiB", 3 * 2**19),
        ("10MB", 10_000_000),
        (" 2 GiB ", 2**31),
        ("1T", 2**40),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "KiB", "0", "-1", "0.3", "0.1KiB", "1iB", "1 bushel", "1e3", "٣", "9" * 40],
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"size|unit|whole number"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (2**20, "1 MiB"),
        (2**40, "1 TiB"),
        (2**50, "1024 TiB"),
    ],
)
def test_sizes_are_written(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (2.84, "2.84 ns"),
        (28.4, "28.4 ns"),
        (284, "284 ns"),
        (999.6, "1.00 us"),
        (1.5e6, "1.50 ms"),
        (2.5e12, "2500 s"),
    ],
)
def test_times_are_written(ns: float, text: str) -> None:
    assert format_ns(ns) == text


def test_a_table_in_a_file_is_plain(capsys: Capture) -> None:
    rows = [["1", "x", "2"], ["333", "yy", "4"]]
    _console.print_table("title", ["a", "b", "ccc"], rows, labels=2)
    assert capsys.readouterr().out == (
        "title\na    b   ccc\n---  --  ---\n1    x     2\n333  yy    4\n\n"
    )


def test_a_progress_bar_in_a_file_is_nothing(capsys: Capture) -> None:
    with _console.progress("copy", 2) as advance:
        advance(1)
        advance(1)
    assert capsys.readouterr() == ("", "")


def on_terminal(code: str, **env: str) -> str:
    """Run Python code with its output on a terminal; what appears there."""
    shown, terminal = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-Ic", code],
            stdout=terminal,
            stderr=terminal,
            timeout=60,
            check=False,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80", **env},
        )
    finally:
        os.close(terminal)
    text = b""
    try:
        # Linux says EIO where the terminal's other side was closed.
        while part := os.read(shown, 65536):
            text += part
    except OSError:
        pass
    finally:
        os.close(shown)
    assert done.returncode == 0, text
    return text.decode()


BAR = """
from miniasync import _console
with _console.progress("copy", 4) as advance:
    for _ in range(4):
        advance(1)
_console.print_table("title", ["a", "b"], [["1", "2"]])
"""
NO_RICH = "import sys; sys.modules['rich'] = None\n"


def test_a_terminal_gets_a_bar_without_rich() -> None:
    text = on_terminal(NO_RICH + BAR)
    assert "\rcopy [" + "#" * 30 + "] 100%" in text
    assert "\x1b" not in text
    assert "a  b" in text


def test_a_dumb_terminal_gets_no_bar() -> None:
    text = on_terminal(BAR, TERM="dumb")
    assert "copy" not in text
    assert "a  b" in text


def test_a_terminal_gets_richs_table() -> None:
    pytest.importorskip("rich")
    assert "\x1b[" in on_terminal(BAR)


def test_a_terminal_too_narrow_for_richs_table_shows_all_of_it() -> None:
    pytest.importorskip("rich")
    table = """
from miniasync import _console
row = ["work " * 12, "1.5 us", "<= 2", "ok", "peer 3"]
_console.print_table("title", ["a", "b", "c", "d", "e"], [row])
"""
    shown = on_terminal(table)
    assert "\x1b" not in shown
    for word in ("1.5 us", "<= 2", "ok", "peer 3"):
        assert word in shown
    assert "\x1b[" in on_terminal(table, COLUMNS="100")


@pytest.mark.parametrize("closed", [1, 2])
def test_a_closed_stream_is_no_hindrance(tmp_path: Path, closed: int) -> None:
    src, dst = tmp_path / "src", tmp_path / "dst"
    src.write_bytes(b"12345")
    command = [sys.executable, "-Im", "miniasync", "copy", str(src), str(dst)]
    # Not the shell's >&-: dash crashes when libtsan is preloaded.
    close = f"import os, sys; os.close({closed}); os.execv(sys.argv[1], sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", close, *command],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert dst.read_bytes() == b"12345"


def test_last_words_leave_the_bar_alone(capsys: Capture, monkeypatch: Patch) -> None:
    assert _console.last_words("over\n") == "over\n"
    monkeypatch.setattr(_console, "_is_terminal", lambda stream: True)
    assert _console.last_words("over\n").endswith("\nover\n")


def test_commands_run_where_the_working_directory_is_a_checkout(tmp_path: Path) -> None:
    (tmp_path / "miniasync").mkdir()
    script = shutil.which("miniasync", path=os.path.dirname(sys.executable))
    if script is None:
        pytest.skip("the console script is not beside this Python")
    done = subprocess.run(
        [script, "--version"], cwd=tmp_path, capture_output=True, timeout=60, check=True
    )
    assert VERSION.encode() in done.stdout
