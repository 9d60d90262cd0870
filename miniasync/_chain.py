# SPDX-License-Identifier: BSD-3-Clause
"""What runs one after another, as users see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, overload
from weakref import ref

from miniasync._future import Future, Operation
from miniasync._sequence import Chain

T = TypeVar("T")

_Step: TypeAlias = "Future[Any] | Callable[[Any], Any]"


# So many steps checkers follow; a longer one's result is Any to them.
@overload
def chain(step: Future[T], /) -> Future[T]: ...
@overload
def chain(a: _Step, step: Future[T], /) -> Future[T]: ...
@overload
def chain(a: _Step, b: _Step, step: Future[T], /) -> Future[T]: ...
@overload
def chain(a: _Step, b: _Step, c: _Step, step: Future[T], /) -> Future[T]: ...
@overload
def chain(a: _Step, b: _Step, c: _Step, d: _Step, step: Future[T], /) -> Future[T]: ...
@overload
def chain(
    a: _Step, b: _Step, c: _Step, d: _Step, e: _Step, step: Future[T], /
) -> Future[T]: ...
@overload
def chain(
    a: _Step, b: _Step, c: _Step, d: _Step, e: _Step, f: _Step, step: Future[T], /
) -> Future[T]: ...
@overload
def chain(*steps: _Step) -> Future[Any]: ...


def chain(*steps: _Step) -> Future[Any]:
    r"""Run futures and functions one after another.

    Nothing starts by this call. Each step begins when the one before it is
    complete; once the chain has begun with a step, waiting for that step's own
    future waits for the chain. If a step fails, so does the chain, and the rest
    is not started.

    Args:
        *steps: Futures, best such as have not been started, and functions. A
            function is called with the result of the step before it, None if it
            is the first, by who waits for the chain or on an event loop, else on
            a thread of this package. What it returns is its result; if that is
            a future, that future's result.

    Returns:
        A future with the result of the last step.

    Raises:
        TypeError: A step is neither a future nor callable.
        ValueError: There is no step.

    Example:
        >>> import miniasync
        >>> a, b = bytearray(3), bytearray(3)
        >>> fill, copy = miniasync.memset(a, 7), miniasync.memcpy(b, a)
        >>> miniasync.chain(fill, copy, bytes).result()
        b'\x07\x07\x07'
    """
    if not steps:
        raise ValueError("chain needs at least one step")
    for index, step in enumerate(steps):
        if not isinstance(step, Future) and not callable(step):
            raise TypeError(
                f"step {index} must be a future or a function, not"
                f" {type(step).__name__}"
            )
    flight = Chain(steps)
    future: Future[Any] = Operation(flight)
    flight.future = ref(future)
    return future
