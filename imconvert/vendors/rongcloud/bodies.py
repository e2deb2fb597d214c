"""RongCloud's message classes as parts (rongcloud.md §3).

Strategy: a table from class to reader; each takes the keys it knows and leaves the others in `extra`. Classes that no
noun of the model fits become custom parts that hold the content whole, and so do those that nobody knows.
Promise: what is left out of a content, such as the small pictures inside of it, is named as degraded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec

from imconvert.errors import Rejected
from imconvert.model import Custom, Media, Notes, Part, Place, Skip, Text, depth_exceeds
from imconvert.vendors import lenient, values
from imconvert.vendors.contract import Settings
from imconvert.vendors.lenient import shown
from imconvert.vendors.rongcloud import notices, voices
from imconvert.vendors.rongcloud.records import CONTENT_DEPTH, VENDOR, Fields, Record

MediaKind = Literal["image", "audio", "video", "file"]

COMMON = ("user", "extra", "mentionedInfo")
"""Keys that any content may have; `extra` is the app's own text."""

LOCAL = "localPath"
"""A path on the sender's device, which says nothing to anybody else."""

_DOCUMENTED = {
    "RC:TxtMsg": "content",
    "RC:ImgMsg": "content imageUri name localPath",
    "RC:GIFMsg": "gifDataSize remoteUrl width height name localPath",
    "RC:VcMsg": "content duration",
    "RC:HQVCMsg": "remoteUrl duration name localPath",
    "RC:FileMsg": "name size type fileUrl localPath",
    "RC:SightMsg": "sightUrl content duration size name localPath",
    "RC:LBSMsg": "content latitude longitude poi type",
    "RC:ImgTextMsg": "title content imageUri url",
    "RC:ReferenceMsg": "content referMsgUserId referMsg objName referMsgUid",
    "RC:CombineMsg": "remoteUrl conversationType nameList summaryList name localPath",
    "RC:StreamMsg": "content seq complete completeReason type messageUID",
    "RC:IWNormalMsg": "msgType msgFields",
    "RC:IWStorageMsg": "msgType msgFields",
    "RC:IWCmdMsg": "msgType msgFields",
    "RC:IWStatusMsg": "msgType msgFields",
    "RC:RcNtf": "operatorId recallTime originalObjectName originalMessageContent recallContent recallActionTime admin "
    "delete",
    "RC:RcCmd": "messageUId sentTime conversationType targetId isAdmin isDelete",
    "RC:GrpNtf": "operatorUserId operation data message",
    "RC:InfoNtf": "message",
    "RC:ContactNtf": "operation sourceUserId targetUserId message",
    "RC:ProfileNtf": "operation data",
    "RC:CmdNtf": "name data",
    "RC:CmdMsg": "name data",
    "RC:ReadNtf": "lastMessageSendTime messageUId type",
    "RC:DizNtf": "type extension operation",
}
KEYS = {kind: frozenset(words.split()) | frozenset(COMMON) for kind, words in _DOCUMENTED.items()}
"""The keys that the documents know of each class's content."""

OPEN_KINDS = frozenset({
    "RC:CombineV2Msg", "RC:PSImgTxtMsg", "RC:PSMultiImgTxtMsg", "RC:RRReqMsg", "RC:RRRspMsg", "RC:SRSMsg", "RC:TypSts",
    "RC:MsgExMsg", "RC:chrmKVNotiMsg",
})  # fmt: skip
"""Built-in classes whose content the documents don't tell."""

BUILT_IN = "RC:"
CALLS = "RC:VC"
"""How the classes of calls begin; `RC:VcMsg`, the voice, is none of them."""

_THUMBNAILED = frozenset({"RC:ImgMsg", "RC:SightMsg", "RC:LBSMsg", "RC:VcMsg"})
"""Classes whose `content` is base64: a small picture, or the voice."""


class Content(NamedTuple):
    """What a message says: its parts, the app's extension, and who did it where that is not the sender."""

    parts: tuple[Part, ...]
    ext: str | None = None
    actor: str | None = None


