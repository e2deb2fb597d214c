"""Write the files of an order, in several processes if asked, and tell the truth about them."""

from __future__ import annotations

import gc
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from typing import IO, Any

from exports import VENDORS
from exports.core import TEAM, Order, Pools, Shape
from exports.packing import COMPRESSORS
from exports.pools import make_pools
from exports.stream import Stream, stretch_of

Counts = tuple[Counter[str], Counter[tuple[int, str]]]  # of what was planted, and of messages by chat and type
PLANTED = ("duplicates", "conflicts", "damaged", "events", "chatroom")


def file_name(order: Order, shape: Shape, file: int) -> str:
    ending = "" if order.compress == "none" else f".{order.compress}"
    return shape.name(order.vendor, stretch_of(order, shape, file)) + ending


def write_file(order: Order, shape: Shape, pools: Pools, file: int) -> Counts:
    stream = Stream(order, shape, pools, file)
    path = order.folder / file_name(order, shape, file)
    with ExitStack() as stack:
        out: IO[bytes] = stack.enter_context(path.open("wb"))
        for pack in (COMPRESSORS.get(order.compress), shape.container):
            if pack:
                out = stack.enter_context(pack(out, path.stem))
        for parts in shape.blocks(stream.batches(), stream.stretch):
            block = "".join(parts).encode("latin-1")
            stream.tally["bytes"] += len(block)
            out.write(block)
    return stream.tally, stream.kinds


def write_files(order: Order, files: range) -> Counts:
    """The work of one process."""
    shape = VENDORS[order.vendor][order.shape]
    pools = make_pools(order, shape)
    gc.disable()  # nothing here is cyclic, and a collection would walk through all pools
    tally: Counter[str] = Counter()
    kinds: Counter[tuple[int, str]] = Counter()
    for file in files:
        more, more_kinds = write_file(order, shape, pools, file)
        tally.update(more)
        kinds.update(more_kinds)
    return tally, kinds


def write_export(order: Order, jobs: int) -> dict[str, Any]:
    """Write all files and return the truth about them."""
    order.folder.mkdir(parents=True, exist_ok=True)
    jobs = min(jobs, order.files)
    shares = [range(job, order.files, jobs) for job in range(jobs)]
    if jobs == 1:
        done = [write_files(order, shares[0])]
    else:
        with ProcessPoolExecutor(jobs) as pool:
            done = list(pool.map(write_files, [order] * jobs, shares))
    tally = sum((one for one, _ in done), Counter[str]())
    return truth(order, tally, sum((kinds for _, kinds in done), Counter[tuple[int, str]]()))


def truth(order: Order, tally: Counter[str], kinds: Counter[tuple[int, str]]) -> dict[str, Any]:
    shape = VENDORS[order.vendor][order.shape]
    by_type: Counter[str] = Counter()
    by_chat = {"p2p": 0, "team": 0}
    bodies = 0
    for (chat, kind), count in sorted(kinds.items()):
        name, extra = shape.counts_as.get(kind, (kind, 0))
        by_type[name] += count
        by_chat["team" if chat == TEAM else "p2p"] += count
        bodies += extra * count
    planted = {name: tally[name] for name in dict.fromkeys((*PLANTED, *shape.extras))}
    messages = by_type.total()
    return {
        "vendor": order.vendor, "seed": order.seed,
        "files": [file_name(order, shape, n) for n in range(order.files)],
        "lines": messages + sum(planted.values()), "bytes": tally["bytes"], "messages": messages, **planted,
        "oddities": tally["oddities"], "extra_bodies": bodies, "by_chat": by_chat, "by_type": dict(by_type),
    }  # fmt: skip
