"""Lines in a block: what is done in C is what the Python beside it does."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_digest

from imconvert import native
from imconvert.convert import blocks
from imconvert.convert.blocks import Block, block_of, blocks_joined
from imconvert.vendors.requests import CONV, CONV_END

needs_c = pytest.mark.skipif(not native.BUILT, reason="the part in C is not built")
talks = st.sampled_from(["a", "b", "a·b", "群", "", 'x","conv":"y'.replace('"', "'")])
heads = st.builds(
    lambda talk, key: f'{{"api":"p","conv":"{talk}","key":"{key}"}}'.encode(), talks, st.sampled_from("123")
)
texts = st.lists(st.binary(max_size=12), max_size=12)


def columns(block: Block) -> tuple[Any, ...]:
    return block.data, block.begins, block.lengths


@needs_c
@given(lines=st.lists(heads, max_size=20))
def test_hashes_and_heads(lines: list[bytes]) -> None:
    block = block_of(lines)
    expected = blocks.keys(*columns(block), CONV, CONV_END, xxh3_64_digest)
    for hashed in (xxh3_64_digest, partial(xxh3_64_digest), lambda text: xxh3_64_digest(text)):
        assert expected == native.keys(*columns(block), CONV, CONV_END, hashed)
    keys = np.frombuffer(expected, "<u8") % np.uint64(2)
    assert blocks.mixed(*columns(block), keys, CONV_END) == native.mixed(*columns(block), keys, CONV_END)


@needs_c
@given(lines=texts, order=st.randoms(use_true_random=False))
def test_lines_in_any_order(lines: list[bytes], order: Any) -> None:
    turns = list(range(len(lines)))
    order.shuffle(turns)
    block = block_of(lines).at(np.array(turns, np.int64))
    expected = b"".join(lines[turn] + b"\n" for turn in turns)
    begins, lengths = (np.ascontiguousarray(column) for column in (block.begins, block.lengths))
    assert expected == blocks.joined(block.data, begins, lengths) == native.joined(block.data, begins, lengths)
    assert expected == block.joined()


@given(parts=st.lists(texts, min_size=1, max_size=4))
def test_blocks_become_one(parts: list[list[bytes]]) -> None:
    assert [line for part in parts for line in part] == blocks_joined([block_of(part) for part in parts]).lines()


@needs_c
@pytest.mark.parametrize(
    ("begins", "lengths"),
    [([0], [4]), ([4], [0, 0]), ([1 << 63], [1]), ([3], [1]), ([0, 9], [1, 1])],
)
def test_lines_outside_of_the_data_are_refused(begins: list[int], lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="line"):
        native.joined(b"abc", np.array(begins, "<u8"), np.array(lengths, "<u4"))


@needs_c
@pytest.mark.parametrize("line", [b"", b'","conv":"', b'","conv":"a', b'","key":"', b'","conv":"a","key":'])
def test_a_line_without_marks_is_refused(line: bytes) -> None:
    block = block_of([line])
    with pytest.raises(ValueError, match="mark"):
        native.keys(*columns(block), CONV, CONV_END, xxh3_64_digest)
    with pytest.raises(ValueError):
        blocks.keys(*columns(block), CONV, CONV_END, xxh3_64_digest)


@needs_c
def test_what_the_hash_raises_is_raised() -> None:
    block = block_of([b'","conv":"a","key":"'])

    def broken(data: bytes) -> bytes:
        raise KeyError(data)

    with pytest.raises(KeyError):
        native.keys(*columns(block), CONV, CONV_END, broken)
    with pytest.raises(TypeError):
        native.keys(*columns(block), CONV, CONV_END, lambda data: "no bytes")  # type: ignore[arg-type,return-value]
    with pytest.raises(TypeError):
        native.keys(*columns(block), CONV, CONV_END, lambda data: b"7 bytes")
