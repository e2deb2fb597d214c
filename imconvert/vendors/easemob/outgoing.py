"""Parts as bodies of Easemob's import calls (easemob.md §4.4).

Strategy: a table from noun to writer; each gives the type, the body, and what has no place in it, which goes into the
app's extension under a key of our own. Content that came from Easemob becomes what it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from imconvert.model import Custom, Media, Notes, Notice, Part, Place, Skip, Text
from imconvert.vendors.contract import Book, LeftOut, Settings
from imconvert.vendors.easemob.exts import KEYS, exts_of
from imconvert.vendors.lenient import compact
from imconvert.vendors.uploads import is_own_file
from imconvert.vendors.values import suffix_of
from imconvert.vendors.wrapping import unwrapped

Body = dict[str, Any]
VENDOR = "easemob"
_EVENT = re.compile(r"[a-zA-Z0-9\-_/.]+")


@dataclass(slots=True)
class Piece:
    """What one part becomes: type, body, what is kept in the extension, and files to upload before.

    `whole` says that the app's own extension is in the file.
    """

    type: str
    body: Body
    kept: Body = field(default_factory=dict)
    upload: list[str] = field(default_factory=list)
    whole: bool = False


class Bodies:
    """Makes pieces of parts, by the settings, and notes what it had to change."""

    def __init__(self, settings: Settings, notes: Notes, accounts: Book) -> None:
        self.notes = notes
        self.accounts = accounts
        self.voices = settings["easemob.voices"]
        self.voice_formats = frozenset(settings["easemob.voice_formats"].lower().split(","))
        self.file_limit = int(settings["easemob.file_limit"])
        self.most_exts = int(settings["easemob.custom_exts"])
        self.event_limit = int(settings["easemob.event_length"])
        self.own_event = settings["easemob.custom_event"]
        self.notices = settings["easemob.notices"]

    def piece(self, part: Part) -> Piece:
        """Raises Rejected (IMC-25xx) or LeftOut."""
        found = _WRITERS[part.__class__](self, part)
        if part.extra:
            self._keep(found, part.extra)
        return found

    def plays(self, suffix: str | None) -> bool:
        """Whether all clients play voices of this format."""
        return suffix is not None and suffix.lower() in self.voice_formats

    def change(self, outcome: str, what: str) -> None:
        self.notes.changes.append((outcome, what))

    def _keep(self, piece: Piece, extra: Body) -> None:
        """Leftovers of the source: those that the body has a field for go there, the others into the extension."""
        known = _FIELDS.get(piece.type, ())
        for key, value in extra.items():
            if key in known and key not in piece.body and isinstance(value, str):
                piece.body[key] = value
            else:
                piece.kept.setdefault("extra", {})[key] = value


_FIELDS = {"img": ("secret",), "audio": ("secret",), "video": ("secret", "thumb", "thumb_secret"), "file": ("secret",)}


def _text(make: Bodies, part: Text) -> Piece:
    return Piece("txt", {"msg": part.text})


def _media(make: Bodies, part: Media) -> Piece:
    kind = TYPES[part.kind]
    if kind == "audio" and not make.plays(part.suffix or suffix_of(part.name) or suffix_of(part.url)):
        make.notes.repairs.append("IMC-3202")
        if make.voices == "file":
            make.change("degraded", "a voice as a file")
            kind = "file"
    if part.size is not None and part.size > make.file_limit:
        make.notes.repairs.append("IMC-3204")
    piece = Piece(kind, {"url": part.url, "filename": _file_name(make, part)})
    if is_own_file(part.url):
        piece.upload.append(part.url)
    _measures(make, part, piece)
    return piece


TYPES = {"image": "img", "audio": "audio", "video": "video", "file": "file"}


def _file_name(make: Bodies, part: Media) -> str:
    """A name with the suffix, for clients show none without a name; made of the URL where the source has none."""
    name = part.name
    if not name:
        tail = part.url.split("?", 1)[0].split("#", 1)[0].rsplit("/", 1)[-1]
        name = part.kind if is_own_file(part.url) or not tail else tail
        make.change("transformed", "filename made up")
    suffix = part.suffix or ""
    if suffix and not name.lower().endswith(f".{suffix.lower()}"):
        make.change("transformed", "suffix added to filename")
        return f"{name}.{suffix}"
    return name


def _measures(make: Bodies, part: Media, piece: Piece) -> None:
    """Sizes and durations: in the body where its type has them, else kept in the extension."""
    kept: Body = {"md5": part.md5 or None, "size": part.size, "dur": part.duration, "w": part.width, "h": part.height}
    if piece.type in ("audio", "video") and part.duration is not None:
        piece.body["length"] = -(-part.duration // 1000)
        make.change("transformed", "dur in ms to length in s")
        if part.duration % 1000 == 0:
            kept["dur"] = None
    if piece.type == "img" and part.width is not None and part.height is not None:
        piece.body["size"] = {"width": part.width, "height": part.height}
        kept["w"] = kept["h"] = None
    if piece.type == "video" and part.size is not None:
        piece.body["file_length"] = part.size
        kept["size"] = None
    piece.kept |= {name: value for name, value in kept.items() if value is not None}


def _place(make: Bodies, part: Place) -> Piece:
    title = part.title
    if not title:
        title = f"{part.latitude},{part.longitude}"
        make.notes.repairs.append("IMC-3205")
    return Piece("loc", {"lat": part.latitude, "lng": part.longitude, "addr": title})


def _custom(make: Bodies, part: Custom) -> Piece:
    part = unwrapped(part)
    if part.vendor == VENDOR and isinstance(part.content, dict):
        own = _RESTORED.get(part.kind)
        found = own(make, part.content) if own else None
        if found:
            return found
    if part.kind == "custom" and part.vendor == "yunxin":
        return _of_the_app(make, part.content)
    make.change("transformed", f"{part.kind[:40]} to custom, its content kept in ext")
    kept = {"src": part.vendor, "raw": compact(part.content)}
    return Piece("custom", {"customEvent": _event(make, part.kind)}, kept)


def _event(make: Bodies, kind: str) -> str:
    return kind if _EVENT.fullmatch(kind) and len(kind) <= make.event_limit else make.own_event


def _of_the_app(make: Bodies, content: Any) -> Piece:
    """The app's own content: its values as strings, or all of it as text where there are too many."""
    piece = Piece("custom", {"customEvent": make.own_event})
    if not isinstance(content, dict) or len(content) > make.most_exts:
        make.change("transformed", "custom content kept in ext as text")
        piece.kept["raw"] = compact(content)
        return piece
    if any(not isinstance(value, str) for value in content.values()):
        make.change("transformed", "values of custom content to strings")
    piece.body["customExts"] = _as_strings(content)
    return piece


