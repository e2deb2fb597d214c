"""Write messages as Yunxin's import lines (yunxin.md §1).

Promise: one message gives one line a part, with the same fields in the same order whatever the source; compact
UTF-8 JSON ended by LF. The key of a line is (msgid, from|accid, to|tid, createTime).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct
from xxhash import xxh3_64_digest, xxh3_128_digest

from imconvert.errors import Rejected
from imconvert.model import Custom, Media, Message, Notes, Notice, Part, Place, Text, derived_id, key_of
from imconvert.vendors.contract import Book, Columns, KeyFields, Line, Settings, Unfit, Write
from imconvert.vendors.lenient import compact
from imconvert.vendors.values import suffix_of
from imconvert.vendors.yunxin.records import (
    CUSTOM,
    JOIN,
    MEDIA,
    NOTICE_KINDS,
    PLACE,
    Attach,
    Data,
    Record,
    encode,
    encode_sorted,
)
from imconvert.vendors.yunxin.rules import ATTACH_USUAL, BODY_LIMIT, EXT_LIMIT

_MEDIA_TYPES = {kind: number for number, kind in MEDIA.items()}
_NOTICE_TYPES = {kind: number for number, kind in NOTICE_KINDS.items()}


def writer(settings: Settings, notes: Notes, accounts: Book, groups: Book) -> Write:
    """The function that writes one message. It raises Rejected (IMC-2109, IMC-22xx) before it makes any line."""
    pack = _Packer(settings, notes, accounts)

    def write(message: Message) -> list[Line]:
        sender = accounts[message.sender]
        target = groups[message.target] if message.chat == "team" else accounts[message.target]
        if message.extra:
            message = msgspec.structs.replace(message, ext=with_note(message.ext, message.extra), extra=None)
        if len(message.parts) > 1:
            return [_line(piece, sender, target, pack) for piece in _pieces(message, notes)]
        return [_line(message, sender, target, pack)]

    return write


def _line(message: Message, sender: str, target: Any, pack: _Packer) -> Line:
    part = message.parts[0]
    msgid, time = message.msgid, message.time
    ext = message.ext or UNSET
    data: Any
    if message.chat == "p2p":
        data = Data(msgid=msgid, from_=sender, to=target, createTime=time, clientType=message.client, ext=ext)
    else:
        data = Data(msgid=msgid, accid=sender, tid=target, createTime=time, clientType=message.client, ext=ext)
    kind = pack.into(data, part)
    if kind == JOIN:
        sender = data.accid
    pack.check_lengths(data)
    return finished(Record(kind, data), message.chat, key_of(msgid, sender, target, time), time)


def finished(record: Record, stream: str, key: bytes, time: int) -> Line:
    """The line of a record whose fields are canonical."""
    line = encode(record)
    digest = xxh3_64_digest(line if record.type < CUSTOM else encode_sorted(record))
    return Line(stream, key, line, digest, record.data.msgid, time)


def put_text(
    streams: Sequence[Columns],
    source: int,
    chat: str,
    msgid: int,
    sender: str,
    target: Any,
    time: int,
    client: int,
    ext: Any,
    text: str,
) -> None:
    """Add the line of a plain text; see `contract.PutText`."""
    if len(text) > BODY_LIMIT or (ext and len(ext) > EXT_LIMIT):
        raise Unfit
    if chat == "p2p":
        data = Data(msgid=msgid, from_=sender, to=target, createTime=time, clientType=client, ext=ext, body=text)
    else:
        data = Data(msgid=msgid, accid=sender, tid=target, createTime=time, clientType=client, ext=ext, body=text)
    columns = streams[chat != "p2p"]
    line = encode(Record(0, data))
    columns.lines.append(line)
    columns.keys.append(xxh3_128_digest(encode((msgid, sender, target, time))))
    columns.digests.append(xxh3_64_digest(line))
    columns.msgids.append(msgid)
    columns.times.append(time)
    columns.sources.append(source)


def _pieces(message: Message, notes: Notes) -> list[Message]:
    """One message for each part, in order, the later ones with ids of their own (easemob.md §2.3, yunxin.md §1.5)."""
    if isinstance(message.parts[0], Notice):
        notes.changes.append(("transformed", "a notice about several to one each"))
        return [_piece(message, number, part, message.ext) for number, part in enumerate(message.parts)]
    notes.changes.append(("transformed", "several bodies to one message each"))
    count = len(message.parts)
    return [
        _piece(
            message,
            number,
            part,
            _part_ext(message.ext if number == 0 else None, f"{number + 1}/{count}", message.source_id),
        )
        for number, part in enumerate(message.parts)
    ]


def _piece(message: Message, number: int, part: Part, ext: str | None) -> Message:
    msgid = message.msgid if number == 0 else derived_id("part", f"{message.source_id}#{number}")
    return msgspec.structs.replace(message, msgid=msgid, parts=(part,), ext=ext)


def _part_ext(ext: str | None, part: str, source_id: str) -> str:
    return with_note(ext, {"part": part, "of": source_id})


def with_note(ext: str | None, note: dict[str, Any]) -> str:
    """An extension that also holds `note` under the key "imconvert", beside what stands there already.

    An extension that is no object moves under "ext".
    """
    try:
        value = msgspec.json.decode(ext) if ext else {}
    except msgspec.DecodeError:
        value = ext
    if not isinstance(value, dict):
        value = {"ext": ext}
    before = value.get("imconvert", {})
    return compact({**value, "imconvert": {**(before if isinstance(before, dict) else {"app": before}), **note}})


class _Packer:
    """Puts a part into the `data` of a line and says its type number."""

    def __init__(self, settings: Settings, notes: Notes, accounts: Book) -> None:
        self.notes = notes
        self.accounts = accounts
        self.attach_limit = int(settings["yunxin.attach_limit"])
        self.custom_as_text = settings["yunxin.custom_attach"] == "string"

    def into(self, data: Any, part: Part) -> int:
        return _PACKERS[part.__class__](self, data, part)

    def check_lengths(self, data: Any) -> None:
        """Note what is longer than plans usually allow."""
        if (data.ext and len(data.ext) > EXT_LIMIT) or (data.body and len(data.body) > BODY_LIMIT):
            self.notes.repairs.append("IMC-3019")

    def describe(self, data: Data, text: str) -> None:
        """Set the attach, within its limits. Raises Rejected (IMC-2109)."""
        if len(text) > self.attach_limit:
            raise Rejected("IMC-2109", length=len(text), limit=self.attach_limit)
        if len(text) > ATTACH_USUAL:
            self.notes.repairs.append("IMC-3019")
        data.attach = text


def _put_text(pack: _Packer, data: Any, part: Text) -> int:
    data.body = part.text
    if part.extra:
        pack.notes.changes.append(("transformed", "text leftovers to ext"))
        data.ext = with_note(None if data.ext is UNSET else data.ext, part.extra)
    return 0


def _put_media(pack: _Packer, data: Data, part: Media) -> int:
    name = part.name
    if name is None and part.kind == "file":
        name = part.url.split("?", 1)[0].rsplit("/", 1)[-1] or "file"
        pack.notes.repairs.append("IMC-3016")
    suffix = part.suffix if part.suffix is not None else suffix_of(name) or suffix_of(part.url)
    attach = Attach(name, part.md5, part.url, suffix, part.duration, part.width, part.height, part.size)
    pack.describe(data, _with_extra(attach, part.extra))
    return _MEDIA_TYPES[part.kind]


def _with_extra(attach: Any, extra: dict[str, Any] | None) -> str:
    """The description as JSON text; what it has beyond the known fields follows them, sorted.

    Another vendor's key that has the name of one of the fields goes under the key "imconvert".
    """
    text = encode(attach).decode()
    if not extra:
        return text
    fields = attach if isinstance(attach, dict) else _ATTACH_FIELDS
    if not fields.keys().isdisjoint(extra):
        apart = {key: value for key, value in extra.items() if key in fields}
        extra = {key: value for key, value in extra.items() if key not in fields} | {"imconvert": apart}
    return f"{text[:-1]},{encode_sorted(extra).decode()[1:]}"


_ATTACH_FIELDS = dict.fromkeys(info.encode_name for info in msgspec.structs.fields(Attach))


def _put_place(pack: _Packer, data: Data, part: Place) -> int:
    fields = {"title": part.title, "lng": part.longitude, "lat": part.latitude}
    pack.describe(data, _with_extra(fields, part.extra))
    return PLACE


def _put_custom(pack: _Packer, data: Data, part: Custom) -> int:
    """The app's own Yunxin content stays as it is; all else is wrapped so that clients can tell (§10)."""
    verbatim = part.kind == "custom" and part.vendor == "yunxin" and isinstance(part.content, dict)
    content = part.content if verbatim else _wrapped(part)
    text = compact(content)
    pack.describe(data, text)
    if not pack.custom_as_text:
        data.attach = content
    return CUSTOM