class Body(NamedTuple):
    """A content being read: its class, its fields, what the record says beyond it, and the choices made."""

    kind: str
    fields: Fields
    record: Record
    settings: Settings
    notes: Notes

    def url(self, key: str) -> str:
        """A URL without blanks around. Raises Rejected."""
        found = values.text(self.fields.get(key), key).strip()
        if not found:
            raise Rejected("IMC-2101", field=key)
        return found

    def word(self, key: str) -> str | None:
        """A text, or None where it is missing or empty."""
        value = self.fields.get(key)
        return values.text(value, key) if value not in (None, "") else None

    def number(self, key: str) -> int | None:
        """A whole number; text that is one is documented, fractions are rounded (§3)."""
        value = self.fields.get(key)
        if value in (None, ""):
            return None
        if type(value) is float and not value.is_integer():
            self.notes.changes.append(("degraded", f"{key} rounded"))
            return round(value)
        return values.whole(value, key, self.notes, note=None)

    def duration(self) -> int | None:
        """Seconds to milliseconds (§7.6)."""
        value = self.fields.get("duration")
        if value in (None, ""):
            return None
        self.notes.changes.append(("transformed", "duration in s to dur in ms"))
        if type(value) is float:
            return round(value * 1000)
        return values.whole(value, "duration", self.notes, note=None) * 1000

    def rest(self, *taken: str) -> Fields | None:
        """What is left of content and record when these keys and the extension are taken."""
        rest = {
            key: value for key, value in self.fields.items() if key not in (*taken, "extra") and value not in (None, "")
        }
        if rest.pop(LOCAL, None) is not None:
            self.notes.changes.append(("degraded", f"{LOCAL} left out"))
        return self.with_record(rest) or None

    def with_record(self, rest: Fields) -> Fields:
        """These leftovers and the record's."""
        return {**rest, "record": self.record.rest} if self.record.rest else rest

    def without_thumbnail(self) -> None:
        """Say that the small picture in `content` is left out (§3)."""
        if self.fields.get("content"):
            self.notes.changes.append(("degraded", "thumbnail left out"))


def read_content(record: Record, settings: Settings, notes: Notes) -> Content | Skip:
    """The content of a record. Raises Rejected where a field that the class needs is missing or of another kind."""
    kind, fields = record.kind, record.content
    read = READERS.get(kind) or (_signal if kind.startswith(CALLS) else None)
    if read is None and not kind.startswith(BUILT_IN):
        return _whole("custom")(Body(kind, fields, record, settings, notes))
    if read is None:
        notes.novel.append(("type", kind))
        return _whole("unknown")(Body(kind, fields, record, settings, notes))
    if not isinstance(fields, dict):
        raise Rejected("IMC-2102", field="content", found=shown(fields), expected="an object")
    known = KEYS.get(kind)
    if known is not None:
        notes.novel.extend(("key", f"content.{kind}.{key}") for key in fields if key not in known)
    return read(Body(kind, fields, record, settings, notes))


def _ext(body: Body) -> str | None:
    """The app's `extra`: text as it is; anything else as JSON text."""
    extra = body.fields.get("extra")
    if extra in (None, ""):
        return None
    if isinstance(extra, str):
        return extra
    body.notes.repairs.append("IMC-3017")
    return lenient.compact(extra)


def _one(body: Body, part: Part) -> Content:
    return Content((part,), _ext(body))


def _text(body: Body) -> Content:
    return _one(body, Text(values.text(body.fields.get("content"), "content.content"), body.rest("content")))


def _kept_in_attach(body: Body, *taken: str) -> Fields | None:
    rest = body.rest(*taken)
    if rest:
        body.notes.changes.extend(("transformed", f"{key[:40]} kept in attach") for key in sorted(rest))
    return rest


def _image(body: Body) -> Content:
    body.without_thumbnail()
    extra = _kept_in_attach(body, "content", "imageUri", "name")
    return _one(body, Media("image", body.url("imageUri"), name=body.word("name"), extra=extra))


