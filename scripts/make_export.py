"""Make vendor exports of any size whose truth is known; the package `exports` says how, and what the truth tells."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import click
from exports import VENDORS
from exports.core import Order
from exports.files import write_export
from exports.packing import COMPRESSORS

SHARE = click.FloatRange(0, 1)
SHAPES = list(dict.fromkeys(shape for shapes in VENDORS.values() for shape in shapes))


@click.command(help=__doc__.split(";")[0] + ".")
@click.argument("vendor", type=click.Choice(list(VENDORS)))
@click.argument("folder", metavar="OUT_DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--messages", type=click.IntRange(0), default=100_000, show_default=True, help="In all files.")
@click.option("--files", type=click.IntRange(1), default=1, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--compress", type=click.Choice(["none", *COMPRESSORS]), default="none", show_default=True)
@click.option("--shape", type=click.Choice(SHAPES), help="By default the vendor's usual one.")
@click.option("--users", type=click.IntRange(2, 500_000), default=20_000, show_default=True)
@click.option("--groups", type=click.IntRange(1, 200_000), default=2000, show_default=True)
@click.option("--oddities", type=SHARE, default=0.01, show_default=True, help="Share of messages to repair.")
@click.option("--duplicates", type=SHARE, default=0.01, show_default=True, help="Extra lines a message.")
@click.option("--conflicts", type=SHARE, default=0.001, show_default=True, help="Extra lines a message.")
@click.option("--damage", "damaged", type=SHARE, default=0.0005, show_default=True, help="As above.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
def main(jobs: int, duplicates: float, conflicts: float, damaged: float, **asked: Any) -> None:
    shares = {"duplicates": duplicates, "conflicts": conflicts, "damaged": damaged}
    asked["shape"] = asked["shape"] or next(iter(VENDORS[asked["vendor"]]))
    order = Order(shares=shares, **asked)
    check(order)
    click.echo(json.dumps(write_export(order, jobs), ensure_ascii=False))


def check(order: Order) -> None:
    shapes = VENDORS[order.vendor]
    if order.shape not in shapes:
        raise click.UsageError(f"{order.vendor} never exported {order.shape}; choose from {', '.join(shapes)}")
    if sum(order.shares.values()) + sum(share for share, _ in shapes[order.shape].extras.values()) > 1:
        raise click.UsageError("duplicates, conflicts and damage add up to more than one line per message")
    if order.compress == "zst" and importlib.util.find_spec("zstandard") is None:
        raise click.UsageError("zst needs the package zstandard: pip install zstandard")


if __name__ == "__main__":
    main()
