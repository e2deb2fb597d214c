"""What all files of an order draw from: who talks to whom, texts, attachments. Equal orders give equal pools."""

from __future__ import annotations

from random import Random

from exports.core import P2P, SLOTS, TEAM, TEAM_SHARE, Order, Pools, Seat, Shape
from exports.texts import text_heads, text_tails
from exports.tools import narrow, spread, zipf_table


def kind_table(shares: dict[str, float], text: str) -> list[str]:
    table = spread([(kind, round(share * SLOTS)) for kind, share in shares.items()])
    return table + [text] * (SLOTS - len(table))


def p2p_seats(people: list[str], rng: Random) -> list[Seat]:
    """Pairs who talk to each other, in both directions."""
    size = 2 * len(people)
    pairs = zip(rng.choices(zipf_table(people, rng, size), k=size), rng.choices(people, k=size), strict=True)
    apart = [(a, b) for a, b in pairs if a != b] or [(people[0], people[1])]
    return [seat for a, b in apart for seat in ((P2P, a, b, a), (P2P, b, a, b))]


def team_seats(groups: list[str], people: list[str], rng: Random) -> list[Seat]:
    seats: list[Seat] = []
    for group in groups:
        members = rng.sample(people, min(len(people), rng.choice((3, 5, 8, 12, 20, 40))))
        others = members[1:] + members[:1]
        seats += [(TEAM, one, group, other) for one, other in zip(members, others, strict=True)]
    return seats


def make_seats(order: Order, shape: Shape, rng: Random) -> list[Seat]:
    people = [rng.choice(shape.people)(n, rng) for n in range(order.users)]
    groups = [shape.group(n, rng) for n in range(order.groups)]
    tables = p2p_seats(people, rng), team_seats(groups, people, rng)
    size = max(1 << 16, 2 * (len(tables[P2P]) + len(tables[TEAM])))
    counts = size - int(size * TEAM_SHARE), int(size * TEAM_SHARE)
    return [seat for table, count in zip(tables, counts, strict=True) for seat in fitted(table, count, rng)]


def fitted(table: list[Seat], size: int, rng: Random) -> list[Seat]:
    return zipf_table(table, rng, size - len(table)) if len(table) < size else rng.sample(table, size)


def make_pools(order: Order, shape: Shape) -> Pools:
    rng = Random(f"{order.seed}/{order.vendor}/pools")
    return Pools(
        seats=make_seats(order, shape, rng),
        kinds=(kind_table(shape.kinds[P2P], shape.text), kind_table(shape.kinds[TEAM], shape.text)),
        heads=text_heads(rng),
        tails=rng.choices(text_tails(rng), k=SLOTS),
        exts=rng.choices([narrow(ext) for ext in spread(shape.exts)], k=SLOTS),
        clients=rng.choices(spread(shape.clients), k=SLOTS),
        media=shape.media(rng),
    )
