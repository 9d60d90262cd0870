# SPDX-License-Identifier: BSD-3-Clause
"""`miniasync copy`."""

import errno
import os
import random
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import miniasync
from miniasync import _copy
from miniasync.__main__ import main

CHUNK = 4096
View = miniasync.Future[memoryview]
BYTES = random.Random(1).randbytes(3 * CHUNK + 7)


@dataclass
class Case:
    """A file to copy, and a place for the copy."""

    src: Path
    dst: Path
    patch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def copy(self, *options: str) -> int:
        """Run the command."""
        args = ["copy", str(self.src), str(self.dst), "--chunk", str(CHUNK)]
        return main([*args, *options])

    def refused(self, *options: str, text: str) -> None:
        """Run the command, which fails with one sentence that has `text` in it."""
        assert self.copy(*options) == 1
        out, err = self.capsys.readouterr()
        assert out == ""
        assert text in err
        assert err.startswith("miniasync: ")
        assert err.count("\n") == 1


@pytest.fixture
def case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Case]:
    """The files are gone from memory afterwards, and no temporary one is left."""
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "src").write_bytes(BYTES)
    yield Case(tmp_path / "src", out / "dst", monkeypatch, capsys)
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    with open("/proc/self/maps", encoding="utf-8") as maps:
        assert str(tmp_path) not in maps.read()


@pytest.mark.parametrize("in_flight", ["1", "2", "9"])
@pytest.mark.parametrize(
    "size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7]
)
def test_copies_every_size(case: Case, size: int, in_flight: str) -> None:
    case.src.write_bytes(BYTES[:size])
    assert case.copy("--in-flight", in_flight) == 0
    assert case.dst.read_bytes() == BYTES[:size]
    out, err = case.capsys.readouterr()
    assert out.startswith("copied ")
    assert "both files are equal" in out
    assert ("GB/s" in out) == (size > 0)
    assert err == ""


def test_default_options(case: Case) -> None:
    assert main(["copy", str(case.src), str(case.dst)]) == 0
    assert case.dst.read_bytes() == BYTES


def test_can_go_without_verification(case: Case) -> None:
    case.patch.setattr(_copy, "_compare", None)
    assert case.copy("--no-verify") == 0
    assert "not verified" in case.capsys.readouterr().out


@pytest.mark.parametrize("mode", [0o600, 0o444, 0o755, 0o4711])
def test_permission_bits_are_kept_and_set_id_bits_not(case: Case, mode: int) -> None:
    case.src.chmod(mode)
    if not os.access(case.src, os.R_OK):
        pytest.skip("the file cannot be read with these bits")
    assert case.copy() == 0
    assert stat.S_IMODE(case.dst.stat().st_mode) == mode & 0o777


def test_leaves_no_file_descriptor(case: Case) -> None:
    before = os.listdir("/proc/self/fd")
    assert case.copy() == 0
    assert case.copy() == 1
    assert os.listdir("/proc/self/fd") == before


def test_force_replaces_in_one_step(case: Case) -> None:
    case.dst.write_bytes(b"old")
    with case.dst.open("rb") as old:
        assert case.copy("--force") == 0
        assert old.read() == b"old"
    assert case.dst.read_bytes() == BYTES


def test_force_is_fine_without_an_old_file(case: Case) -> None:
    assert case.copy("--force") == 0
    assert case.dst.read_bytes() == BYTES


def test_force_writes_through_a_symbolic_link(case: Case) -> None:
    real = case.dst.with_name("real")
    real.write_bytes(b"old")
    case.dst.symlink_to(real)
    assert case.copy("--force") == 0
    assert case.dst.is_symlink()
    assert real.read_bytes() == BYTES


def test_an_existing_dst_is_refused(case: Case) -> None:
    case.dst.write_bytes(b"old")
    case.refused(text="exists; --force replaces it")
    assert case.dst.read_bytes() == b"old"


def test_a_dangling_link_is_refused(case: Case) -> None:
    case.dst.symlink_to(case.dst.with_name("nowhere"))
    case.refused(text="exists; --force replaces it")


@pytest.mark.parametrize("options", [[], ["--force"]])
@pytest.mark.parametrize("how", ["same", "hard link", "symlink", "via directory"])
def test_src_and_dst_being_one_file_is_refused(
    case: Case, how: str, options: list[str]
) -> None:
    if how == "same":
        case.dst = case.src
    elif how == "hard link":
        os.link(case.src, case.dst)
    elif how == "symlink":
        case.dst.symlink_to(case.src)
    else:
        case.dst = case.dst.parent / ".." / case.src.name
    case.refused(*options, text="are the same file")
    assert case.src.read_bytes() == BYTES


def test_a_link_as_src_is_followed(case: Case) -> None:
    link = case.src.with_name("link")
    link.symlink_to(case.src)
    case.src = link
    assert case.copy() == 0
    assert not case.dst.is_symlink()
    assert case.dst.read_bytes() == BYTES


