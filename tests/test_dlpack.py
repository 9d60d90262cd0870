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


def test_offsets(mover: DataMover) -> None:
    at = Tensor(np.arange(6, dtype=np.int16)[::-2])
    dst = bytearray(6)
    mover.memset_batch((dst, 7), dst_offsets=at, lengths=tensor(1, 0, 1)).result()
    assert dst == b"\0\7\0\0\0\7"
    with pytest.raises(ValueError, match=r"lengths\[1\] .* but is -3"):
        mover.memcpy_batch((dst, b"123456"), lengths=tensor(1, -3))
    for other in (np.ones(2), np.ones(2, bool)):
        with pytest.raises(TypeError, match=r"lengths must hold integers"):
            mover.memcpy_batch((dst, b"123456"), lengths=Tensor(other))


def test_offsets_in_another_memory(mover: DataMover) -> None:
    class Slow(Tensor):
        """What gives its numbers away one by one."""

        def __iter__(self) -> Any:
            return iter(self.array)

    dst = bytearray(6)
    at = Slow(np.array([5, 2]), device=2)
    mover.memset_batch((dst, 7), dst_offsets=at, lengths=1).result()
    assert dst == b"\0\0\7\0\0\7"
    with pytest.raises(TypeError, match="lengths must be .* not Tensor"):
        mover.memset_batch((dst, 7), lengths=Tensor(np.ones(1, int), device=2))


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
        with pytest.raises(BufferError, match="dst is not C-contiguous: copy into"):
            mover.memset(torch.zeros(4, 4, dtype=dtype).t(), 1)
        with pytest.raises(BufferError, match="src is not C-contiguous: pass a copy"):
            mover.memcpy(bytearray(4), torch.zeros(4, dtype=dtype)[::2])
        with pytest.raises(TypeError, match="lengths must hold integers"):
            mover.memcpy_batch((bytearray(4), b"1234"), lengths=src[0])

    def test_offsets(self, mover: DataMover, torch: Any) -> None:
        dst, at = bytearray(4), torch.tensor([3, 0])
        mover.memset_batch((dst, 7), dst_offsets=at, lengths=1).result()
        assert dst == b"\7\0\0\7"

    def test_without_memory(self, mover: DataMover, torch: Any) -> None:
        with pytest.raises(BufferError, match="src cannot be used: .*meta"):
            mover.memcpy(bytearray(4), torch.zeros(1, device="meta"))

    def test_keeps_the_memory(self, mover: DataMover, torch: Any) -> None:
        future = mover.memcpy(bytearray(4000), torch.ones(1000))
        assert future.result() == np.ones(1000, np.float32).tobytes()


@pytest.fixture
def pa() -> Any:
    return pytest.importorskip("pyarrow", reason="PyArrow is not installed")


# Where PyArrow refuses, NumPy asks again in an older way.
@pytest.mark.filterwarnings("ignore:Exporting an unversioned:DeprecationWarning")
def test_arrow_arrays_of_offsets(mover: DataMover, pa: Any) -> None:
    dst = bytearray(4)
    mover.memset_batch((dst, 7), dst_offsets=pa.array([3, 0]), lengths=1).result()
    assert dst == b"\7\0\0\7"
    with pytest.raises(TypeError, match=r"lengths\[1\] must be an integer"):
        mover.memset_batch((dst, 1), lengths=pa.array([1, None]))


def test_arrow_buffers(mover: DataMover, pa: Any) -> None:
    dst = bytearray(5)
    assert mover.memcpy(dst, pa.py_buffer(b"arrow")).result() == b"arrow"
    with pytest.raises(BufferError, match="dst is read-only"):
        mover.memset(pa.py_buffer(b"arrow"), 1)
