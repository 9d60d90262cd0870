# SPDX-License-Identifier: BSD-3-Clause
"""Copy a file through two memory maps and futures: ``miniasync copy``.

The destination is written under a temporary name beside it and gets its own
name when it is complete, so that no failure leaves half a file or harms an old
one. What cannot be guarded: somebody who cuts the source short between our look
at its size and the moment a chunk is read makes the kernel raise SIGBUS. That
ends the process, with a sentence, status 1 and the temporary file removed
(``src/_miniasync_files.h``); an exception it cannot become. SIGKILL, SIGQUIT
and a power cut leave the temporary file, ``.miniasync-*.tmp``.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import secrets
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import miniasync
from miniasync import _console
from miniasync._ffi import ffi, lib

DEFAULT_CHUNK = 8 * 2**20
DEFAULT_IN_FLIGHT = 4

# What link() says where a file system has no hard links.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
# What posix_fallocate() says where space cannot be reserved.
_NO_FALLOCATE = {errno.EINVAL, errno.ENODEV, errno.ENOTSUP, errno.EOPNOTSUPP}

Progress = Callable[[str, int], AbstractContextManager[_console.Advance]]


class CopyError(miniasync.MiniasyncError):
    """The file was not copied; the text says why."""


@dataclass(frozen=True)
class CopyReport:
    """What a copy did.

    Attributes:
        size: Bytes copied.
        copy_seconds: From the first chunk's start until the last was complete.
        sync_seconds: Writing them out to the device.
        verified: Whether both files were compared.
    """

    size: int
    copy_seconds: float
    sync_seconds: float
    verified: bool


@dataclass(frozen=True)
class _Source:
    path: str
    fd: int
    stat: os.stat_result

    def check_unchanged(self) -> None:
        """Raise CopyError if somebody wrote to the file or cut it."""
        now = os.fstat(self.fd)
        if (now.st_size, now.st_mtime_ns) != (
            self.stat.st_size,
            self.stat.st_mtime_ns,
        ):
            raise CopyError(
                f"SRC {self.path!r} changed while it was being copied; "
                "try again when nobody writes to it"
            )


def copy_file(
    src: str,
    dst: str,
    *,
    force: bool = False,
    chunk: int = DEFAULT_CHUNK,
    in_flight: int = DEFAULT_IN_FLIGHT,
    verify: bool = True,
    progress: Progress = _console.progress,
) -> CopyReport:
    """Copy a file with the default mover.

    Read, write and execute bits are kept; owner, times and set-id bits are not.
    A DST that is a symbolic link stays one, and the file it names is written.

    Args:
        src: An existing regular file.
        dst: The name of the copy.
        force: Replace an existing regular file.
        chunk: Bytes to copy with one future.
        in_flight: How many futures to keep running.
        verify: Compare both files afterwards.
        progress: Shows how far the work is.

    Returns:
        What was done.

    Raises:
        CopyError: SRC or DST cannot be used like this, SRC changed meanwhile,
            or the files differ.
        OSError: The system refused something, such as space on the device.
    """
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(_open_source(src))
        target = _check_target(dst, source, force)
        temp, fd = stack.enter_context(_temporary(os.path.dirname(target), dst))
        size = source.stat.st_size
        copy_seconds = 0.0
        if size:
            _allocate(fd, size, dst)
            with (
                _guarded(temp),
                _mapped(source.fd, size, mmap.ACCESS_READ, src) as src_map,
                _mapped(fd, size, mmap.ACCESS_WRITE, dst) as dst_map,
            ):
                with progress("copy", size) as advance:
                    began = time.monotonic()
                    _move(source, src_map, dst_map, chunk, in_flight, advance)
                    copy_seconds = time.monotonic() - began
                if verify:
                    with progress("verify", size) as advance:
                        _compare(src_map, dst_map, chunk, advance)
                source.check_unchanged()
                began = time.monotonic()
                dst_map.flush()
        else:
            began = time.monotonic()
        os.fchmod(fd, stat.S_IMODE(source.stat.st_mode) & 0o777)
        os.fsync(fd)
        _publish(temp, target, dst, force)
        _sync_directory(os.path.dirname(target))
        return CopyReport(size, copy_seconds, time.monotonic() - began, verify)


@contextlib.contextmanager
def _open_source(path: str) -> Iterator[_Source]:
    # O_NONBLOCK: opening a FIFO would wait for a writer. It means nothing to
    # regular files.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = os.fstat(fd)
        if stat.S_ISDIR(found.st_mode):
            raise CopyError(f"SRC {path!r} is a directory; name a file")
        if not stat.S_ISREG(found.st_mode):
            raise CopyError(f"SRC {path!r} is not a regular file; it has no size")
        if found.st_size == 0 and os.read(fd, 1):
            raise CopyError(
                f"SRC {path!r} has contents but says its size is 0, as files of "
                "/proc do; it cannot be mapped"
            )
        yield _Source(path, fd, found)
    finally:
        os.close(fd)


def _check_target(dst: str, source: _Source, force: bool) -> str:
    """The path to write to, with symbolic links resolved."""
    target = os.path.realpath(dst)
    if os.path.basename(dst) in {"", ".", ".."} and not os.path.isdir(target):
        raise CopyError(f"DST {dst!r} names a directory; name a file")
    try:
        found = os.stat(target)
    except FileNotFoundError:
        if os.path.lexists(dst) and not force:
            raise _exists(dst) from None
        return target
    if os.path.samestat(found, source.stat):
        raise CopyError(f"SRC {source.path!r} and DST {dst!r} are the same file")
    if stat.S_ISDIR(found.st_mode):
        raise CopyError(f"DST {dst!r} is a directory; name a file in it")
    if not stat.S_ISREG(found.st_mode):
        raise CopyError(f"DST {dst!r} exists and is not a regular file")
    if not force:
        raise _exists(dst)
    return target


def _exists(dst: str) -> CopyError:
    return CopyError(f"DST {dst!r} exists; --force replaces it")


@contextlib.contextmanager
def _temporary(directory: str, dst: str) -> Iterator[tuple[str, int]]:
    """A new file for the copy, removed at the end under its temporary name."""
    # The name is ours before the file exists, so that an interruption at any
    # place finds it; 64 random bits do not meet another file.
    path = os.path.join(directory, f".miniasync-{secrets.token_hex(8)}.tmp")
    fd = -1
    try:
        with _naming(dst):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        yield path, fd
    finally:
        # First of all, whatever else a second Ctrl-C may cut short.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)
        if fd >= 0:
            os.close(fd)


@contextlib.contextmanager
def _naming(path: str) -> Iterator[None]:
    """Give errors of the system the name that the user knows."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


