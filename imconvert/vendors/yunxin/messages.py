"""Read Yunxin's import lines as messages (yunxin.md §1).

Strategy: a typed decoder takes what the vendor's samples show; what it refuses is mended or rejected by
`repair.py`, and both ways end in the same record, so that there is one reading of its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import UNSET

from imconvert.errors import Rejected
from imconvert.model import (
    MAX_DEPTH,
    UNKNOWN_CLIENT,
    Custom,
    Media,
    Message,
    Notes,
    Notice,
    Part,
    Place,
    Skip,
    Text,
    depth_exceeds,
)
from imconvert.vendors import values
from imconvert.vendors.contract import Read, Settings
from imconvert.vendors.lenient import shown
from imconvert.vendors.yunxin import repair
from imconvert.vendors.yunxin.records import (
    CLIENT_NUMBERS,
    INFO,
    INFO_KEYS,
    INFO_NUMBERS,
    JOIN,
    MEDIA,
    NOTICE_KINDS,
    PLACE,
    REFUSED,
    WITH_OTHER,
    Attach,
    Record,
    decode_attach,
    decode_record,
)

_TIP = 10
ReadPart = Callable[[Record, Notes], Part]


def looks_like(value: dict[str, Any]) -> bool:
    """An object with `type` and a `data` object that holds a message id or a time."""
    data = value.get("data")
    return "type" in value and isinstance(data, dict) and ("msgid" in data or "createTime" in data)


Take = Callable[[Record, bytes], Message]


def reader(settings: Settings, notes: Notes, latest: int) -> Read:
    """The function that reads one line. It raises Rejected with codes of the 2xxx family."""
    take = taker(settings, notes, latest)

    def read(raw: bytes) -> Message | Skip:
        try:
            record = decode_record(raw)
        except REFUSED:
            record = repair.mend(raw, notes)
        return take(record, raw)

    return read


def taker(settings: Settings, notes: Notes, latest: int, *, kinds: Mapping[int, ReadPart] | None = None) -> Take:
    """The function that makes a message of a typed record; the second argument is the raw record that it stands in.

    `kinds` are readers for types beyond those of import lines. Raises Rejected.
    """
    parts = _part_readers(settings["yunxin.tip"]) | dict(kinds or {})

    def take(record: Record, raw: bytes) -> Message:
        data: Any = record.data
        kind = record.type
        read_part = parts.get(kind)
        if read_part is None:
            raise _unknown_type(kind, notes)
        chat, sender, target = _ends(data, kind)
        time = data.createTime
        if type(time) is str:
            time = values.whole(time, "createTime", notes, note=None)
        if not values.EARLIEST <= time <= latest:
            time = values.milliseconds(time, latest, notes)
        client = CLIENT_NUMBERS.get(data.clientType)
        if client is None:
            client = _unknown_client(data.clientType, notes)
        if (data.attach.__class__ is dict or data.tinfo is not UNSET) and depth_exceeds(raw):
            raise Rejected("IMC-2004", limit=MAX_DEPTH)
        part = read_part(record, notes)
        _name_leftovers(data, kind, notes)
        return Message(str(data.msgid), data.msgid, time, chat, sender, target, client, (part,), data.ext or None)

    return take


def _unknown_type(kind: int, notes: Notes) -> Rejected:
    if kind != _TIP:
        notes.novel.append(("type", str(kind)))
    return Rejected("IMC-2106", found=kind)


def _unknown_client(found: int | str, notes: Notes) -> int:
    """The number for a client that is none of CLIENTS, or that nobody told."""
    notes.repairs.append("IMC-3013")
    if found != "":
        notes.novel.append(("value", f"data.clientType={found}"))
    return UNKNOWN_CLIENT


def _ends(data: Any, kind: int) -> tuple[Any, str, str]:
    """Chat, sender and target. For notice 101 the sender is the inviter: the one who did it (§1.5)."""
    if data.tid is UNSET:
        if data.to is UNSET:
            raise Rejected("IMC-2101", field="to")
        if data.from_ is UNSET:
            raise Rejected("IMC-2101", field="from")
        return "p2p", data.from_, data.to
    if data.to is not UNSET:
        raise Rejected("IMC-2105")
    sender = data.accid if data.accid is not UNSET else data.from_
    if sender is UNSET:
        raise Rejected("IMC-2101", field="accid")
    if kind == JOIN:
        sender = data.accid2
        if sender is UNSET:
            raise Rejected("IMC-2101", field="accid2")
    return "team", sender, str(data.tid)


def _text(record: Record, notes: Notes) -> Part:
    body: Any = record.data.body
    if body is UNSET:
        raise Rejected("IMC-2101", field="body")
    return Text(body)


def _media(record: Record, notes: Notes) -> Part:
    kind: Any = MEDIA[record.type]
    found, extra = _attach(record.data.attach, notes)
    url = found.url.strip()
    if not url:
        raise Rejected("IMC-2101", field="attach.url")
    suffix = found.ext.strip() if found.ext is not None else None
    if url != found.url or suffix != found.ext:
        notes.repairs.append("IMC-3011")
    return Media(
        kind, url, name=found.name, suffix=suffix, size=found.size, width=found.w, height=found.h,
        duration=found.dur, md5=found.md5, extra=extra,
    )  # fmt: skip


def _attach(attach: Any, notes: Notes) -> tuple[Attach, dict[str, Any] | None]:
    if attach is UNSET:
        raise Rejected("IMC-2101", field="attach")
    if type(attach) is str:
        try:
            return decode_attach(attach), None
        except REFUSED:
            pass
    return repair.media_attach(attach, notes)


def _place(record: Record, notes: Notes) -> Part:
    if record.data.attach is UNSET:
        raise Rejected("IMC-2101", field="attach")
    found = repair.attach_object(record.data.attach, notes)
    for key in ("lng", "lat"):
        if found.get(key) is None:
            raise Rejected("IMC-2101", field=f"attach.{key}")
    extra = {key: value for key, value in found.items() if key not in ("title", "lng", "lat")}
    notes.novel.extend(("key", f"data.attach.{key}") for key in extra)
    return Place(
        values.text(found.get("title", ""), "attach.title"),
        values.decimal(found["lng"], "attach.lng"),
        values.decimal(found["lat"], "attach.lat"),
        extra or None,
    )


def _custom(record: Record, notes: Notes) -> Part:
    """Custom content is the app's own: an object stays as it is, a string is opened where it holds an object."""
    attach = record.data.attach
    if attach is UNSET:
        raise Rejected("IMC-2101", field="attach")
    if isinstance(attach, str):
        if depth_exceeds(attach.encode(), MAX_DEPTH - 2):
            raise Rejected("IMC-2004", limit=MAX_DEPTH)
        attach = repair.attach_object(attach, notes)
    return Custom("custom", "yunxin", attach)


