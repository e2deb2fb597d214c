"""The wrappers of `deliver`, put together for one app and one journal."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from imconvert import durable
from imconvert.deliver import Clock, Counted, Request, Send
from imconvert.deliver.http import Connections, over_http
from imconvert.deliver.journal import Journal, journaled
from imconvert.deliver.pace import NUMBERS, Pacer, paced
from imconvert.deliver.proof import Proof, proven
from imconvert.deliver.retry import Health, retried
from imconvert.deliver.settle import Settled
from imconvert.deliver.split import Split
from imconvert.durable.shared import SharedNumbers
from imconvert.errors import UsageError
from imconvert.load.secrets import Secrets
from imconvert.load.target import Target
from imconvert.vendors.calls import Api, App, Http, Limit, Reply, Verdict


class Paces:
    """The pacers by bucket, made when they are first asked for; their numbers lie in `folder`."""

    def __init__(self, folder: Path, target: Target, clock: Clock) -> None:
        self.folder, self.target, self.clock = folder, target, clock
        self.pacers: dict[str, Pacer | None] = {}

    def of(self, api: Api) -> Pacer | None:
        bucket = self.target.bucket_of(api)
        if bucket not in self.pacers:
            self.pacers[bucket] = self._made(bucket, self.target.limit_of(api))
        return self.pacers[bucket]

    def _made(self, bucket: str, limit: Limit) -> Pacer | None:
        if not limit.calls:
            return None
        durable.make_folder(self.folder)
        path = self.folder / f"pace-{bucket.replace('/', '.')}"
        return Pacer(SharedNumbers(path, NUMBERS), limit, self.clock, margin=self.target.margin)

    def share(self) -> float:
        """The share of the limits that is used now: less than 1 behind answers that say "too fast"."""
        return min((one.share() for one in self.pacers.values() if one), default=1.0)

    def close(self) -> None:
        for one in self.pacers.values():
            if one:
                one.close()


def preparing(
    target: Target, app: App, proof: Proof | None, secrets: Secrets, clock: Clock, chance: Random
) -> Callable[[Request], Http]:
    """What makes the exact request, with time and nonce of the moment."""

    def prepare(request: Request) -> Http:
        token = request.flight.proof = proof.token if proof else None
        call, hidden = secrets.into(request.call)
        http = target.rest.prepare(app, request.api, call, token, now=clock.now(), nonce=chance.getrandbits(32))
        return http._replace(hidden=(*http.hidden, *hidden))

    return prepare


def reading(target: Target, app: App) -> Callable[[Request, Reply], Verdict]:
    """What judges an answer."""
    return lambda request, reply: target.rest.read(app, request.api, request.call, reply)


def connections(target: Target) -> Connections:
    """Connections as target.toml wants them. Raises UsageError IMC-1257 for a file without a certificate."""
    verify: Any = True
    if target.ca:
        try:
            verify = ssl.create_default_context(cafile=target.ca)
        except (OSError, ssl.SSLError) as why:
            raise UsageError("IMC-1257", target.ca, why=str(why)) from why
    return Connections(timeout=target.timeout, verify=verify, proxy=target.proxy or None)


class Chain:
    """Everything that a call goes through, and what has to be closed behind it."""

    def __init__(
        self, target: Target, app: App, journal: Journal, folder: Path, *, secrets: Secrets, clock: Clock,
        chance: Random, count: Counted,
    ) -> None:  # fmt: skip
        self.target, self.app, self.journal, self.secrets = target, app, journal, secrets
        self.connections = connections(target)
        self.paces = Paces(Path(target.pace_folder) if target.pace_folder else folder, target, clock)
        self.health = Health(clock.steady())
        self.proof = Proof(target.rest, app, clock, self.connections.ask)
        self.send = self._put_together(clock, chance, count)

    def _put_together(self, clock: Clock, chance: Random, count: Counted) -> Send:
        target, policy = self.target, self.target.policy

        async def pause(tries: int) -> None:
            await clock.sleep(policy.wait(tries, chance))

        async def settle() -> None:
            await clock.sleep(target.settle)

        prepare = preparing(target, self.app, self.proof, self.secrets, clock, chance)
        send = over_http(self.connections, prepare, reading(target, self.app))
        send = paced(send, self.paces.of)
        send = proven(send, self.proof)
        send = retried(send, policy, clock, chance=chance, health=self.health, stale=self.proof.stale, count=count)
        send = Split(send, pause, count)
        self.unrecorded = Settled(
            send, self.app, target.rest.apis, pause=settle, now=clock.now, count=count, taken=self.journal.gave
        )
        return journaled(self.unrecorded, self.journal)

    async def close(self) -> None:
        await self.connections.close()
        self.paces.close()
