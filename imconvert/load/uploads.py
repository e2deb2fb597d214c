"""Upload files of the output that a call names, each once, and put their addresses into the call.

A file whose upload is not known to have worked is uploaded again; a copy that nobody refers to does no harm.
"""

from __future__ import annotations

import asyncio
from pathlib import Path, PurePosixPath

import msgspec
from msgspec import Raw

from imconvert import durable
from imconvert.deliver import Place, Request, Send
from imconvert.deliver.journal import Journal
from imconvert.vendors.calls import Call, Kind, Rest, Verdict

NOWHERE = Place(0, 0)


class Uploads:
    """The files below `output` that calls name. `send` is the chain without the journal."""

    def __init__(self, output: Path, rest: Rest, journal: Journal, send: Send) -> None:
        self.output, self.rest, self.journal, self.send = output, rest, journal, send
        self._under_way: dict[str, asyncio.Task[str | Verdict]] = {}

    async def put_in(self, call: Call) -> Call | Verdict:
        """The call with addresses; a verdict where a file can't be uploaded."""
        text = bytes(call.body)
        for path in call.upload:
            found = await self._address(path)
            if isinstance(found, Verdict):
                return found
            text = text.replace(msgspec.json.encode(path), msgspec.json.encode(found))
        return msgspec.structs.replace(call, body=Raw(text), upload=())

    async def _address(self, path: str) -> str | Verdict:
        known = self.journal.url_of(path)
        if known:
            return known
        task = self._under_way.get(path)
        if task is None:
            task = self._under_way[path] = asyncio.get_running_loop().create_task(self._upload(path))
            task.add_done_callback(lambda done: self._under_way.pop(path, None))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _upload(self, path: str) -> str | Verdict:
        pure = PurePosixPath(path)
        file = self.output / pure
        fine = self.rest.uploads and not pure.is_absolute() and ".." not in pure.parts and durable.exists(file)
        if not fine:
            return Verdict(Kind.ITEM, "IMC-7216", "")
        body = Raw(msgspec.json.encode({"name": pure.name}))
        call = Call(self.rest.uploads, body, key=path, data=durable.read_file(file) or b"")
        reply = await self.send(Request(self.rest.apis[self.rest.uploads], call, NOWHERE))
        if reply.verdict.kind is not Kind.DONE or not reply.verdict.given:
            return reply.verdict._replace(kind=Kind.ITEM) if reply.verdict.kind is Kind.UNCLEAR else reply.verdict
        self.journal.uploaded(path, reply.verdict.given)
        return reply.verdict.given