def _as_strings(content: Body) -> dict[str, str]:
    return {key: value if isinstance(value, str) else compact(value) for key, value in content.items()}


def _own_custom(make: Bodies, body: Body) -> Piece | None:
    """What was a custom body at Easemob; None where it is none that the import takes."""
    event, exts = body.get("customEvent"), exts_of(body)
    if not isinstance(event, str) or not isinstance(exts, dict | None) or len(exts or ()) > make.most_exts:
        return None
    if not _EVENT.fullmatch(event) or len(event) > make.event_limit:
        return None
    more = {k: v for k, v in body.items() if k not in ("type", "customEvent", *KEYS)}
    piece = Piece("custom", {"customEvent": event})
    if exts is not None:
        piece.body["customExts"] = _as_strings(exts)
        if any(not isinstance(value, str) for value in exts.values()):
            make.change("transformed", "values of custom content to strings")
    if more:
        piece.kept["extra"] = more
    return piece


def _own_command(make: Bodies, body: Body) -> Piece | None:
    if not isinstance(body.get("action"), str):
        return None
    piece = Piece("cmd", {"action": body["action"]})
    more = {key: value for key, value in body.items() if key not in ("type", "action")}
    if more:
        piece.kept["extra"] = more
    return piece


_RESTORED: dict[str, Callable[[Bodies, Body], Piece | None]] = {"custom": _own_custom, "command": _own_command}


def _notice(make: Bodies, part: Notice) -> Piece:
    """What happened in a group, as custom content: the import knows no notices."""
    if make.notices == "skip":
        raise LeftOut(Skip("IMC-8104", {"setting": "easemob.notices=skip"}))
    make.change("transformed", "notice to custom")
    exts = {"notice": part.kind}
    if part.who is not None:
        exts["who"] = make.accounts[part.who]
    if part.info is not None:
        exts["info"] = compact(part.info)
    return Piece("custom", {"customEvent": "notice", "customExts": exts})


_WRITERS: dict[type, Callable[[Bodies, Any], Piece]] = {
    Text: _text, Media: _media, Place: _place, Custom: _custom, Notice: _notice,
}  # fmt: skip

encode = msgspec.json.Encoder().encode
