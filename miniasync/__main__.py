# SPDX-License-Identifier: BSD-3-Clause
"""The console script: ``miniasync bench``, ``copy`` and ``info``."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import miniasync
from miniasync import _info
from miniasync._units import format_size, parse_size


class _Ended(KeyboardInterrupt):
    """A signal other than Ctrl-C asks to end; it is obeyed in the same way."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments after the program's name; ``sys.argv``'s if None.

    Returns:
        The exit status: 0, or 1 after a failure, with a sentence on standard
        error, or 128 and the signal's number when one ended it (130: Ctrl-C).

    Raises:
        SystemExit: Status 2 for wrong usage, 0 after ``--help`` and
            ``--version``.
    """
    args = _parser().parse_args(argv)
    try:
        args.command(args)
        if sys.stdout is not None:  # it may have been closed before the start
            sys.stdout.flush()
    except _Ended as ended:
        return 128 + ended.signum
    except KeyboardInterrupt:
        return _fail("interrupted", 128 + signal.SIGINT)
    except BrokenPipeError:
        # Whoever read our output has gone; so would Python's last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except OSError as error:
        named = f"{error.filename}: " if error.filename is not None else ""
        return _fail(f"{named}{error.strerror or error}", 1)
    except miniasync.MiniasyncError as error:
        return _fail(str(error), 1)
    return 0


def _fail(sentence: str, status: int) -> int:
    print(f"miniasync: {sentence}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="miniasync", description="Move memory in the background."
    )
    parser.add_argument("--version", action="version", version=_info.version_line())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    bench = commands.add_parser(
        "bench", help="measure the movers", description="Measure the movers."
    )
    bench.set_defaults(command=_bench)
    bench.add_argument(
        "--quick", action="store_true", help="an impression in half a minute"
    )
    # A picture shows the copies, which are left out there.
    either = bench.add_mutually_exclusive_group()
    either.add_argument(
        "--goals", action="store_true", help="only what the package is held to"
    )
    bench.add_argument(
        "--sizes",
        type=_argument(_sizes),
        metavar="SIZE,...",
        help="sizes of the copies, such as 64KiB,1MiB",
    )
    bench.add_argument(
        "--seconds",
        type=_argument(_seconds),
        metavar="N",
        help="about how long to measure",
    )
    bench.add_argument(
        "--json", metavar="FILE", help="write the results there; - is standard output"
    )
    either.add_argument(
        "--plot", metavar="FILE", help="draw the results (needs matplotlib)"
    )

    copy = commands.add_parser(
        "copy",
        help="copy a file",
        description="Copy a file through two memory maps, in the background.",
    )
    copy.set_defaults(command=_copy)
    copy.add_argument("src", metavar="SRC", help="the file to copy")
    copy.add_argument("dst", metavar="DST", help="the name of the copy")
    copy.add_argument(
        "--force", action="store_true", help="replace DST if it exists already"
    )
    copy.add_argument(
        "--chunk",
        type=_argument(parse_size),
        metavar="SIZE",
        help="how much one future copies (default: 8MiB)",
    )
    copy.add_argument(
        "--in-flight",
        type=_argument(_count),
        metavar="N",
        help="how many futures to keep running (default: 4)",
    )
    copy.add_argument(
        "--no-verify",
        dest="verify",
        action="store_false",
        help="do not compare the files afterwards",
    )

    info = commands.add_parser(
        "info",
        help="show what this build is and has",
        description="Show what this build is and has.",
    )
    info.set_defaults(command=_show_info)
    info.add_argument("--json", action="store_true", help="for programs")
    return parser


def _argument(parse: Callable[[str], object]) -> Callable[[str], object]:
    """Let argparse show what a ValueError says."""

    def convert(text: str) -> object:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(parse_size(part) for part in text.split(",")))


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise ValueError(f"{text!r} has to be more than 0")
    return seconds


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError(f"{text!r} has to be at least 1")
    return count


def _bench(args: argparse.Namespace) -> None:
    # Not at the top: it is much to import for the other commands.
    from dataclasses import replace

    from miniasync import _bench_report
    from miniasync.bench import Config, run

    config = Config.quick() if args.quick else Config.full()
    config = replace(config, only_goals=args.goals)
    if args.sizes is not None:
        config = replace(config, sizes=args.sizes)
    if args.seconds is not None:
        config = replace(config, seconds=args.seconds)
    # A run that cannot keep its results should not begin.
    if args.plot is not None:
        _bench_report.check_plot(args.plot)
        _check_writable(args.plot)
    if args.json not in (None, "-"):
        _check_writable(args.json)

    report = run(config)

    if args.json == "-":
        print(json.dumps(_bench_report.as_json(report), indent=2))
    else:
        _bench_report.print_report(report)
        if args.json is not None:
            with open(args.json, "w", encoding="utf-8") as file:
                json.dump(_bench_report.as_json(report), file, indent=2)
                file.write("\n")
    if args.plot is not None:
        _bench_report.plot(report, args.plot)


def _check_writable(path: str) -> None:
    """Raise OSError if a file could not be written; a new one is not made."""
    if os.path.exists(path):
        os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
    else:
        parent = os.path.dirname(path) or "."
        os.close(os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def _copy(args: argparse.Namespace) -> None:
    from miniasync._copy import DEFAULT_CHUNK, DEFAULT_IN_FLIGHT, copy_file

    with _ending_on(signal.SIGTERM, signal.SIGHUP):
        report = copy_file(
            args.src,
            args.dst,
            force=args.force,
            chunk=args.chunk or DEFAULT_CHUNK,
            in_flight=args.in_flight or DEFAULT_IN_FLIGHT,
            verify=args.verify,
        )
    speed = ""
    if report.copy_seconds:
        gbps = report.size / report.copy_seconds / 1e9
        speed = f" in {report.copy_seconds:.2f} s: {gbps:.2f} GB/s"
    verified = "both files are equal" if report.verified else "not verified"
    print(
        f"copied {format_size(report.size)}{speed}; {verified}; "
        f"written out in {report.sync_seconds:.2f} s"
    )


@contextmanager
def _ending_on(*signums: int) -> Iterator[None]:
    """Let these signals end the block like Ctrl-C, so that it can clean up."""

    def end(signum: int, frame: FrameType | None) -> NoReturn:
        raise _Ended(signum)

    # One that is ignored (nohup) stays so; only the main thread may do this.
    mine = threading.current_thread() is threading.main_thread()
    taken = [s for s in signums if mine and signal.getsignal(s) == signal.SIG_DFL]
    for signum in taken:
        signal.signal(signum, end)
    try:
        yield
    finally:
        for signum in taken:
            signal.signal(signum, signal.SIG_DFL)


def _show_info(args: argparse.Namespace) -> None:
    found = _info.collect()
    print(json.dumps(found, indent=2) if args.json else _info.describe(found))


if __name__ == "__main__":
    sys.exit(main())