def _gif(body: Body) -> Content:
    url, name = body.url("remoteUrl"), body.word("name")
    return _one(body, Media(
        "image", url, name=name, suffix=values.suffix_of(name) or values.suffix_of(url) or "gif",
        size=body.number("gifDataSize"), width=body.number("width"), height=body.number("height"),
        extra=_kept_in_attach(body, "remoteUrl", "name", "gifDataSize", "width", "height"),
    ))  # fmt: skip


def _voice(body: Body) -> Content:
    """A voice whose sound is inside of the record: it leaves as a file of its own (§3)."""
    sound = voices.decoded(body.fields.get("content"))
    suffix = voices.suffix_of(sound)
    if suffix is None:
        body.notes.repairs.append("IMC-3112")
    body.notes.changes.append(("transformed", "sound inside of the record to a file"))
    return _one(body, Media(
        "audio", "", suffix=suffix or voices.USUAL, size=len(sound), duration=body.duration(),
        md5=voices.md5_of(sound), extra=_kept_in_attach(body, "content", "duration"), data=sound,
    ))  # fmt: skip


def _sound(body: Body) -> Content:
    url, name = body.url("remoteUrl"), body.word("name")
    return _one(body, Media(
        "audio", url, name=name, suffix=values.suffix_of(name) or values.suffix_of(url) or "aac",
        duration=body.duration(), extra=_kept_in_attach(body, "remoteUrl", "name", "duration"),
    ))  # fmt: skip


def _video(body: Body) -> Content:
    body.without_thumbnail()
    return _one(body, Media(
        "video", body.url("sightUrl"), name=body.word("name"), size=body.number("size"), duration=body.duration(),
        extra=_kept_in_attach(body, "content", "sightUrl", "name", "size", "duration"),
    ))  # fmt: skip


def _file(body: Body) -> Content:
    """A file; its `type` is the extension where it looks like one."""
    name, kind = body.word("name"), body.fields.get("type")
    suffix = values.suffix_of(f"x.{kind.strip('. ')}") if isinstance(kind, str) else None
    taken = ("fileUrl", "name", "size", "type") if suffix else ("fileUrl", "name", "size")
    return _one(body, Media(
        "file", body.url("fileUrl"), name=name, suffix=suffix, size=body.number("size"),
        extra=_kept_in_attach(body, *taken),
    ))  # fmt: skip


def _place(body: Body) -> Content:
    for key in ("latitude", "longitude"):
        if body.fields.get(key) is None:
            raise Rejected("IMC-2101", field=key)
    body.without_thumbnail()
    return _one(body, Place(
        body.word("poi") or "",
        values.decimal(body.fields["longitude"], "longitude"),
        values.decimal(body.fields["latitude"], "latitude"),
        _kept_in_attach(body, "content", "latitude", "longitude", "poi"),
    ))  # fmt: skip


def _reply(body: Body) -> Content:
    """A reply: whole, or its text with what it refers to beside it; pictures and sounds of the quoted stay out."""
    fields = {key: value for key, value in body.fields.items() if key != LOCAL}
    if "referMsg" in fields:
        fields["referMsg"] = _quoted(fields["referMsg"], fields.get("objName"), body.notes)
    body = body._replace(fields=fields)
    if body.settings["rongcloud.replies"] == "custom":
        return _whole("reply")(body)
    body.notes.changes.append(("transformed", "reply to text"))
    return _text(body)


def _quoted(quoted: Any, kind: Any, notes: Notes) -> Any:
    """The quoted content, opened where it is text, without base64."""
    if isinstance(quoted, str):
        try:
            found = lenient.parse_text(quoted, Notes())
        except Rejected:
            return quoted
        quoted = found if isinstance(found, dict) else quoted
    if isinstance(quoted, dict) and isinstance(kind, str) and kind in _THUMBNAILED and quoted.get("content"):
        notes.changes.append(("degraded", "base64 of the quoted message left out"))
        return {key: value for key, value in quoted.items() if key != "content"}
    return quoted


def _tip(body: Body) -> Content:
    if body.settings["rongcloud.tips"] == "custom":
        return _whole("tip")(body)
    body.notes.changes.append(("transformed", "tip to text"))
    return _one(body, Text(values.text(body.fields.get("message"), "content.message"), body.rest("message")))


