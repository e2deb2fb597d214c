"""The records that the core and the vendor modules share: what is asked for, and what a shape of an export is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta, timezone
from pathlib import Path
from random import Random
from typing import IO, NamedTuple

BATCH = 4000
START = 1_710_464_400_000  # 2024-03-15 09:00 in Beijing
HOUR = 3_600_000
SPACING = 40  # mean ms between two messages of a vendor whose files are not cut by the hour
BEIJING = timezone(timedelta(hours=8))
P2P, TEAM = 0, 1
TEAM_SHARE = 0.4
SLOTS = 1 << 16  # length of a table that two random bytes can index
REMEMBERED = 4096  # messages of a file that a planted record can refer to
SEQUENCE = (1 << 21) - 1
EXTRA = 1 << 21  # lifts the id of a planted record above the ids of messages of the same millisecond

Seat = tuple[int, str, str, str]  # chat, sender, receiver or group, someone else
Fragment = tuple[str, str]  # text before and after a message number; no number if the second is empty
Draw = tuple[int, Seat, int, str, str, str, str]  # index, seat, slot, head, tail, ext, client
Media = dict[str, list[Fragment]]
Change = Callable[[str], str]
Plant = Callable[[str, str, Random], str]  # earlier line, fresh line, chance -> line


class Order(NamedTuple):
    """What the caller asked for."""

    vendor: str
    folder: Path
    messages: int
    files: int
    seed: int
    compress: str
    shape: str
    users: int
    groups: int
    oddities: float
    shares: dict[str, float]  # of duplicates, conflicts and damaged


class Stretch(NamedTuple):
    """What belongs to one file: its number from 0, start and length of its time in ms, its number of messages, and
    the chat that it is of, if files are of one."""

    file: int
    start: int
    length: int
    messages: int
    chat: int | None = None


@dataclass(frozen=True, slots=True)
class Pools:
    """What all files of one order draw from."""

    seats: list[Seat]
    kinds: tuple[list[str], list[str]]
    heads: list[str]
    tails: list[str]
    exts: list[str]
    clients: list[str]
    media: Media


Open = Callable[[IO[bytes], str], AbstractContextManager[IO[bytes]]]  # file, its name -> what is written to


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape of a vendor's exports.

    kinds       shares of the types besides `text`, p2p and team
    people, group   make the id of the n-th person or group
    exts, clients   fragments with weights, drawn for each message and handed to `line`
    media       for each type that needs one, fragments of content
    line        renders a message: (type, draw, ms, id, media) -> record without line end
    number      the id of a message from its time and index
    seconds     changes the time of a rendered record to seconds; used where it is a whole second
    oddities    each changes a record so that a good reader still takes it, for the message that it is
    reshape     the same message told otherwise: key order, typing, white space
    conflict    a record with the key of an earlier one and another content
    damaged     a record that no reader can take; it must not hurt its neighbours
    extras      plants that the caller does not choose, with their shares: "events" (recalls and the like) and
                "chatroom", both counted apart from messages, or names of your own
    counts_as   type -> type told in the truth, and the bodies beyond the first
    blocks      the records of a file as the parts of its text, with all that stands around them
    name        the name of a file without the ending of a compressor
    hourly      whether a file is an hour, as its name may say
    chats_apart whether an hour has a file for p2p and one for teams
    single      whether a file is one document, however long
    container   wraps the file itself where the vendor always packs it (a zip, say)
    """

    kinds: tuple[dict[str, float], dict[str, float]]
    text: str
    people: tuple[Callable[[int, Random], str], ...]
    exts: tuple[tuple[str, int], ...]
    clients: tuple[tuple[str, int], ...]
    group: Callable[[int, Random], str]
    media: Callable[[Random], Media]
    line: Callable[[str, Draw, int, int, Media], str]
    number: Callable[[int, int], int]
    seconds: Change
    oddities: tuple[Change, ...]
    reshape: Callable[[str, Random], str]
    conflict: Plant
    damaged: Plant
    extras: dict[str, tuple[float, Plant]]
    counts_as: dict[str, tuple[str, int]]
    blocks: Callable[[Iterator[list[str]], Stretch], Iterable[list[str]]]
    name: Callable[[str, Stretch], str]
    hourly: bool = False
    chats_apart: bool = False
    single: bool = False
    container: Open | None = None