def _wrapped(part: Custom) -> dict[str, Any]:
    return {"v": 1, "kind": part.kind, "src": part.vendor, "raw": part.content}


def _put_notice(pack: _Packer, data: Any, part: Notice) -> int:
    if data.tid is UNSET:
        raise Rejected("IMC-2101", field="tid")
    kind = _NOTICE_TYPES[part.kind]
    if part.who is not None:
        data.accid2 = pack.accounts[part.who]
    if kind == JOIN:
        data.accid, data.accid2 = data.accid2, data.accid
    if part.info is not None:
        data.tinfo = {"tid": data.tid, **part.info}
    if data.ext is not UNSET:
        pack.notes.changes.append(("degraded", "notice ext"))
        data.ext = UNSET
    return kind


_PACKERS: dict[type, Callable[[_Packer, Any, Any], int]] = {
    Text: _put_text, Media: _put_media, Place: _put_place, Custom: _put_custom, Notice: _put_notice,
}  # fmt: skip


class _Key(Struct, gc=False):
    msgid: int
    createTime: int
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    accid: str | None = None
    tid: int | None = None


class _KeyRecord(Struct, gc=False):
    type: int
    data: _Key


_decode_key = msgspec.json.Decoder(_KeyRecord).decode
_decode_any = msgspec.json.Decoder().decode


