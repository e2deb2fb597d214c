"""Write what was guessed as a mapping file with remarks (docs/mapping.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from imconvert.model import CLIENTS
from imconvert.vendors.custom import names
from imconvert.vendors.custom.guess import (
    MOST_KINDS,
    Choice,
    Kind,
    Sample,
    choose,
    clock_of,
    epoch_of,
    key,
    kinds_of,
    quoted,
    sample_of,
    told,
)
from imconvert.vendors.custom.parse import plain
from imconvert.vendors.custom.spec import Path

SURE = 0.75


def proposal(records: list[dict[str, Any]], source: list[str], label: str) -> str:
    """The text of a mapping for records like these; `source` are the lines of its table [input]."""
    sample = sample_of(records)
    chosen = choose(sample)
    kinds = kinds_of(sample, chosen)
    lines = [
        f"# A mapping guessed from the first {len(records)} records of {_safe(label)}.",
        "# Look at every remark, then run: imconvert map test THIS-FILE EXPORT",
        "# docs/mapping.md describes every key.",
        "version = 1",
        'name = "custom"  # TODO: a short name for your system',
        *_ignored(sample, chosen, kinds),
        "",
        "[input]",
        *source,
        *(
            [f"json = [{', '.join(told(path) for path in sample.inner)}]  # these texts hold JSON"]
            if sample.inner
            else []
        ),
        "",
        "[message]",
        *_message(sample, chosen),
        *_chat(sample, chosen),
        *_kinds(chosen, kinds),
        *_status(sample, chosen),
    ]
    return "\n".join(lines) + "\n"


def _list(paths: list[Path]) -> str:
    return ", ".join(map(told, paths))


def _safe(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _remark(choice: Choice, why: str = "") -> str:
    told = why if choice.sure >= SURE else "; ".join(part for part in ("not sure", why) if part)
    return f"  # {told}" if told else ""


def _ignored(sample: Sample, chosen: dict[str, Choice], kinds: list[Kind]) -> Iterator[str]:
    """The paths that nothing takes, to be looked at."""
    taken = [choice.path for role, choice in chosen.items() if role not in ("content", "status")]
    taken += [path for kind in kinds for _, path in kind.fields]
    if "status" in chosen:
        taken.append(chosen["status"].path)
    left = [
        path for path in sample.fields
        if not any(path == other[: len(path)] or other == path[: len(other)] for other in taken)
    ]  # fmt: skip
    tops = [path for path in left if not any(path[:depth] in left for depth in range(1, len(path)))]
    if tops:
        yield f"ignore = [{_list(tops)}]  # TODO: none of these is taken; keep what matters by message.ext"


def _message(sample: Sample, chosen: dict[str, Choice]) -> Iterator[str]:
    identity = chosen.get("id")
    if identity:
        values = sample.fields[identity.path].values
        once = len(set(map(plain, values))) == len(values) == len(sample.records)
        yield f"id = {told(identity.path)}" + _remark(
            identity, "" if once else "not set, or not the same only once, in all records"
        )
    else:
        parts = [chosen[role].path for role in ("group", "receiver", "time", "sender", "content") if role in chosen]
        paths = _list(parts) or quoted("$")
        yield f"id = {{ from = [{paths}] }}  # TODO: no id was found; equal values here are one message"
    yield _time(sample, chosen.get("time"))
    sender = chosen.get("sender")
    yield f"sender = {told(sender.path)}{_remark(sender)}" if sender else 'sender = { const = "" }  # TODO: who sent it'
    for role in ("receiver", "group"):
        if role in chosen:
            yield f"{role} = {_end(sample, chosen[role])}"
    if not {"receiver", "group"} & chosen.keys():
        yield 'receiver = { const = "" }  # TODO: to whom; or group = "..."'
    if "client" in chosen:
        yield _client(sample, chosen["client"])
    if "ext" in chosen:
        yield f"ext = {told(chosen['ext'].path)}{_remark(chosen['ext'])}"


def _time(sample: Sample, choice: Choice | None) -> str:
    if choice is None:
        return 'time = { path = "TODO", unit = "ms" }  # TODO: no time was found'
    values = sample.fields[choice.path].values
    units = Counter(unit for value in values if (unit := epoch_of(value)))
    if units:
        often = units.most_common(1)[0][0]
        mixed = "" if len(units) == 1 else f"TODO: units are mixed: {dict(units)}"
        return f"time = {{ path = {told(choice.path)}, unit = {quoted(often)} }}{_remark(choice, mixed)}"
    clocks = Counter(clock for value in values if (clock := clock_of(value)))
    (written, form), _ = clocks.most_common(1)[0]
    more = f", format = {quoted(form)}" if form else ""
    return (f'time = {{ path = {told(choice.path)}, unit = {quoted(written)}{more}, zone = "+08:00" }}'
            "  # TODO: is +08:00 the zone of these times?")  # fmt: skip


def _end(sample: Sample, choice: Choice) -> str:
    none = sorted({plain(value) for value in sample.fields[choice.path].values} & {"0", "-1", "NULL", "null", "None"})
    if not none:
        return f"{told(choice.path)}{_remark(choice)}"
    return f"{{ path = {told(choice.path)}, unset = [{', '.join(map(quoted, none))}] }}" + _remark(
        choice, "these mean none"
    )


def _client(sample: Sample, choice: Choice) -> str:
    values = sorted(set(map(plain, sample.fields[choice.path].values)))
    known = [value for value in values if value.lower() in CLIENTS]
    rows = ", ".join(f'{key(value)} = "server"' for value in values if value not in known)
    if not rows:
        return f"client = {told(choice.path)}{_remark(choice)}"
    return (f"client = {{ path = {told(choice.path)}, table = {{ {rows} }} }}"
            f"  # TODO: each is one of {', '.join(CLIENTS)}")  # fmt: skip


def _chat(sample: Sample, chosen: dict[str, Choice]) -> Iterator[str]:
    both = {"receiver", "group"} <= chosen.keys()
    if both and not _often_both(sample, chosen):
        return
    yield ""
    yield "[chat]"
    chat = chosen.get("chat")
    if chat is None:
        if both:
            yield 'both = "group"  # TODO: receiver and group are both set in some records'
            return
        always = "team" if "group" in chosen else "p2p"
        yield f'always = "{always}"  # TODO: only {"groups" if always == "team" else "receivers"} were found'
        return
    yield f"path = {told(chat.path)}{_remark(chat)}"
    yield "[chat.table]"
    for value in sorted(set(map(plain, sample.fields[chat.path].values))):
        meant = names.meant(value, names.CHATS)
        number = {"0": "p2p", "1": "p2p", "2": "team"}.get(value, "skip")
        yield f'{key(value)} = "{meant or number}"' + ("" if meant else "  # TODO: p2p, team, chatroom or skip?")


def _often_both(sample: Sample, chosen: dict[str, Choice]) -> bool:
    """Whether receiver and group are set together in records, which then can't be told apart by them."""

    def is_set(record: Any, path: Path) -> bool:
        return plain(sample.at(record, path) or "") not in ("", "0", "-1", "NULL", "null", "None")

    paths = chosen["receiver"].path, chosen["group"].path
    return any(all(is_set(record, path) for path in paths) for record in sample.records)