def _whole(word: str) -> Callable[[Body], Content]:
    """The content as it is, with its class, as custom content of the kind `word`."""

    def read(body: Body) -> Content:
        content = body.fields
        if depth_exceeds(msgspec.json.encode(content), CONTENT_DEPTH):
            raise Rejected("IMC-2004", limit=CONTENT_DEPTH)
        body.notes.changes.append(("transformed", f"{word} to a wrapped custom message"))
        raw = {"objectName": body.kind, "content": content}
        return Content((Custom(word, VENDOR, body.with_record(raw)),))

    return read


def _command(body: Body) -> Content | Skip:
    if body.settings["rongcloud.commands"] == "skip":
        return Skip("IMC-8104", {"setting": "rongcloud.commands=skip"})
    return _whole("command")(body)


def _signal(body: Body) -> Content | Skip:
    if body.settings["rongcloud.signals"] == "skip":
        return Skip("IMC-8120", {"kind": body.kind})
    return _whole("signal")(body)


def _recalled(body: Body) -> Skip:
    """What a message became when it was recalled; it says nothing of another id, so the record's own is its."""
    return Skip("IMC-8102", {"event": "recall", "of": body.word("messageUId") or body.record.uid})


def _recall(body: Body) -> Skip:
    return Skip("IMC-8102", {"event": "recall", "of": _about(body)})


def _read_mark(body: Body) -> Skip:
    return Skip("IMC-8102", {"event": "read_ack", "of": body.word("messageUId") or "unknown"})


def _about(body: Body) -> str:
    found = body.word("messageUId")
    if found is None:
        raise Rejected("IMC-2101", field="messageUId")
    return found


def _group_notice(body: Body) -> Content:
    """What happened in a group as notices of the target, one for each person; else as custom content (§3)."""
    group = body.record.conversation in ("GROUP", "PERSONS", "ULTRAGROUP")
    if group and body.settings["rongcloud.group_notices"] == "notice":
        found = notices.read_notices(body.fields, body.notes)
        if found is not None:
            left = body.rest("operatorUserId", "operation", "data", "message")
            if left or body.fields.get("extra"):
                body.notes.changes.append(("degraded", "leftovers of a group notice left out"))
            return Content(found, None, body.word("operatorUserId"))
    return _whole("notice")(body)


Reader = Callable[[Body], Content | Skip]

READERS: dict[str, Reader] = {
    "RC:TxtMsg": _text,
    "RC:ImgMsg": _image,
    "RC:GIFMsg": _gif,
    "RC:VcMsg": _voice,
    "RC:HQVCMsg": _sound,
    "RC:FileMsg": _file,
    "RC:SightMsg": _video,
    "RC:LBSMsg": _place,
    "RC:ReferenceMsg": _reply,
    "RC:GrpNtf": _group_notice,
    "RC:InfoNtf": _tip,
    "RC:RcNtf": _recalled,
    "RC:RcCmd": _recall,
    "RC:ReadNtf": _read_mark,
}
READERS |= dict.fromkeys(("RC:ImgTextMsg", "RC:PSImgTxtMsg", "RC:PSMultiImgTxtMsg"), _whole("card"))
READERS |= dict.fromkeys(("RC:CombineMsg", "RC:CombineV2Msg"), _whole("combined"))
READERS |= dict.fromkeys(("RC:IWNormalMsg", "RC:IWStorageMsg"), _whole("custom"))
READERS |= dict.fromkeys(("RC:CmdNtf", "RC:CmdMsg", "RC:IWCmdMsg"), _command)
READERS |= dict.fromkeys(
    ("RC:RRReqMsg", "RC:RRRspMsg", "RC:SRSMsg", "RC:TypSts", "RC:MsgExMsg", "RC:chrmKVNotiMsg", "RC:IWStatusMsg"),
    _signal,
)
READERS |= {
    "RC:StreamMsg": _whole("stream"),
    "RC:ContactNtf": _whole("contact"),
    "RC:ProfileNtf": _whole("profile"),
    "RC:DizNtf": _whole("notice"),
}
