# SPDX-License-Identifier: BSD-3-Clause
"""Memory of tensors: PyTorch's where it is installed, and a stand-in's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from miniasync import DataMover


class Tensor:
    """What speaks DLPack and nothing else."""

    def __init__(self, array: Any, device: int = 1) -> None:
        self.array = array
        self._device = device

    def __dlpack__(self, **kw: Any) -> Any:
        return self.array.__dlpack__(**kw)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (self._device, 0)


def tensor(*values: int) -> Tensor:
    return Tensor(np.array(values, np.int32))


needs_dlpack_1 = pytest.mark.skipif(
    tuple(map(int, np.__version__.split(".")[:2])) < (2, 1),
    reason="this NumPy takes memory of others for read-only",
)


@needs_dlpack_1
def test_is_written_to(mover: DataMover) -> None:
    dst = tensor(0, 0, 0)
    assert mover.memcpy(dst, tensor(1, 2, 3)).result() is dst
    assert dst.array.tolist() == [1, 2, 3]
    mover.memset(dst, 255).result()
    assert dst.array.tolist() == [-1, -1, -1]


def test_is_read(mover: DataMover) -> None:
    dst = bytearray(8)
    mover.memcpy(dst, tensor(1, 2)).result()
    assert np.frombuffer(dst, np.int32).tolist() == [1, 2]


@needs_dlpack_1
def test_in_batches(mover: DataMover) -> None:
    a, b, dst = tensor(0), tensor(0, 0), tensor(0, 0, 0)
    pairs: list[Any] = [(a, tensor(7)), (b, b"12345678")]
    assert mover.memcpy_batch(pairs).result() == [a, b]
    assert a.array.tolist() == [7]
    assert b.array.tobytes() == b"12345678"
    mover.memcpy_batch((dst, b), src_offsets=[4, 0, 4], lengths=4).result()
    assert dst.array.tobytes() == b"567812345678"


def test_in_another_memory(mover: DataMover) -> None:
    other = Tensor(np.zeros(3), device=2)
    with pytest.raises(BufferError, match="src is in the memory of a device"):
        mover.memcpy(bytearray(24), other)
    with pytest.raises(BufferError, match=r"pairs\[0\]: dst is in the memory"):
        mover.memcpy_batch([(other, b"1")])


@needs_dlpack_1
def test_must_be_contiguous(mover: DataMover) -> None:
    with pytest.raises(BufferError, match="dst is not C-contiguous"):
        mover.memset(Tensor(np.zeros((4, 4))[:, ::2]), 1)


def test_read_only(mover: DataMover) -> None:
    array = np.zeros(3)
    array.flags.writeable = False
    with pytest.raises(BufferError, match="dst"):
        mover.memset(Tensor(array), 1)


class TestTorch:
    @pytest.fixture
    def torch(self) -> Any:
        return pytest.importorskip("torch", reason="PyTorch is not installed")

    def test_is_written_to(self, mover: DataMover, torch: Any) -> None:
        dst = torch.zeros(1000, dtype=torch.float32)
        src = torch.arange(1000, dtype=torch.float32)
        assert mover.memcpy(dst, src).result() is dst
        assert torch.equal(dst, src)
        row = mover.memcpy(dst[:10], src[90:100]).result()
        assert row.tolist() == list(range(90, 100))

    def test_what_is_refused(self, mover: DataMover, torch: Any) -> None:
        with pytest.raises(BufferError, match=r"src cannot be used: .*detach"):
            mover.memcpy(bytearray(4), torch.zeros(1, requires_grad=True))
        with pytest.raises(BufferError, match="not C-contiguous"):
            mover.memset(torch.zeros(4, 4).t(), 1)

    @pytest.mark.parametrize("kind", ["bfloat16", "float8_e4m3fn"])
    def test_numbers_that_numpy_lacks(
        self, mover: DataMover, torch: Any, kind: str
    ) -> None:
        dtype = getattr(torch, kind)
        dst, src = torch.zeros(2, 3, dtype=dtype), torch.ones(2, 3, dtype=dtype)
        assert mover.memcpy(dst, src).result() is dst
        assert torch.equal(dst.view(torch.uint8), src.view(torch.uint8))
        one = mover.memset(torch.ones((), dtype=dtype), 0).result()
        assert complex(one.item()) == 0
        with pytest.raises(BufferError, match="dst"):
            mover.memset(torch.zeros(4, 4, dtype=dtype).t(), 1)

    def test_without_memory(self, mover: DataMover, torch: Any) -> None:
        with pytest.raises(BufferError, match="src cannot be used: .*meta"):
            mover.memcpy(bytearray(4), torch.zeros(1, device="meta"))

    def test_keeps_the_memory(self, mover: DataMover, torch: Any) -> None:
        future = mover.memcpy(bytearray(4000), torch.ones(1000))
        assert future.result() == np.ones(1000, np.float32).tobytes()


def test_arrow_buffers(mover: DataMover) -> None:
    pa = pytest.importorskip("pyarrow", reason="PyArrow is not installed")
    dst = bytearray(5)
    assert mover.memcpy(dst, pa.py_buffer(b"arrow")).result() == b"arrow"
    with pytest.raises(BufferError, match="dst is read-only"):
        mover.memset(pa.py_buffer(b"arrow"), 1)
