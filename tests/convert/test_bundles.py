"""Lines that C makes one call of are what the target's finisher makes of them; any other conversation is left to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from target_lines import TIME, Road, message

from imconvert import native
from imconvert.convert.blocks import block_of, bundled
from imconvert.model import Custom, Media, Notes
from imconvert.vendors.bundles import Bundle
from imconvert.vendors.contract import Line, Placed
from imconvert.vendors.yunxin.import_lines import with_note

pytestmark = pytest.mark.skipif(not native.BUILT, reason="the part in C is not built")

PART = with_note(None, {"part": "1/2", "of": "7"})
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "escaped": {"parts": ('"MsgList":[{"Random":1,"]}}',)},
    "custom": {"parts": (Custom("custom", "yunxin", {"MsgList": [{"Random": 7}]}),)},
    "topic": {"extra": {"TopicId": "t"}},
    "part": {"ext": PART},
    "upload": {"parts": (Media("audio", f"media/ab/ab{'0' * 62}.amr"),)},
    "long": {"parts": ("x" * 13_000,)},
}
talks = st.lists(
    st.lists(st.tuples(st.sampled_from([*WAYS, *["plain"] * 20]), st.integers(0, 3)), min_size=1, max_size=12),
    min_size=1,
    max_size=5,
)


def lines_of(road: Road, talk: list[tuple[str, int]], group: int) -> list[Line]:
    """The lines of a group, in order; those of one number have the same Random."""
    found = []
    for at, (name, number) in enumerate(talk):
        fields = {"chat": "team", "target": f"{group}", "time": TIME, "msgid": number + at * 10, **WAYS[name]}
        parts = fields.pop("parts", ("hello",))
        found += road.lines(message(*parts, **fields))
    return found


@settings(max_examples=300, deadline=None)
@given(made=talks, most=st.integers(1, 8), again=st.booleans())
def test_bundles_are_what_the_finisher_makes(made: list[list[tuple[str, int]]], most: int, again: bool) -> None:
    """With `again` a line stands twice in a group, so that its Random does."""
    road = Road("tencent", **{"tencent.group_batch": str(most)})
    some = [lines_of(road, talk, group) for group, talk in enumerate(made, 880011)]
    if again:
        some[0].append(some[0][0])
    arrange = road.target.arrange
    assert arrange and arrange.finisher
    marks = arrange.bundle(road.settings, "team")
    assert marks and arrange.bundle(road.settings, "p2p") is None
    starts = np.cumsum([0, *map(len, some[:-1])])
    found = bundled(block_of([line.data for lines in some for line in lines]), starts, marks)
    for number, (lines, done) in enumerate(zip(some, found.done.tolist(), strict=True)):
        data, counts = found.of(number, number + 1)
        requests = [*arrange.finisher(road.settings, Notes())(Placed(one.time, one.data) for one in lines)]
        usual = not (again and number == 0) and {name for name, _ in made[number]} <= {
            "plain",
            "escaped",
            "custom",
            "topic",
        }
        assert done or not usual
        if done:
            assert data == b"".join(request.data + b"\n" for request in requests)
            assert counts.tolist() == [request.lines for request in requests]
        else:
            assert (data, len(counts)) == (b"", 0)


def test_seconds_that_move_are_not_bundled() -> None:
    road = Road("tencent", **{"tencent.group_seconds": "increase"})
    assert road.target.arrange and road.target.arrange.bundle(road.settings, "team") is None


MARKS = Bundle(2, b"K", b"C", b"I", b"N", b"E", b"H", b"W")


@pytest.mark.parametrize(
    "line", [b"", b"K", b"KC", b"KCI", b"KCIE", b"KCIN,E", b"KCIN5E", b"KCIN4294967296,E", b"KCIN5,", b"CIN5,E",
             b"KHCIN5,E", b"KCIN5,WE", b"KCIE5,N"],
)  # fmt: skip
def test_lines_that_lack_something_are_left(line: bytes) -> None:
    found = bundled(block_of([b"KCIN5,E", line]), np.array([0]), MARKS)
    assert (b"", [False]) == (found.data, found.done.tolist())


def test_lines_are_bundled_by_their_marks() -> None:
    found = bundled(block_of([b"aKbCcIN%d,%dE" % (n, n) for n in range(5)]), np.array([0, 3]), MARKS)
    assert b"a+1KbCcIN0,0,N1,1E\naKbCcIN2,2E\na+1KbCcIN3,3,N4,4E\n" == found.data
    assert ([2, 1, 2], [True, True]) == (found.counts.tolist(), found.done.tolist())
    assert (b"a+1KbCcIN3,3,N4,4E\n", [2]) == (found.of(1, 2)[0], found.of(1, 2)[1].tolist())


@pytest.mark.parametrize(("starts", "most"), [([2], 2), ([1, 0], 2), ([1 << 63], 2), ([0], 0), ([0], -1)])
def test_what_makes_no_sense_is_refused(starts: list[int], most: int) -> None:
    with pytest.raises(ValueError, match=r"conversation|line"):
        bundled(block_of([b"KCIN5,E"]), np.array(starts, "<u8"), MARKS._replace(most=most))