def _notice(record: Record, notes: Notes) -> Part:
    data: Any = record.data
    kind = record.type
    if data.tid is UNSET:
        raise Rejected("IMC-2101", field="tid")
    if kind in WITH_OTHER and data.accid2 is UNSET:
        raise Rejected("IMC-2101", field="accid2")
    who = data.accid if kind == JOIN else data.accid2 if kind in WITH_OTHER else None
    info = _info(data, notes) if kind == INFO else None
    return Notice(NOTICE_KINDS[kind], who, info)


_TAKEN = (
    ("body", lambda kind: kind in (0, _TIP)),
    ("attach", lambda kind: kind not in (0, *NOTICE_KINDS)),
    ("accid2", lambda kind: kind in WITH_OTHER),
    ("tinfo", lambda kind: kind == INFO),
)
"""Which kinds take which field; in others its content has no place on the line."""


def _name_leftovers(data: Any, kind: int, notes: Notes) -> None:
    """Say what the record holds beyond what its kind takes; nothing is thinned out unseen."""
    for name, takes in _TAKEN:
        if getattr(data, name) not in (UNSET, "") and not takes(kind):
            notes.changes.append(("degraded", f"{name} in a record of type {kind}"))
    spare = data.accid if data.tid is UNSET else data.from_ if data.accid is not UNSET else UNSET
    if spare is not UNSET:
        notes.changes.append(("degraded", "a second sender"))


def _info(data: Any, notes: Notes) -> dict[str, Any]:
    if data.tinfo is UNSET:
        raise Rejected("IMC-2101", field="tinfo")
    info = dict(data.tinfo)
    if info.get("tid") is None:
        notes.repairs.append("IMC-3012")
    elif values.whole(info["tid"], "tinfo.tid", notes) != data.tid:
        raise Rejected("IMC-2108", found=shown(info["tid"]), tid=data.tid)
    info.pop("tid", None)
    notes.novel.extend(("key", f"data.tinfo.{key}") for key in info if key not in INFO_KEYS)
    for key in INFO_NUMBERS:
        if key in info:
            info[key] = values.whole(info[key], f"tinfo.{key}", notes, note=None)
    return info


def _tip_as_custom(record: Record, notes: Notes) -> Part:
    data = record.data
    if isinstance(data.attach, dict):
        repair.check_depth(data.attach)
    notes.changes.append(("transformed", "tip to custom"))
    content = {key: value for key in ("body", "attach") if (value := getattr(data, key)) is not UNSET}
    return Custom("tip", "yunxin", content)


def _tip_as_text(record: Record, notes: Notes) -> Part:
    notes.changes.append(("transformed", "tip to text"))
    if record.data.attach is not UNSET:
        notes.changes.append(("degraded", "tip attach"))
    return _text(record, notes)


_TIPS: dict[str, ReadPart] = {"custom": _tip_as_custom, "text": _tip_as_text}


def _part_readers(tip: str) -> dict[int, ReadPart]:
    readers: dict[int, ReadPart] = {0: _text, PLACE: _place, 100: _custom}
    readers |= dict.fromkeys(MEDIA, _media)
    readers |= dict.fromkeys(NOTICE_KINDS, _notice)
    if tip in _TIPS:
        readers[_TIP] = _TIPS[tip]
    return readers