def _allocate(fd: int, size: int, dst: str) -> None:
    """Get all the space now: later a full device would mean SIGBUS."""
    with _naming(dst):
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(fd, 0, size)
            except OSError as error:
                if error.errno not in _NO_FALLOCATE:
                    raise
        if os.fstat(fd).st_size != size:
            os.truncate(fd, size)


@contextlib.contextmanager
def _guarded(temp: str) -> Iterator[None]:
    """Turn SIGBUS into a sentence and an end without a temporary file."""
    sentence = _console.last_words(
        "miniasync: a page of SRC or DST is gone: SRC was cut short while "
        "it was being copied, or a device failed\n"
    )
    error = lib.ma_busguard_on(os.fsencode(temp), os.fsencode(sentence))
    if error:
        raise OSError(error, os.strerror(error))
    try:
        yield
    finally:
        lib.ma_busguard_off()


@contextlib.contextmanager
def _mapped(fd: int, size: int, access: int, path: str) -> Iterator[mmap.mmap]:
    with _naming(path):
        mapping = mmap.mmap(fd, size, access=access)
    try:
        if hasattr(mmap, "MADV_SEQUENTIAL"):
            mapping.madvise(mmap.MADV_SEQUENTIAL)
        yield mapping
    finally:
        # After an interruption a chunk may still be running: the map then goes
        # with its future's pin.
        with contextlib.suppress(BufferError):
            mapping.close()


def _move(
    source: _Source,
    src_map: mmap.mmap,
    dst_map: mmap.mmap,
    chunk: int,
    in_flight: int,
    advance: _console.Advance,
) -> None:
    pending: deque[tuple[miniasync.Future[memoryview], int]] = deque()

    def finish_oldest() -> None:
        future, n = pending[0]
        future.result()
        pending.popleft()
        advance(n)

    with memoryview(src_map) as src, memoryview(dst_map) as dst:
        try:
            for start in range(0, len(src), chunk):
                source.check_unchanged()
                part = slice(start, start + chunk)
                future = miniasync.memcpy(dst[part], src[part]).start()
                pending.append((future, len(src[part])))
                if len(pending) == in_flight:
                    finish_oldest()
            while pending:
                finish_oldest()
        finally:
            # Something failed: what was started has to end before the maps do.
            for future, _ in pending:
                with contextlib.suppress(miniasync.MiniasyncError):
                    future.result()


def _compare(
    src_map: mmap.mmap, dst_map: mmap.mmap, chunk: int, advance: _console.Advance
) -> None:
    with ffi.from_buffer(src_map) as src, ffi.from_buffer(dst_map) as dst:
        size = len(src_map)
        # Chunks bound the time until Ctrl-C is seen; tiny ones only cost.
        step = max(chunk, 2**20)
        for start in range(0, size, step):
            n = min(step, size - start)
            same = lib.ma_first_difference(src + start, dst + start, n)
            if same != n:
                raise CopyError(
                    f"the files differ at byte {start + same}; DST was not written"
                )
            advance(n)


def _publish(temp: str, target: str, dst: str, force: bool) -> None:
    """Give the finished file its name, in one step for whoever looks."""
    if force:
        os.replace(temp, target)
        return
    try:
        # Unlike rename, link does not replace a file that appeared meanwhile.
        os.link(temp, target)
    except FileExistsError:
        raise _exists(dst) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise OSError(error.errno, error.strerror, dst) from error
        _publish_without_links(temp, target, dst)


def _publish_without_links(temp: str, target: str, dst: str) -> None:
    """Reserve the name with an empty file, then replace that."""
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise _exists(dst) from None
    try:
        os.replace(temp, target)
    except BaseException:
        os.unlink(target)
        raise


def _sync_directory(directory: str) -> None:
    """Make the new name survive a power cut, where the system can."""
    with contextlib.suppress(OSError):
        fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
