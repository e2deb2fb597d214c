"""The records of one file, in order, and how lines become a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random
from typing import cast

from exports.core import (
    BATCH,
    BEIJING,
    EXTRA,
    HOUR,
    P2P,
    REMEMBERED,
    SPACING,
    START,
    TEAM,
    Draw,
    Order,
    Plant,
    Pools,
    Shape,
    Stretch,
)
from exports.tools import random_slots


class Stream:
    """The records of one file, in order, and the count of what was planted."""

    def __init__(self, order: Order, shape: Shape, pools: Pools, file: int) -> None:
        self.order, self.pools, self.shape = order, pools, shape
        self.rng = Random(f"{order.seed}/{order.vendor}/{file}")
        self.stretch = stretch_of(order, shape, file)
        self.start, self.count = self.stretch.start, self.stretch.messages
        self.gap = self.stretch.length / max(1, self.count)
        chat = self.stretch.chat
        self.seats = [seat for seat in pools.seats if chat is None or seat[0] == chat]
        self.past: list[str] = []
        self.tally: Counter[str] = Counter()
        self.kinds: Counter[tuple[int, str]] = Counter()
        chosen = {"duplicates": self._duplicate, "conflicts": shape.conflict, "damaged": shape.damaged}
        self.plants = [(name, share, chosen[name]) for name, share in order.shares.items()]
        self.plants += [(name, *extra) for name, extra in shape.extras.items()]
        self.planted = sum(share for _, share, _ in self.plants)

    def batches(self) -> Iterator[list[str]]:
        for first in range(0, self.count, BATCH):
            yield self._batch(first, min(BATCH, self.count - first))

    def _draws(self, first: int, size: int) -> Iterator[tuple[Draw, float, float, float]]:
        pools, choices, chance = self.pools, self.rng.choices, self.rng.random
        slots = (random_slots(self.rng, size) for _ in range(4))
        columns = (
            choices(self.seats, k=size), next(slots), choices(pools.heads, k=size),
            *(map(table.__getitem__, next(slots)) for table in (pools.tails, pools.exts, pools.clients)),
        )  # fmt: skip
        draws = zip(range(first, first + size), *columns, strict=True)
        chances = ([chance() for _ in range(size)] for _ in range(3))
        return cast(Iterator[tuple[Draw, float, float, float]], zip(draws, *chances, strict=True))

    def _batch(self, first: int, size: int) -> list[str]:
        lines: list[str] = []
        kinds, media = self.pools.kinds, self.pools.media
        render, number_at = self.shape.line, self.shape.number
        start, gap, oddities, planted = self.start, self.gap, self.order.oddities, self.planted
        seen: tuple[list[str], list[str]] = ([], [])
        last = when = self._moment(first - 1)
        for draw, jitter, odd, fate in self._draws(first, size):
            index, seat, slot = draw[:3]
            last, when = when, start + int((index + jitter * 0.99) * gap)
            chat = seat[0]
            kind = kinds[chat][slot]
            number = number_at(when, index)
            if odd < oddities * 0.2 and when - when % 1000 >= last:
                when -= when % 1000
            line = render(kind, draw, when, number, media)
            seen[chat].append(kind)
            if not index & 7:
                self._remember(line)
            lines.append(self._odd(line, when) if odd < oddities else line)
            if fate < planted:
                lines.append(self._plant(fate, render(kind, draw, when, number + EXTRA, media)))
        self.kinds.update({(chat, k): n for chat in (P2P, TEAM) for k, n in Counter(seen[chat]).items()})
        return lines

    def _moment(self, index: int) -> int:
        return self.start + int(max(0.0, index + 0.99) * self.gap)

    def _remember(self, line: str) -> None:
        if len(self.past) < REMEMBERED:
            self.past.append(line)
        else:
            self.past[int(self.rng.random() * REMEMBERED)] = line

    def _odd(self, line: str, when: int) -> str:
        self.tally["oddities"] += 1
        changed = self.shape.seconds(line) if when % 1000 == 0 else self.rng.choice(self.shape.oddities)(line)
        return changed if changed != line else line + " "

    def _plant(self, fate: float, fresh: str) -> str:
        name, plant = self._fated(fate)
        self.tally[name] += 1
        return plant(self.rng.choice(self.past), fresh, self.rng)

    def _fated(self, fate: float) -> tuple[str, Plant]:
        for name, share, plant in self.plants[:-1]:
            if fate < share:
                return name, plant
            fate -= share
        return self.plants[-1][0], self.plants[-1][2]

    def _duplicate(self, past: str, fresh: str, rng: Random) -> str:
        return past if rng.random() < 0.5 else self.shape.reshape(past, rng)


def first_message(order: Order, file: int) -> int:
    return order.messages * file // order.files


def stretch_of(order: Order, shape: Shape, file: int) -> Stretch:
    first, after = first_message(order, file), first_message(order, file + 1)
    if shape.chats_apart:
        chat = (P2P, TEAM)[file % 2]
        return Stretch(file, START + file // 2 * HOUR, HOUR, after - first, chat)
    if shape.hourly:
        return Stretch(file, START + file * HOUR, HOUR, after - first)
    return Stretch(file, START + first * SPACING, (after - first) * SPACING, after - first)


def as_lines(batches: Iterator[list[str]], stretch: Stretch) -> Iterator[list[str]]:
    """One record a line."""
    for lines in batches:
        yield ["\n".join(lines), "\n"]


def numbered(suffix: str) -> Callable[[str, Stretch], str]:
    """Names that count the files."""
    return lambda vendor, stretch: f"{vendor}-{stretch.file + 1:05d}{suffix}"


def hour_of(stretch: Stretch) -> str:
    """The hour in Beijing."""
    return f"{datetime.fromtimestamp(stretch.start / 1000, BEIJING):%Y%m%d%H}"


def by_hour(vendor: str, stretch: Stretch) -> str:
    """Names that are the hour in Beijing."""
    return hour_of(stretch)


def apart_by_hour(vendor: str, stretch: Stretch) -> str:
    """Names that tell the chat and the hour in Beijing."""
    return f"{'group' if stretch.chat == TEAM else 'c2c'}-{hour_of(stretch)}.json"
