# SPDX-License-Identifier: BSD-3-Clause
"""`miniasync bench`: its structure and its honesty, not the figures."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import miniasync
from miniasync import _bench_native, _bench_stalls, _bench_timing, _sysinfo, bench
from miniasync.__main__ import main
from miniasync._bench_goals import Goal
from miniasync._bench_timing import Arena, BenchmarkError, Contender, Pace, measure
from miniasync._console import Advance

lib, ffi = miniasync.lib, miniasync.ffi
Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
Copy = Callable[[Arena, int], None]

TINY = ["bench", "--quick", "--sizes", "64,4KiB", "--seconds", "0.001"]


@pytest.fixture(autouse=True)
def tiny(monkeypatch: Patch) -> None:
    """As little work as there can be."""
    monkeypatch.setattr(_bench_timing, "_PROBE_NS", 1000)
    monkeypatch.setattr(_bench_timing, "_PROBE_BYTES", 2**20)
    monkeypatch.setattr(bench, "BATCHES", (1, 3))
    monkeypatch.setattr(bench, "LARGE", (4096, 4096))
    monkeypatch.setattr(_bench_stalls, "_PENDING", 100)


@pytest.fixture
def arena() -> Iterator[Arena]:
    arena = Arena(4096)
    yield arena
    arena.close()


@contextmanager
def silent(label: str, total: int) -> Iterator[Advance]:
    yield lambda step: None


def run(sizes: tuple[int, ...] = (64, 4096)) -> bench.Report:
    return bench.run(bench.Config(sizes, seconds=0.001, rounds=2), silent)


def test_every_contender_has_its_rows() -> None:
    report = run()
    movers: Any = report.system["movers"]
    dml: bool = movers["DmlMover"]["available"]
    python = ["memcpy", "SyncMover", "ThreadsMover", *["DmlMover"] * dml, "memoryview"]
    if "numpy" in sys.modules:
        python += ["numpy.copyto", "pool + copyto"]
    native = ["memcpy", "sync mover", "threads mover", *["dml mover"] * dml]
    assert [(row.table, row.name, row.size, row.batch) for row in report.rows] == [
        *(("python", name, 64, 1) for name in python),
        *(("python", name, 4096, 1) for name in python),
        *(("native latency", name, 64, 1) for name in native),
        *(("native batches", name, 64, 1) for name in native),
        *(("native batches", name, 64, 3) for name in native),
        *(("native copies", name, 64, 1) for name in native),
        *(("native copies", name, 4096, 1) for name in native),
    ]


def test_numbers_agree_with_each_other() -> None:
    for row in run().rows:
        assert len(row.rounds) == 2
        assert row.ns == pytest.approx(sum(row.rounds) / 2)
        assert row.ns > 0
        assert row.gbps == row.size / row.ns
        assert row.versus > 0
        assert len(row.two_threads) == 2
        if row.name == "memcpy":
            assert row.versus == 1
        if row.table == "native latency":
            assert row.p50 is not None
            assert row.p99 is not None
            assert 0 < row.p50 <= row.p99
        else:
            assert row.p50 is row.p99 is None


def test_numpy_is_optional(monkeypatch: Patch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    names = {row.name for row in run((64,)).rows}
    assert "ThreadsMover" in names
    assert not {name for name in names if "copyto" in name}


@pytest.mark.parametrize("long", [False, True])
def test_every_goal_is_there(long: bool, monkeypatch: Patch) -> None:
    monkeypatch.setattr(_bench_stalls, "_FEWEST", 2 if long else 10**9)
    report = bench.run(
        bench.Config((64, 4096), seconds=0.001, rounds=2, only_goals=True), silent
    )
    assert report.rows == []
    peer = "numpy.copyto" if "numpy" in sys.modules else "memoryview"
    late = "late during an awaited 16 KiB copy"
    ticks = ("p99.9", "longest") if long else ("longest",)
    worker = "memcpy(64 B).result() through a worker, p50"
    assert [goal.work for goal in report.goals] == [
        "memcpy(64 B).result()",
        "memcpy(64 B).result(), times a pool's",
        "memcpy(64 B).result(), mean beside a busy thread",
        *[worker] * (not miniasync.provider().is_upstream),
        "await memcpy(64 B)",
        "await of a running 1 MiB copy, beyond the copy",
        "memcpy_batch, 1000 of 64 B, each, from pairs",
        "memcpy_batch, 1000 of 64 B, each, from offsets",
        f"memcpy(4 KiB).result(), times {peer}'s",
        *(f"the event loop, {late}, {which}" for which in ticks),
        *(f"another thread, {late}, {which}" for which in ticks),
        *["memory of a pending future"] * Path("/proc/self/statm").exists(),
        "import miniasync",
    ]
    figures = {goal.work: goal.figure for goal in report.goals}
    assert figures["import miniasync"] > 0
    assert figures["memcpy(64 B).result()"] > 0


@pytest.mark.parametrize("sizes", [(64,), (64, 2**20)])
def test_large_copies_are_neither_small_nor_huge(
    sizes: tuple[int, ...], monkeypatch: Patch
) -> None:
    """Whatever sizes the rows are about."""
    monkeypatch.setattr(bench, "LARGE", (2**13, 2**14))
    config = bench.Config(sizes, seconds=0.001, rounds=2, only_goals=True)
    works = [goal.work for goal in bench.run(config, silent).goals]
    large = "16 KiB" if len(sizes) > 1 else "8 KiB"
    assert any(work.startswith(f"memcpy({large}).result()") for work in works)


def test_a_picture_of_no_copies_is_refused(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main([*TINY, "--goals", "--plot", "picture.png"])
    assert "not allowed with argument --goals" in capsys.readouterr().err


def test_a_goal_is_reached_or_not() -> None:
    assert Goal("work", "us", 2.0, 2.0).ok
    assert not Goal("work", "us", 2.1, 2.0).ok
    assert Goal("work", "x", 2.0, 2.0, at_least=True).ok
    assert not Goal("work", "x", 1.9, 2.0, at_least=True).ok


def test_what_falls_short_is_said(monkeypatch: Patch, capsys: Capture) -> None:
    def imported(pace: Pace) -> list[Goal]:
        return [Goal("far", "us", 1, 0), Goal("near", "us", 1, 2, peers={"x": 3})]

    monkeypatch.setattr(_bench_stalls, "imported", imported)
    assert main([*TINY, "--goals"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["far", "1", "us", "<=", "0", "SHORT"] in lines
    assert ["near", "1", "us", "<=", "2", "ok", "x", "3"] in lines


def test_less_memory_makes_smaller_stalls(monkeypatch: Patch) -> None:
    monkeypatch.setattr(_sysinfo, "available_memory", lambda: 3 * 2**20)
    work = [goal.work for goal in _bench_stalls.stalls(2**22, Pace(2, 1000))]
    assert "the event loop, late during an awaited 1 MiB copy, longest" in work
    monkeypatch.setattr(_sysinfo, "available_memory", lambda: 2**10)
    with pytest.raises(BenchmarkError, match="give smaller"):
        _bench_stalls.stalls(2**22, Pace(2, 1000))


@pytest.mark.parametrize("descriptor", [False, True])
def test_round_trips_take_their_time(descriptor: bool) -> None:
    times = ffi.new("uint64_t[]", 20)
    files = len(list(Path("/proc/self/fd").iterdir()))
    assert lib.ma_bench_round_trips(descriptor, 20, times) == 0
    assert all(times)
    assert len(list(Path("/proc/self/fd").iterdir())) == files


def test_tables(capsys: Capture) -> None:
    assert main(TINY) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "ThreadsMover:" in out
    assert "two threads:" in out
    assert out.count("x memcpy") >= 4
    for name in ("SyncMover", "memoryview", "sync mover", "threads mover"):
        assert name in out
    assert "\r" not in out
    assert "\x1b" not in out


def test_json_on_standard_output_is_alone_there(capsys: Capture) -> None:
    assert main([*TINY, "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["format"] == 1
    assert found["config"] == {"sizes": [64, 4096], "seconds": 0.001, "rounds": 5}
    assert found["system"]["miniasync"] == version("miniasync")
    row = found["rows"][0]
    assert (row["table"], row["name"], row["size"]) == ("python", "memcpy", 64)
    assert len(row["rounds_ns"]) == 5
    assert len(row["two_threads"]) == 2
    goal = found["goals"][0]
    assert (goal["work"], goal["unit"]) == ("memcpy(64 B).result()", "us")
    assert goal["ok"] is (goal["figure"] <= goal["target"])


def test_json_in_a_file_comes_beside_the_tables(
    tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "out.json"
    assert main([*TINY, "--json", str(path)]) == 0
    assert "x memcpy" in capsys.readouterr().out
    assert json.loads(path.read_text())["format"] == 1


@pytest.mark.parametrize("option", ["--json", "--plot"])
def test_results_that_could_not_be_kept_are_not_taken(
    option: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    if option == "--plot":
        pytest.importorskip("matplotlib")
    monkeypatch.setattr(bench, "run", None)
    path = tmp_path / "missing" / "out.png"
    assert main([*TINY, option, str(path)]) == 1
    assert "No such file or directory" in capsys.readouterr().err
    assert main([*TINY, option, str(tmp_path)]) == 1


def test_plot_without_matplotlib_says_what_to_install(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    monkeypatch.setattr(bench, "run", None)
    assert main([*TINY, "--plot", str(tmp_path / "out.png")]) == 1
    assert "pip install 'miniasync[plot]'" in capsys.readouterr().err


def test_plot_draws(tmp_path: Path, capsys: Capture) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "out.png"
    assert main([*TINY, "--plot", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert main([*TINY, "--plot", str(tmp_path / "out.xyz")]) == 1
    assert "has to end with one of" in capsys.readouterr().err


def test_too_little_memory_is_said_at_once(monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.setattr(_sysinfo, "available_memory", lambda: 2**20)
    assert main(TINY) == 1
    assert "give smaller --sizes" in capsys.readouterr().err


def good(arena: Arena, repeats: int) -> None:
    lib.ma_bench_memcpy(arena.raw_dst, arena.raw_src, 4096)


def nothing(arena: Arena, repeats: int) -> None:
    pass


def short(arena: Arena, repeats: int) -> None:
    lib.ma_bench_memcpy(arena.raw_dst, arena.raw_src, 4095)


def shifted(arena: Arena, repeats: int) -> None:
    lib.ma_bench_memcpy(arena.raw_dst, arena.raw_src + 8, 4088)
    lib.ma_bench_memcpy(arena.raw_dst + 4088, arena.raw_src, 8)


def zeros(arena: Arena, repeats: int) -> None:
    arena.dst[:4096] = bytes(4096)


def lazy(arena: Arena, repeats: int) -> None:
    """Right while it is being looked at, that is with few repeats."""
    if repeats <= 10:
        good(arena, repeats)


@pytest.mark.parametrize("copy", [nothing, short, shifted, zeros, lazy])
def test_a_wrong_copy_ends_the_benchmark(arena: Arena, copy: Copy) -> None:
    def contender(name: str, copy: Copy) -> Contender:
        def run(repeats: int) -> int:
            copy(arena, repeats)
            return repeats

        return Contender(name, run)

    contenders = [contender("good", good), contender("bad", copy)]
    with pytest.raises(BenchmarkError, match="bad copied wrong bytes"):
        measure("table", contenders, arena, 4096, 1, Pace(2, 1000))


def test_a_wrong_mover_ends_the_command(monkeypatch: Patch, capsys: Capture) -> None:
    memcpy = miniasync.SyncMover.memcpy

    def wrong(
        self: miniasync.SyncMover, dst: memoryview, src: memoryview
    ) -> miniasync.Future[memoryview]:
        future = memcpy(self, dst, src)
        future.result()
        dst[-1] ^= 1
        return future

    monkeypatch.setattr(miniasync.SyncMover, "memcpy", wrong)
    assert main(TINY) == 1
    err = capsys.readouterr().err
    assert err == (
        "miniasync: SyncMover copied wrong bytes: at 63 of 64 the destination differs\n"
    )


@pytest.mark.parametrize("loop", [_bench_native._each, _bench_native._batch])
def test_a_mover_without_memory_is_an_error_and_no_hang(
    arena: Arena, loop: Any
) -> None:
    kind = "void *(*)(struct vdm *, const enum vdm_operation_type)"
    no_memory = ffi.callback(kind, lambda vdm, kind: ffi.NULL)
    vdm = ffi.new("struct vdm *", {"op_new": no_memory})
    more = (4,) if loop is _bench_native._batch else ()
    with pytest.raises(BenchmarkError, match="with broken failed: Input/output error"):
        loop("broken", vdm, arena, 64, *more)(3)


def test_patterns() -> None:
    for n in range(34):
        buf = ffi.new("unsigned char[]", n + 1)
        lib.ma_bench_fill(buf, n, 1, 0)
        plain = bytes(ffi.buffer(buf))
        assert plain[n] == 0
        lib.ma_bench_fill(buf, n, 1, 1)
        inverted = bytes(ffi.buffer(buf))
        assert inverted[n] == 0
        assert all(a == b ^ 0xFF for a, b in zip(plain[:n], inverted[:n], strict=True))
    buf = ffi.new("uint64_t[]", 512)
    lib.ma_bench_fill(buf, 4096, 1, 0)
    assert len(set(buf)) == 512


@pytest.mark.parametrize("at", [0, 1, 7, 8, 63])
def test_the_first_difference_is_found(at: int) -> None:
    a, b = bytearray(64), bytearray(64)
    b[at] = b[63] = 1
    pair = ffi.from_buffer(a), ffi.from_buffer(b)
    assert lib.ma_first_difference(*pair, 64) == at
    assert lib.ma_first_difference(*pair, at) == at
    assert lib.ma_first_difference(*pair, 0) == 0


def test_the_probe_checks_its_room(arena: Arena) -> None:
    out = ffi.new("double *")
    assert lib.ma_bench_stream(arena.raw_dst, 4096, 0, 1, out) != 0
    assert arena.two_threads().gain > 0