@pytest.mark.parametrize("options", [[], ["--force"]])
def test_directories_are_refused(case: Case, options: list[str]) -> None:
    src, dst = case.src, case.dst
    case.dst = dst.parent
    case.refused(*options, text="is a directory; name a file")
    case.src, case.dst = src.parent, dst
    case.refused(*options, text="is a directory; name a file")


@pytest.mark.parametrize("end", ["/", "/.", "/.."])
@pytest.mark.parametrize("exists", [False, True])
def test_a_dst_that_names_a_directory_is_refused(
    case: Case, end: str, exists: bool
) -> None:
    if exists:
        case.dst.write_bytes(b"precious")
    assert main(["copy", "--force", str(case.src), f"{case.dst}{end}"]) == 1
    assert " a directory; name a file" in case.capsys.readouterr().err
    assert not exists or case.dst.read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("src", "text"),
    [
        ("fifo", "is not a regular file"),
        ("/dev/null", "is not a regular file"),
        ("/proc/self/status", "it cannot be mapped"),
    ],
)
def test_a_src_that_is_no_regular_file_is_refused(
    case: Case, src: str, text: str
) -> None:
    case.src = case.src.parent / src
    if src == "fifo":
        os.mkfifo(case.src)
    case.refused(text=text)


def test_a_dst_that_is_no_regular_file_is_refused(case: Case) -> None:
    os.mkfifo(case.dst)
    case.refused("--force", text="is not a regular file")
    assert stat.S_ISFIFO(case.dst.stat().st_mode)


def test_what_is_missing_is_named(case: Case) -> None:
    src, missing = case.src, case.src.with_name("missing")
    case.src = missing
    case.refused(text=f"{missing}: No such file")
    case.src, case.dst = src, missing / "dst"
    case.refused(text=f"{case.dst}: No such file")
    case.dst = src / "dst"
    case.refused(text=f"{case.dst}: Not a directory")


def test_a_full_device_is_reported_before_anything_is_mapped(case: Case) -> None:
    def full(fd: int, offset: int, size: int) -> None:
        assert (offset, size) == (0, len(BYTES))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    case.patch.setattr(os, "posix_fallocate", full)
    case.patch.setattr(_copy, "_mapped", None)
    case.refused(text=f"{case.dst}: No space left on device")
    assert not case.dst.exists()


LIMITED = """
import resource, sys
from miniasync.__main__ import main
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
sys.exit(main(["copy", *sys.argv[1:]]))
"""


