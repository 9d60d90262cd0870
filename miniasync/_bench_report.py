# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark's results as tables, JSON and a picture."""

from __future__ import annotations

import os
from dataclasses import asdict
from statistics import median, quantiles
from typing import Any

from miniasync import _console, _info
from miniasync._bench_goals import Goal
from miniasync._bench_timing import BenchmarkError, Row
from miniasync._units import format_ns, format_size
from miniasync.bench import Report

# Changes when a reader of the JSON has to.
JSON_FORMAT = 1


def print_report(report: Report) -> None:
    """Print the system and a table for each group of rows."""
    print(_info.describe(report.system))
    if report.rows:
        print(f"two threads:  {_two_threads(report)}")
    print()
    groups = {
        "python": "From Python: one copy after another, each waited for",
        "native latency": "In C, no Python: single copies (p50 and p99 include "
        "reading the clock)",
        "native batches": "In C, no Python: outstanding copies, waited for together",
        "native copies": "In C, no Python: one copy after another, each waited for",
    }
    for table, title in groups.items():
        rows = [row for row in report.rows if row.table == table]
        if table == "native latency":
            columns = ["who", "size", "time", "p50", "p99", "x memcpy"]
            cells = [_latency_cells(row) for row in rows]
        elif table == "native batches":
            columns = ["who", "size", "batch", "time each", "x memcpy"]
            cells = [_batch_cells(row) for row in rows]
        else:
            columns = ["who", "size", "time", "GB/s", "x memcpy"]
            cells = [_copy_cells(row) for row in rows]
        if rows:
            _console.print_table(title, columns, cells)
    _console.print_table(
        "From Python: what was aimed at",
        ["work", "figure", "goal", "", "beside"],
        [_goal_cells(goal) for goal in report.goals],
    )


def _goal_cells(goal: Goal) -> list[str]:
    sign = ">=" if goal.at_least else "<="
    beside = ", ".join(f"{name} {value:.3g}" for name, value in goal.peers.items())
    return [
        goal.work,
        f"{goal.figure:.3g} {goal.unit}",
        f"{sign} {goal.target:.3g}",
        "ok" if goal.ok else "SHORT",
        beside,
    ]


def _copy_cells(row: Row) -> list[str]:
    gbps = _figures(row.gbps)
    return [row.name, format_size(row.size), format_ns(row.ns), gbps, _times(row)]


def _batch_cells(row: Row) -> list[str]:
    batch = str(row.batch)
    return [row.name, format_size(row.size), batch, format_ns(row.ns), _times(row)]


def _latency_cells(row: Row) -> list[str]:
    spread = [format_ns(ns) for ns in (row.p50, row.p99) if ns is not None]
    return [row.name, format_size(row.size), format_ns(row.ns), *spread, _times(row)]


def _times(row: Row) -> str:
    return _figures(row.versus)


def _figures(value: float) -> str:
    """Two digits after the point, or two that say something."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _two_threads(report: Report) -> str:
    probes = [probe for row in report.rows for probe in row.two_threads]
    # Quartiles: other work on the machine hits some probes.
    low, middle, high = quantiles((p.gain for p in probes), n=4)
    one = median(p.one_gbps for p in probes)
    return (
        f"write {middle:.2f} ({low:.2f} to {high:.2f}) times what one writes past "
        f"the caches, {one:.1f} GB/s"
    )


def as_json(report: Report) -> dict[str, object]:
    """The report as plain dictionaries, lists, strings and numbers."""
    return {
        "format": JSON_FORMAT,
        "started": report.started.isoformat(),
        "config": {
            "sizes": list(report.config.sizes),
            "seconds": report.config.seconds,
            "rounds": report.config.rounds,
        },
        "system": report.system,
        "rows": [_row_as_json(row) for row in report.rows],
        "goals": [{**asdict(goal), "ok": goal.ok} for goal in report.goals],
    }


def _row_as_json(row: Row) -> dict[str, object]:
    found = {
        "table": row.table,
        "name": row.name,
        "size": row.size,
        "batch": row.batch,
        "ns": row.ns,
        "gbps": row.gbps,
        "versus_memcpy": row.versus,
        "rounds_ns": row.rounds,
        "p50_ns": row.p50,
        "p99_ns": row.p99,
        "two_threads": [
            {"one_gbps": probe.one_gbps, "two_gbps": probe.two_gbps}
            for probe in row.two_threads
        ],
    }
    return {name: value for name, value in found.items() if value is not None}


def check_plot(path: str) -> None:
    """Raise BenchmarkError now if no picture could be drawn afterwards."""
    supported = _figure().canvas.get_supported_filetypes()
    suffix = os.path.splitext(path)[1].removeprefix(".").lower()
    if suffix not in supported:
        raise BenchmarkError(
            f"--plot {path!r} has to end with one of "
            + ", ".join(f".{name}" for name in sorted(supported))
        )


def plot(report: Report, path: str) -> None:
    """Draw speed over size, from Python and in C, into a file."""
    figure = _figure()
    figure.set_size_inches(11, 5)
    figures = {"python": "From Python", "native copies": "In C"}
    axes = figure.subplots(1, len(figures), sharey=True)
    sizes: list[int] = []
    for axis, (table, title) in zip(axes, figures.items(), strict=True):
        lines: dict[str, list[Row]] = {}
        for row in report.rows:
            if row.table == table:
                lines.setdefault(row.name, []).append(row)
        for name, rows in lines.items():
            rows.sort(key=lambda row: row.size)
            sizes = [row.size for row in rows]
            axis.plot(sizes, [row.gbps for row in rows], marker="o", label=name)
        axis.set_xscale("log", base=2)
        axis.set_xticks(sizes, [format_size(size) for size in sizes], rotation=45)
        axis.minorticks_off()
        axis.set_title(title)
        axis.set_xlabel("size of a copy")
        axis.grid(alpha=0.3)
        axis.legend()
    axes[0].set_ylabel("GB/s")
    axes[0].set_ylim(bottom=0)
    figure.suptitle(str(report.system.get("cpu", "miniasync bench")))
    figure.set_layout_engine("tight")
    figure.savefig(path)


def _figure() -> Any:
    """An empty figure. Not pyplot's, which would look for a display."""
    try:
        from matplotlib.backends.backend_agg import (  # type: ignore[import-not-found,unused-ignore]
            FigureCanvasAgg,
        )
        from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise BenchmarkError(
            "--plot needs matplotlib; pip install 'miniasync[plot]'"
        ) from None
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure
