"""Phrases inside of Chinese texts are Chinese: what was done to a message, and what fills the texts of errors."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from imconvert.cli.fidelity_words import FIDELITY, said
from imconvert.errors import cause_of
from imconvert.errors.details import DETAILS, KEYS
from imconvert.errors.phrases import Phrases

ROOT = Path(__file__).resolve().parents[2]
CHINESE = re.compile("[\u4e00-\u9fff]")
AS_THEY_ARE = {
    "YYYY-MM-DD HH:MM:SS.mmm",
    "it: it",
    "it (it)",
    "it is it of this output",
    "the answer is longer than it bytes",
}
"""No phrases of their own: a format, what systems say, one that is made of two, and one that only `simulate` logs."""


def told() -> Iterator[tuple[str, str]]:
    """Every phrase in the fidelity tables of the golden cases."""
    for path in sorted((ROOT / "fixtures").rglob("out/*.json")):
        found = json.loads(path.read_bytes())
        for row in found.get("fidelity", {}).values() if isinstance(found, dict) else ():
            for outcome in ("transformed", "degraded", "dropped"):
                for phrase in row.get(outcome) or {}:
                    yield str(path.relative_to(ROOT)), phrase


def values() -> Iterator[tuple[str, str]]:
    """Every phrase that the code gives to an error, `it` standing for what is only known then."""
    for path in sorted((ROOT / "imconvert").rglob("*.py")):
        for call in (node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)):
            for keyword in (one for one in call.keywords if one.arg in KEYS):
                value = keyword.value
                for text in (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,):
                    if isinstance(text, ast.Constant) and isinstance(text.value, str):
                        yield f"{path.name}:{call.lineno}", text.value
                    elif isinstance(text, ast.JoinedStr):
                        parts = (part.value if isinstance(part, ast.Constant) else "it" for part in text.values)
                        yield f"{path.name}:{call.lineno}", "".join(map(str, parts))


def test_everything_that_is_done_to_messages_has_a_chinese_phrase() -> None:
    found = list(told())
    assert len({phrase for _, phrase in found}) > 250
    assert [(where, phrase) for where, phrase in found if " " in phrase and not FIDELITY.has(phrase)] == []


def test_chinese_phrases_are_chinese() -> None:
    assert [phrase for _, phrase in told() if " " in phrase and not CHINESE.search(said(phrase, "zh"))] == []
    assert all(said(phrase, "en") == phrase for _, phrase in told())


def test_everything_that_fills_an_error_has_a_chinese_phrase() -> None:
    found = [(where, text) for where, text in values() if " " in text and text not in AS_THEY_ARE]
    assert len(found) > 60
    assert [(where, text) for where, text in found if not DETAILS.has(text)] == []


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("secret kept in attach", "secret 保留在 attach 中"),
        ("card to custom, its content kept in ext", "名片转为自定义消息，内容保留在 ext 中"),
        ("length in s to dur in ms", "length（秒）换算为 dur（毫秒）"),
        ("what nobody has ever said", "what nobody has ever said"),
        ("", ""),
    ],
)
def test_phrase(phrase: str, expected: str) -> None:
    assert said(phrase, "zh") == expected


def test_the_longest_key_is_meant() -> None:
    assert Phrases({"{} to {}": "A", "{} to b {}": "B", "{}": "C"}).translated("a to b c") == "B"


def test_braces_of_the_data_are_left_alone() -> None:
    assert Phrases({"{} is missing": "缺少 {}"}).translated("{0}{x} is missing") == "缺少 {0}{x}"


def test_a_cause_in_chinese_has_its_details_in_chinese() -> None:
    values: dict[str, object] = {"field": "chat_type", "found": '"channel"', "expected": "chat, groupchat or chatroom"}
    assert "chat、groupchat 或 chatroom" in cause_of("IMC-2102", values, lang="zh")
    assert "chat, groupchat or chatroom" in cause_of("IMC-2102", values)


def test_what_stood_in_the_input_is_never_translated() -> None:
    values: dict[str, object] = {"field": "an object", "found": "an object", "expected": "an object"}
    assert cause_of("IMC-2102", values, lang="zh").count("an object") == 2
