"""`imconvert friends INPUT... OUT`: convert friends, blocks, do-not-disturb and read marks of pairs."""

from __future__ import annotations

from typing import Any

import click

from imconvert.cli import provision


@click.command(cls=provision.WithPeople)
@provision.reading("friends")
def friends(**chosen: Any) -> int:
    """Convert friends, blocks, mutes and read marks INPUT... into shards of requests in the folder OUT.

    Inputs are saved answers of the vendor's list calls (docs/people.md), or with --map tables and JSON of your own.
    A friendship that both lists hold becomes one request where the target makes friends of both at once.
    """
    return provision.run("friends", **chosen)
