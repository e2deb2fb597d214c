"""Messages to the lines of a target, and these to requests, for tests: what the pipeline does, in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from roads import complete

from imconvert.model import Custom, Media, Message, Notes, Notice, Place, Skip, Text
from imconvert.vendors import TARGETS
from imconvert.vendors.contract import Book, LeftOut, Line, Placed, Request
from imconvert.vendors.requests import conversation_in

TIME = 1_709_690_405_123


def message(*parts: Any, **fields: Any) -> Message:
    """A message of ann to bob with these parts; a text stands for a Text."""
    found = tuple(Text(part) if isinstance(part, str) else part for part in parts) or (Text("hello"),)
    usual = {"source_id": "7001", "msgid": 7001, "time": TIME, "chat": "p2p", "sender": "ann", "target": "bob",
             "client": 32}  # fmt: skip
    return Message(**{**usual, "parts": found, **fields})


class Road:
    """Writes messages for a target, one after the other, and finishes their conversations."""

    def __init__(self, target: str, **settings: str) -> None:
        self.settings = complete(settings)
        self.target = TARGETS[target]
        self.notes = Notes()
        books = Book(self.target.account_rule_by(self.settings)), Book(self.target.group_rule)
        self.write = self.target.writer(self.settings, self.notes, *books)

    def lines(self, one: Message) -> list[Line]:
        """The lines of a message; what was noted stands in `notes` until the next."""
        self.notes.clear()
        return self.write(one)

    def skip(self, one: Message) -> Skip | None:
        """Why a message is left out, if it is."""
        try:
            self.lines(one)
        except LeftOut as left:
            return left.skip
        return None

    def body(self, one: Message) -> Any:
        """The body of the one request of a message."""
        (line,) = self.lines(one)
        assert self.target.arrange
        finish = self.target.arrange.finisher(self.settings, Notes())
        (request,) = finish(iter([Placed(line.time, line.data)]))
        return json.loads(request.data)["body"]

    def requests(self, messages: Iterable[Message]) -> list[Request]:
        """The requests for these messages, conversation by conversation, in the order of times."""
        lines = [line for one in messages for line in self.lines(one)]
        self.notes.clear()
        assert self.target.arrange
        finish = self.target.arrange.finisher(self.settings, self.notes)
        talks = sorted(lines, key=lambda line: (conversation_in(line.data), line.time))
        return [
            request
            for _, talk in groupby(talks, key=lambda line: conversation_in(line.data))
            for request in finish(Placed(line.time, line.data) for line in list(talk))
        ]


PARTS = {
    "text": Text("你好 \"a\" \\ \n😀"),
    "image": Media("image", "https://m.example/a.jpg", name="a.jpg", size=9, width=4, height=3, md5="d" * 32),
    "audio": Media("audio", "https://m.example/v.amr", size=7, duration=1500),
    "video": Media("video", "https://m.example/v.mp4", size=70, duration=3000, width=16, height=9),
    "file": Media("file", "https://m.example/f.pdf", name="报告.pdf", size=5),
    "place": Place("天安门", "116.397477", "39.908692"),
    "custom": Custom("custom", "yunxin", {"k": "v"}),
    "combined": Custom("combined", "easemob", {"type": "txt", "subType": "sub_combine", "url": "https://m.example/c"}),
    "face": Custom("face", "tencent", {"MsgType": "TIMFaceElem", "MsgContent": {"Index": 1, "Data": "x"}}),
    "card": Custom("card", "rongcloud", {"objectName": "RC:ImgTextMsg", "content": {"title": "t"}}),
    "notice": Notice("join", "carl"),
}  # fmt: skip
"""One part of each kind."""
