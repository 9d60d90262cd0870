# SPDX-License-Identifier: BSD-3-Clause
"""What is closed at the end of a ``with`` block."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


class Closing:
    """A context manager that closes itself, and shows whether it is closed."""

    __slots__ = ()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        raise NotImplementedError

    def close(self) -> None:
        """End it. Closing twice is fine."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} cannot be copied or pickled: make another one"
        )

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<miniasync.{type(self).__name__}: {state}>"
