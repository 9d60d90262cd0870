# SPDX-License-Identifier: BSD-3-Clause
"""Memory with references to Python objects, over which no bytes may be written."""

from __future__ import annotations

import sys
from typing import Any


def refuse_references(dst: object) -> None:
    """Bytes written over object references would crash the interpreter.

    Args:
        dst: What is a destination in all other respects, and pinned.

    Raises:
        TypeError: It holds references.
        BufferError: It does not give its memory out again, to be looked at.
    """
    try:
        view = memoryview(dst)  # type: ignore[arg-type]
    except TypeError:
        return  # tensors have numbers only
    except ValueError:
        # NumPy has types without a format, such as datetime64.
        holds = getattr(getattr(dst, "dtype", None), "hasobject", False)
    except BufferError as error:
        raise BufferError(
            f"dst gives its memory out only once ({error}): pass a memoryview of it"
        ) from None
    else:
        format = view.format
        # All types of ctypes have a type of their own.
        if "O" not in format and type(type(view.obj)) is type:
            return
        owner = type(view.obj)
        del view  # a traceback would keep it
        # In "T{O:name:}" the parts between colons are names.
        holds = "O" in "".join(format.split(":")[::2]) or _is_of_references(owner)
    if holds:
        raise TypeError(
            "dst holds references to Python objects, which bytes cannot"
            " replace: pass an array of plain numbers"
        )


def _is_of_references(kind: Any) -> bool:
    """Whether it is a type of ctypes' that holds references.

    Its unions and, up to Python 3.12, its packed structures have the format of
    plain bytes.
    """
    ctypes = sys.modules.get("_ctypes")
    if ctypes is None:
        return False
    if issubclass(kind, ctypes.Array):
        return _is_of_references(kind._type_)
    if issubclass(kind, (ctypes.Structure, ctypes.Union)):
        return any(
            _is_of_references(field[1])
            for base in kind.__mro__
            for field in vars(base).get("_fields_", ())
        )
    return issubclass(kind, ctypes._SimpleCData) and kind._type_ == "O"
