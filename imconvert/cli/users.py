"""`imconvert users INPUT... OUT`: convert accounts and profiles."""

from __future__ import annotations

from typing import Any

import click

from imconvert.cli import provision


@click.command(cls=provision.WithPeople)
@provision.secrets_key
@provision.reading("users")
def users(**chosen: Any) -> int:
    """Convert accounts and profiles INPUT... into shards of requests in the folder OUT.

    Inputs are saved answers of the vendor's list calls (docs/people.md), or with --map tables and JSON of your own;
    files, folders, globs or -, packed or not. What is about something else is left out and counted.

    Where accounts need a password or token, each gets one: OUT/secrets.csv has them, and nothing else does.
    """
    return provision.run("users", **chosen)
