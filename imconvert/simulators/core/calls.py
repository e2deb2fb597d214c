"""A request as an endpoint sees it, and the answer that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson

from imconvert.simulators.core.desk import Desk

JSON = "application/json; charset=utf-8"


class Answer(NamedTuple):
    """Status, body, content type and further headers of an answer; `code` is what the vendor calls the outcome."""

    status: int
    body: bytes
    code: str = ""
    type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def answer(status: int, body: Any, code: object = "", *, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An answer whose body is JSON."""
    return Answer(status, orjson.dumps(body), str(code), headers=headers)


class Refused(Exception):
    """Ends an endpoint's work: nothing of it stays, and this is the answer."""

    def __init__(self, found: Answer) -> None:
        super().__init__(found)
        self.answer = found


class Part(NamedTuple):
    """A file of a multipart form."""

    name: str
    type: str
    content: bytes


@dataclass(slots=True)
class Call:
    """One request. `at` is its arrival in steady seconds, `now` the time of day in ms; `parts` are the path's."""

    desk: Desk
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    at: float
    now: int
    api: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    spoils: int = 0

    @property
    def kind(self) -> str:
        """The content type without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return orjson.loads(self.body)

    def form(self) -> dict[str, str]:
        """The fields of a form; of a field that is repeated, the last one."""
        return dict(self.pairs())

    def pairs(self) -> list[tuple[str, str]]:
        """The fields of a form, in their order, also those without a value. Raises ValueError."""
        return parse_qsl(self.body.decode(), keep_blank_values=True, max_num_fields=20_000)

    def multipart(self) -> dict[str, Part]:
        """The parts of a multipart form by field name."""
        head = f"Content-Type: {self.headers.get('content-type', '')}\r\n\r\n".encode()
        found: dict[str, Part] = {}
        for part in message_from_bytes(head + self.body, policy=HTTP).iter_parts():
            name = str(part.get_param("name", "", header="content-disposition"))
            content = part.get_payload(decode=True)
            found[name] = Part(part.get_filename() or "", part.get_content_type(), bytes(content or b""))
        return found

    def spend(self, name: str, more: int) -> float:
        """Take `more` in a window of messages or receivers; 0, or the seconds to wait."""
        return self.desk.rates.wait((name,), self.at, more) if more else 0.0

    def spoiled(self, count: int) -> frozenset[int]:
        """Which of `count` items of a batch fail on purpose: at least one, never all of several; usually none."""
        if not self.spoils or not count:
            return frozenset()
        found = {index for index in range(count) if self.spoils >> (index % 61) & 1} or {self.spoils % count}
        return frozenset(found if len(found) < count or count == 1 else found - {self.spoils % count})
