"""Bring a line that the typed decoder refused into the typed record, noting each repair (yunxin.md §9)."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from imconvert.errors import Rejected
from imconvert.model import MAX_DEPTH, MAX_ID, Notes, depth_exceeds
from imconvert.vendors import lenient, values
from imconvert.vendors.lenient import shown
from imconvert.vendors.yunxin.records import Attach, Data, Record, encode

_KNOWN = frozenset({"msgid", "createTime", "clientType", "from", "to", "accid", "tid", "body", "attach", "ext",
                    "accid2", "tinfo"})  # fmt: skip
_TEXTS = ("from", "to", "accid", "accid2", "body")
_MEASURES = ("dur", "w", "h", "size")
_WORDS = ("name", "md5", "url", "ext")


def mend(raw: bytes, notes: Notes) -> Record:
    """The record in `raw`, with everything forgiven that §9 forgives. Raises Rejected."""
    outer = lenient.parse(raw, notes, label=b"json")
    data = outer.get("data")
    if not isinstance(data, dict):
        raise Rejected("IMC-2101" if data is None else "IMC-2301", field="data", vendor="yunxin")
    _name_unknown({key for key in outer if key not in ("type", "data")}, "", notes)
    _name_unknown({key for key in data if key not in _KNOWN}, "data.", notes)
    if outer.get("type") is None:
        raise Rejected("IMC-2101", field="type")
    return Record(type=values.whole(outer["type"], "type", notes), data=_data(data, notes))


def _name_unknown(keys: set[str], path: str, notes: Notes) -> None:
    for key in sorted(keys):
        notes.novel.append(("key", path + key))
        notes.repairs.append("IMC-3018")
        notes.changes.append(("degraded", f"unknown key {key[:40]}"))


def _data(data: dict[str, Any], notes: Notes) -> Data:
    fields = {key: value for key, value in data.items() if key in _KNOWN and value is not None}
    texts = {key: values.text(fields[key], key) for key in _TEXTS if key in fields}
    tid = values.whole(fields["tid"], "tid", notes) if "tid" in fields else UNSET
    if tid is not UNSET and not 1 <= tid <= MAX_ID:
        raise Rejected("IMC-2102", field="tid", found=shown(tid), expected="a number from 1 to 2^63-1")
    return Data(
        msgid=_msgid(fields.get("msgid"), notes),
        createTime=_time(fields.get("createTime"), notes),
        clientType=_client(fields.get("clientType")),
        from_=texts.get("from", UNSET),
        to=texts.get("to", UNSET),
        accid=texts.get("accid", UNSET),
        tid=tid,
        body=texts.get("body", UNSET),
        attach=_attach(fields.get("attach")),
        ext=_ext(fields.get("ext"), notes),
        accid2=texts.get("accid2", UNSET),
        tinfo=_tinfo(fields.get("tinfo"), notes),
    )


def _msgid(value: Any, notes: Notes) -> int:
    if value is None:
        raise Rejected("IMC-2101", field="msgid")
    try:
        number = values.whole(value, "msgid", notes)
    except Rejected:
        raise Rejected("IMC-2103", found=shown(value)) from None
    if not 1 <= number <= MAX_ID:
        raise Rejected("IMC-2103", found=shown(value))
    return number


def _time(value: Any, notes: Notes) -> int:
    if value is None:
        raise Rejected("IMC-2101", field="createTime")
    return values.whole(value, "createTime", notes, note=None)


def _client(value: Any) -> int | str:
    return value if isinstance(value, str) or type(value) is int else ""


def _attach(value: Any) -> Any:
    if value is None:
        return UNSET
    if isinstance(value, str | dict):
        return value
    raise Rejected("IMC-2107", found=shown(value))


def _ext(value: Any, notes: Notes) -> Any:
    if value is None or isinstance(value, str):
        return UNSET if value is None else value
    notes.repairs.append("IMC-3017")
    return lenient.compact(value)


def _tinfo(value: Any, notes: Notes) -> Any:
    if value is None:
        return UNSET
    if isinstance(value, str):
        notes.repairs.append("IMC-3010")
        value = lenient.parse_text(value, notes)
    if not isinstance(value, dict):
        raise Rejected("IMC-2102", field="tinfo", found=shown(value), expected="an object")
    return value


def attach_object(attach: Any, notes: Notes) -> dict[str, Any]:
    """The object that an attach is or describes, through up to two layers of encoding. Raises Rejected."""
    value = attach
    for layer in range(3):
        if isinstance(value, dict):
            if layer != 1:
                notes.repairs.append("IMC-3010")
            return value
        if not isinstance(value, str):
            break
        value = _opened(value, attach, notes)
    raise Rejected("IMC-2107", found=shown(attach))


def check_depth(content: Any) -> None:
    """Raise Rejected (IMC-2004) where content is too deep to be wrapped into a custom message."""
    if depth_exceeds(encode(content), MAX_DEPTH - 4):
        raise Rejected("IMC-2004", limit=MAX_DEPTH)


def _opened(text: str, attach: Any, notes: Notes) -> Any:
    try:
        return lenient.parse_text(text, notes)
    except Rejected as why:
        if why.code == "IMC-2004":
            raise
        raise Rejected("IMC-2107", found=shown(attach)) from why


def media_attach(attach: Any, notes: Notes) -> tuple[Attach, dict[str, Any] | None]:
    """The typed description of a file and the keys it has beyond that. Raises Rejected (IMC-2102, IMC-2107)."""
    found = attach_object(attach, notes)
    fields: dict[str, Any] = {}
    for key in _MEASURES:
        if found.get(key) is not None:
            fields[key] = values.whole(found[key], f"attach.{key}", notes)
    for key in _WORDS:
        if found.get(key) is not None:
            fields[key] = values.text(found[key], f"attach.{key}")
    extra = {key: value for key, value in found.items() if key not in _MEASURES and key not in _WORDS}
    notes.novel.extend(("key", f"data.attach.{key}") for key in extra)
    return Attach(**fields), extra or None
