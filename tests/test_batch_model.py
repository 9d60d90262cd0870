# SPDX-License-Identifier: BSD-3-Clause
"""Batches against what they should do to every byte, and to none other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import miniasync
from miniasync import DataMover

SIZES = st.one_of(
    st.integers(0, 100),
    st.sampled_from([63, 64, 65, 4095, 4096, 4097, 16383, 16384, 20000]),
)
# Filled with this, the memory around destinations is looked at as well.
RED = 0xA5


@dataclass
class Piece:
    """A part of the destination that one operation writes, with a gap behind."""

    size: int
    gap: int
    source: int
    value: int


PIECES = st.lists(
    st.builds(
        Piece, SIZES, st.integers(0, 70), st.integers(0, 5000), st.integers(0, 255)
    ),
    max_size=40,
)


@pytest.fixture(scope="module", params=["sync", "threads", "workers"])
def kept(request: pytest.FixtureRequest) -> Iterator[DataMover]:
    """Hypothesis makes one example after another on it."""
    if request.param == "sync":
        mover: DataMover = miniasync.SyncMover()
    elif request.param == "threads" or miniasync.provider().is_upstream:
        mover = miniasync.ThreadsMover(2)
    else:
        mover = miniasync.ThreadsMover(2, inline_below=0)
    with mover:
        yield mover


SOURCE = np.random.default_rng(5).integers(0, 256, 30_000, np.uint8)


@settings(deadline=None, max_examples=60)
@given(PIECES, st.randoms(use_true_random=False), st.sampled_from("pcf"), st.booleans())
def test_disjoint_pieces(
    kept: DataMover, pieces: list[Piece], random: Any, form: str, start: bool
) -> None:
    offsets = []
    end = 64
    for piece in pieces:
        offsets.append(end)
        end += piece.size + piece.gap
    dst = np.full(end + 64, RED, np.uint8)
    expected = dst.copy()
    order = list(range(len(pieces)))
    random.shuffle(order)
    for at, piece in zip(offsets, pieces, strict=True):
        bytes_ = SOURCE[piece.source : piece.source + piece.size]
        expected[at : at + piece.size] = piece.value if form == "f" else bytes_

    pieces = [pieces[i] for i in order]
    offsets = [offsets[i] for i in order]
    ends = [at + piece.size for at, piece in zip(offsets, pieces, strict=True)]
    slices = [dst[at:to] for at, to in zip(offsets, ends, strict=True)]
    sources = [SOURCE[piece.source :] for piece in pieces]
    future: Any
    if form == "f":
        values = [piece.value for piece in pieces]
        future = kept.memset_batch(zip(slices, values, strict=True), disjoint=True)
    elif form == "p":
        sizes = [piece.size for piece in pieces]
        future = kept.memcpy_batch(
            zip(slices, sources, sizes, strict=True), disjoint=True
        )
    else:
        future = kept.memcpy_batch(
            (dst, SOURCE),
            dst_offsets=np.array(offsets, np.uint32),
            src_offsets=np.array([piece.source for piece in pieces], np.int16),
            lengths=np.array([piece.size for piece in pieces], np.int64),
            disjoint=True,
        )
    assert (dst == RED).all()
    if start:
        future.start()
    future.result()
    assert (dst == expected).all()


NUMBERS = st.one_of(
    st.integers(0, 12),
    st.sampled_from([-1, -(2**31), -(2**63), 2**31, 2**32 - 1, 2**62, 2**63 - 1]),
)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=6),
    st.booleans(),
    st.booleans(),
)
def test_any_numbers(rows: list[Any], packed: bool, shared: bool) -> None:
    """All of a batch is done, or none of it and an error names the first fault."""
    src = bytearray(range(1, 12))
    dst = src if shared else bytearray(11)
    at, from_, lengths = (list(column) for column in zip(*rows, strict=True))
    before = bytes(dst)
    expected = bytearray(dst)
    fault = None
    end = 0
    for index, (_, source, length) in enumerate(rows):
        target = end if packed else at[index]
        good = length >= 0 and target >= 0 and source >= 0
        good = good and target + length <= 11 and source + length <= 11
        if good and shared:
            good = abs(target - source) >= length
        if not good:
            fault = index
            break
        expected[target : target + length] = src[source : source + length]
        end = target + length
    with miniasync.SyncMover() as mover:

        def run() -> None:
            mover.memcpy_batch(
                (dst, src),
                dst_offsets=None if packed else np.array(at),
                src_offsets=np.array(from_),
                lengths=np.array(lengths),
            ).result()

        if fault is not None:
            with pytest.raises(ValueError, match=rf"\[{fault}\]|operation {fault}\b"):
                run()
            assert dst == before
        else:
            run()
            if not shared:
                assert dst == expected
    dst.append(0)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)), max_size=12))
def test_disjoint_destinations(rows: list[tuple[int, int]]) -> None:
    dst = bytearray(50)
    seen = [0] * 50
    for at, length in rows:
        for i in range(at, at + length):
            seen[i] += 1
    with miniasync.SyncMover() as mover:
        arguments: Any = {
            "dst_offsets": [at for at, _ in rows],
            "lengths": [length for _, length in rows],
        }
        if max(seen) > 1:
            with pytest.raises(ValueError, match="write to the same bytes"):
                mover.memset_batch((dst, 1), disjoint=True, **arguments)
        else:
            mover.memset_batch((dst, 1), disjoint=True, **arguments).result()
            assert list(dst) == seen