def read_key(line: bytes) -> KeyFields:
    """The four key fields of a line that `writer` made."""
    data = _decode_key(line).data
    sender, target = (data.from_, data.to) if data.tid is None else (data.accid, data.tid)
    return KeyFields(data.msgid, sender or "", target or "", data.createTime)


def digest_of(line: bytes) -> bytes:
    """xxh3-64 of the canonical content of a line that `writer` made, 8 bytes."""
    if _decode_key(line).type < CUSTOM:
        return xxh3_64_digest(line)
    return xxh3_64_digest(encode_sorted(_decode_any(line)))


def with_msgid(line: bytes, msgid: int) -> bytes:
    """The line with another message number, both without their newline."""
    record = _decode_any(line)
    record["data"]["msgid"] = msgid
    return encode(record)


_OF_MESSAGES = ("msgid", "from", "to", "accid", "tid", "createTime", "clientType")


def tombstone(line: bytes, source: str, settings: Settings) -> bytes:
    """The line of a recalled message: who, where and when, but of its content only the type (yunxin.md §10)."""
    record = _decode_any(line)
    data = {key: value for key, value in record["data"].items() if key in _OF_MESSAGES}
    content = _wrapped(Custom("recalled", source, {"type": record["type"]}))
    data["attach"] = compact(content) if settings["yunxin.custom_attach"] == "string" else content
    return encode({"type": CUSTOM, "data": data})
