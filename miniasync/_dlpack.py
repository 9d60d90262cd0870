# SPDX-License-Identifier: BSD-3-Clause
"""Memory of objects without the buffer protocol, through DLPack.

Tensors of PyTorch and others share theirs that way, with NumPy in between, which
is imported only here. (https://dmlc.github.io/dlpack/latest/python_spec.html)
"""

from __future__ import annotations

import sys
from typing import Any

_CPU = 1  # DLDeviceType.kDLCPU


def shares_memory(obj: object) -> bool:
    """Whether the object speaks DLPack."""
    return hasattr(obj, "__dlpack__") and hasattr(obj, "__dlpack_device__")


def as_array(name: str, obj: Any) -> object:
    """Return a NumPy array that shares the object's memory and keeps it.

    Args:
        name: What the argument is called where the user wrote it.
        obj: Something that speaks DLPack.

    Raises:
        TypeError: NumPy is not there.
        BufferError: The memory is not the CPU's, or cannot be shared.
    """
    try:
        import numpy as np
    except ImportError:
        raise TypeError(
            f"{name}: NumPy is needed to use the memory of a {type(obj).__name__}"
        ) from None
    try:
        if obj.__dlpack_device__()[0] == _CPU:
            # NumPy takes memory from older versions of DLPack for read-only.
            return _numbers(obj) if hasattr(obj, "numpy") else np.from_dlpack(obj)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise BufferError(f"{name} cannot be used: {error}") from None
    raise BufferError(f"{name} is in the memory of a device: copy it to the CPU first")


def _numbers(tensor: Any) -> object:
    """A tensor of PyTorch's as an array; without a type if NumPy has no such one."""
    try:
        return tensor.numpy()
    except TypeError:
        torch = sys.modules.get("torch")
        if torch is None or not isinstance(tensor, torch.Tensor):
            raise
    # Such as bfloat16. Nobody is to take them for integers.
    size = tensor.element_size()
    integers = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return tensor.view(integers[size]).numpy().view(f"V{size}")
