"""`imconvert groups INPUT... OUT`: convert groups, members, roles, mutes and unread counts."""

from __future__ import annotations

from typing import Any

import click

from imconvert.cli import provision


@click.command(cls=provision.WithPeople)
@provision.reading("groups")
def groups(**chosen: Any) -> int:
    """Convert groups and their members INPUT... into shards of requests in the folder OUT.

    Inputs are saved answers of the vendor's list calls (docs/people.md), or with --map tables and JSON of your own.
    Give all that is known of the groups in one run: facts, members, admins and mutes are put together.
    """
    return provision.run("groups", **chosen)