def test_a_limit_on_file_size_is_reported(case: Case) -> None:
    done = subprocess.run(
        # -B: what it compiled would be cut off at the limit, too, and stay.
        [sys.executable, "-IBc", LIMITED, case.src, case.dst],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"miniasync: {case.dst}: File too large\n"
    assert not case.dst.exists()


@pytest.mark.parametrize("how", ["missing", "unsupported"])
def test_works_where_space_cannot_be_reserved(case: Case, how: str) -> None:
    def unsupported(fd: int, offset: int, size: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    if how == "missing":
        case.patch.delattr(os, "posix_fallocate")
    else:
        case.patch.setattr(os, "posix_fallocate", unsupported)
    assert case.copy() == 0
    assert case.dst.read_bytes() == BYTES


def test_wrong_bytes_are_found_out(case: Case) -> None:
    memcpy = miniasync.memcpy

    def wrong(to: memoryview, what: memoryview) -> View:
        future = memcpy(to, what)
        future.result()
        if len(to) < CHUNK:
            to[3] ^= 1
        return future

    case.patch.setattr(miniasync, "memcpy", wrong)
    text = f"the files differ at byte {3 * CHUNK + 3}"
    case.refused("--force", text=text)
    assert not case.dst.exists()


@pytest.mark.parametrize("in_flight", ["1", "4"])
def test_a_failed_operation_fails_the_copy(case: Case, in_flight: str) -> None:
    memcpy = miniasync.memcpy
    made: list[View] = []

    def fails(to: memoryview, what: memoryview) -> View:
        made.append(memcpy(to, what))
        if len(made) == 3:
            raise miniasync.OutOfMemoryError("no memory for another operation")
        return made[-1]

    case.patch.setattr(miniasync, "memcpy", fails)
    case.dst.write_bytes(b"old")
    text = "no memory for another operation"
    case.refused("--force", "--in-flight", in_flight, text=text)
    assert case.dst.read_bytes() == b"old"
    assert [future.done() for future in made[:2]] == [True, True]
    made.clear()  # their results are views of the map


@pytest.mark.parametrize("change", ["append", "shrink", "rewrite"])
@pytest.mark.parametrize("when", ["_move", "_compare"])
def test_a_src_that_changes_is_noticed(case: Case, change: str, when: str) -> None:
    real = getattr(_copy, when)

    def meddle(*args: Any) -> None:
        if change == "append":
            with case.src.open("ab") as file:
                file.write(b"more")
        elif change == "shrink":
            # Within the last page: what is mapped stays readable.
            os.truncate(case.src, len(BYTES) - 1)
        else:
            old = case.src.stat()
            os.utime(case.src, ns=(old.st_atime_ns, old.st_mtime_ns + 1_000_000_000))
        # Past the end of a file a page reads as zeros; verification is not what
        # this test is about.
        if when == "_move":
            real(*args)

    case.patch.setattr(_copy, when, meddle)
    case.refused(text="changed while it was being copied")
    assert not case.dst.exists()


CUT_SHORT = """
import os, sys
from miniasync import _copy
from miniasync.__main__ import main
src, dst = sys.argv[1:]
move = _copy._move
def cut(*args):
    os.truncate(src, 1)
    move(*args)
_copy._Source.check_unchanged = lambda self: None
_copy._move = cut
print("status", main(["copy", src, dst]))
"""


def test_a_src_cut_short_under_the_copy_ends_with_a_sentence(case: Case) -> None:
    done = subprocess.run(
        [sys.executable, "-Ic", CUT_SHORT, case.src, case.dst],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("miniasync: ")
    assert "SRC was cut short" in done.stderr
    assert not case.dst.exists()


GUARD = """
import errno, signal
from miniasync import lib
def caught():
    with open("/proc/self/status") as status:
        (mask,) = [line.split()[1] for line in status if line.startswith("SigCgt:")]
    return int(mask, 16) >> (signal.SIGBUS - 1) & 1
signal.signal(signal.SIGBUS, signal.SIG_DFL)
assert not caught()
assert lib.ma_busguard_on(b"path", b"message") == 0
assert lib.ma_busguard_on(b"path", b"message") == errno.EBUSY
assert caught()
lib.ma_busguard_off()
lib.ma_busguard_off()
assert not caught()
"""


def test_the_guard_is_put_away() -> None:
    # A process of its own: pytest catches the signal, and so do sanitizers.
    subprocess.run([sys.executable, "-Ic", GUARD], timeout=60, check=True)


@pytest.mark.parametrize("without_links", [False, True])
def test_a_dst_that_appears_meanwhile_is_left_alone(
    case: Case, without_links: bool
) -> None:
    compare = _copy._compare

    def appear(*args: Any) -> None:
        compare(*args)
        case.dst.write_bytes(b"somebody else's")

    case.patch.setattr(_copy, "_compare", appear)
    if without_links:
        case.patch.setattr(os, "link", no_links)
    case.refused(text="exists; --force replaces it")
    assert case.dst.read_bytes() == b"somebody else's"


def no_links(old: str, new: str) -> None:
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def test_works_where_there_are_no_hard_links(case: Case) -> None:
    case.patch.setattr(os, "link", no_links)
    assert case.copy() == 0
    assert case.dst.read_bytes() == BYTES
    assert case.dst.stat().st_nlink == 1


def test_a_reserved_name_is_given_back(case: Case) -> None:
    def broken(old: str, new: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), new)

    case.patch.setattr(os, "link", no_links)
    case.patch.setattr(os, "replace", broken)
    case.refused(text=f"{case.dst}: Input/output error")
    assert not case.dst.exists()


def test_a_failing_sync_fails_the_copy(case: Case) -> None:
    def broken(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    case.patch.setattr(os, "fsync", broken)
    case.refused(text="Input/output error")
    assert not case.dst.exists()


@pytest.mark.parametrize(
    "signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name
)
@pytest.mark.parametrize("step", ["_allocate", "_move", "_compare", "_publish"])
def test_signals_leave_nothing_behind(
    case: Case, signum: signal.Signals, step: str
) -> None:
    before = signal.getsignal(signum)
    real = getattr(_copy, step)

    def interrupted(*args: Any) -> None:
        signal.raise_signal(signum)
        real(*args)

    case.patch.setattr(_copy, step, interrupted)
    case.dst.write_bytes(b"old")
    assert case.copy("--force") == 128 + signum
    assert case.dst.read_bytes() == b"old"
    assert signal.getsignal(signum) == before
    assert "Traceback" not in case.capsys.readouterr().err


def test_ctrl_c_between_chunks_waits_for_what_was_started(case: Case) -> None:
    memcpy = miniasync.memcpy
    made: list[View] = []

    def interrupted(to: memoryview, what: memoryview) -> View:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(memcpy(to, what))
        return made[-1]

    case.patch.setattr(miniasync, "memcpy", interrupted)
    assert case.copy() == 130
    assert [future.done() for future in made] == [True, True]
    made.clear()  # their results are views of the map
    assert not case.dst.exists()


def test_an_ignored_hangup_stays_ignored(case: Case) -> None:
    compare = _copy._compare

    def hang_up(*args: Any) -> None:
        signal.raise_signal(signal.SIGHUP)
        compare(*args)

    case.patch.setattr(_copy, "_compare", hang_up)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert case.copy() == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert case.dst.read_bytes() == BYTES
