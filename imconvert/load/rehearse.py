"""A dry run: the exact requests that would be sent next, secrets hidden. Nothing is sent, nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from imconvert import durable
from imconvert.deliver import Clock
from imconvert.deliver.done import Done, Span
from imconvert.deliver.journal import Journal
from imconvert.errors import UsageError
from imconvert.load.fill import filled
from imconvert.load.job import JOURNAL, Wanted, check
from imconvert.load.secrets import with_secrets
from imconvert.load.shards import Line, lines_from, listed, opened, read_call
from imconvert.vendors.calls import Call, Http, Secret, Token, Verdict

USUAL = 20
HIDDEN = "…"


def requests(wanted: Wanted, clock: Clock, chance: Random) -> Iterator[dict[str, Any]]:
    """The next requests in their order, at most the limit's, or USUAL."""
    found = opened(wanted.output)
    check(wanted, found, secret=False)
    yield from islice(_requests(wanted, clock, chance), wanted.choice.limit or USUAL)


def _requests(wanted: Wanted, clock: Clock, chance: Random) -> Iterator[dict[str, Any]]:
    rest, app = wanted.target.rest, wanted.app
    token = Token(Secret(HIDDEN), float("inf"))
    for shard, line, call in _calls(wanted, clock):
        api = rest.apis.get(call.api)
        if api is None:
            raise UsageError("IMC-1258", shard, api=call.api, target=rest.title)
        made = rest.token(app, clock.now()) if rest.token else token
        call = with_secrets(call, lambda account: HIDDEN)
        http = rest.prepare(app, api, call, made, now=clock.now(), nonce=chance.getrandbits(32))
        yield {"shard": shard, "line": line.number + 1, "stage": rest.stage_of(call.api), **shown(http)}


def _calls(wanted: Wanted, clock: Clock) -> Iterator[tuple[str, Line, Call]]:
    """The lines that are not finished, by stage, their ids filled in as far as they are known."""
    rest = wanted.target.rest
    with _Known(wanted.folder / JOURNAL, clock) as known:
        rows = listed(wanted.output, opened(wanted.output), rest)
        for stage in rest.stages:
            for name, own, _ in rows:
                if own == stage.name and stage.name in (wanted.choice.stages or (stage.name,)):
                    for line, call in _left(wanted, name, known.done(name)):
                        made = filled(call, known.target_of) if call.ids else call
                        yield name, line, call if isinstance(made, Verdict) else made


def _left(wanted: Wanted, name: str, done: Done) -> Iterator[tuple[Line, Call]]:
    with durable.Reader(wanted.output / name) as reader:
        for line in lines_from(reader, 0, 0):
            if not done.around(line.number):
                call = read_call(line.data, name, line.number)
                if wanted.choice.takes(call.conv):
                    yield line, call


class _Known:
    """What a journal knows, if there is one."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.journal = Journal(path, clock) if durable.exists(path) else None

    def __enter__(self) -> _Known:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.journal:
            self.journal.data.close()

    def done(self, name: str) -> Done:
        if self.journal is None:
            return Done()
        query = "SELECT start, stop, offset FROM done JOIN shards ON shard = id WHERE name = ?"
        return Done(Span(*row) for row in self.journal.data.rows(query, name))

    def target_of(self, kind: str, source: str) -> str | None:
        return self.journal.target_of(kind, source) if self.journal else None


def shown(http: Http) -> Mapping[str, Any]:
    """A request as it may be seen."""
    headers = {name: _hide(value, http.hidden) for name, value in http.headers}
    body = _hide(http.content.decode("utf-8", "replace"), http.hidden)
    return {"method": http.method, "url": _hide(http.url, http.hidden), "headers": headers, "body": body}


def _hide(text: str, hidden: tuple[str, ...]) -> str:
    for secret in hidden:
        if secret:
            text = text.replace(secret, HIDDEN)
    return text