def _kinds(chosen: dict[str, Choice], kinds: list[Kind]) -> Iterator[str]:
    bodies: dict[tuple[str, tuple[tuple[str, Path], ...]], str] = {}
    for kind in kinds:
        name = kind.body
        if (kind.body, kind.fields) not in bodies:
            same = sum(other[0] == kind.body for other in bodies)
            bodies[kind.body, kind.fields] = f"{name}-{same + 1}" if same else name
    if "kind" in chosen:
        yield from ("", "[kind]", f"path = {told(chosen['kind'].path)}{_remark(chosen['kind'])}")
        yield 'default = "reject"  # other values are rejected, so that they can be looked at and replayed'
        yield "[kind.table]"
        for kind in kinds[:MOST_KINDS]:
            doubt = "" if kind.sure else "TODO: guessed by its content; "
            yield f"{key(kind.value)} = {quoted(bodies[kind.body, kind.fields])}  # {doubt}{kind.count} records"
    for (body, fields), name in bodies.items():
        yield from ("", f"[body.{key(name)}]", f'as = "{body}"')
        for field, path in fields:
            yield _body_field(body, field, path)


def _body_field(body: str, field: str, path: Path) -> str:
    if field == "duration":
        return f'duration = {{ path = {told(path)}, unit = "s" }}  # TODO: s or ms?'
    if field == "content":
        return f"content = {{ path = {told(path)}, json = true }}  # TODO: wrapped as it is; is there a better kind?"
    return f"{field} = {told(path)}"


def _status(sample: Sample, chosen: dict[str, Choice]) -> Iterator[str]:
    choice = chosen.get("status")
    if choice is None:
        return
    values = Counter(map(plain, sample.fields[choice.path].values))
    met = ", ".join(f"{value} ({count})" for value, count in values.most_common())
    yield from (
        "",
        f"# TODO: {_safe(told(choice.path))} was met as {_safe(met)}. Should some be left out, or are they recalls?",
        "# [[skip]]",
        f"# path = {_safe(told(choice.path))}",
        '# is = ["9"]',
        '# reason = "deleted in the app"',
    )
