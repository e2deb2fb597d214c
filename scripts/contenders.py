"""Do the job of bench.py with other tools: the standard library, DuckDB, ClickHouse's engine (chdb).

The job, the same for all of them: read every line of the files in the order given; drop what is no
message; write Yunxin import lines as JSON, one a line, p2p.txt and team.txt apart; of the lines with equal
(msgid, sender, receiver or team, createTime) keep the first in input order; msgid, tid, createTime and
clientType are integers whatever the source wrote, ten-digit times become milliseconds, account ids are
lower-cased, an empty `ext` is left out. For Easemob, bodies become types 0-4 and 6, with `attach` as a string
that holds JSON, and the rest becomes type 100, {"v":1,"kind":..,"src":"easemob","raw":body}; `ext` becomes a
string that holds JSON. Both files are fsynced, as imconvert's are.

What they need not do, and imconvert does: keep what they drop and say why, tell duplicates from conflicts,
balance the counts, check ids against the target's rules, look into `attach` and repair it (" amr"), strip the
`json` label in front of a line (DuckDB also drops lines with a byte order mark), write more than the first
body of a message (0.3% of Easemob's), keep a video's thumbnail, hash what they wrote, resume after a crash,
write in input order. All of this is in their favour.

Each is the fastest correct way found so far; what else was tried stands at the head of each section.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import click

YUNXIN_TYPES = (0, 1, 2, 3, 4, 6, 100, *range(101, 111))
UNKNOWN_CLIENT = 32
SECONDS_END = 100_000_000_000  # smaller times are seconds
OTHER_KEYS = ("attach", "accid2", "tinfo")

# --- plain ---------------------------------------------------------------------------------------------

Record = dict[str, Any]


def run_plain(vendor: str, files: Sequence[Path], out: Path, jobs: int) -> None:
    """One process, one loop, a set: what one writes in an afternoon. It ignores `jobs`."""
    read = {"yunxin": plain_yunxin, "easemob": plain_easemob}[vendor]
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    seen: set[tuple[Any, ...]] = set()
    bad = 0
    with ExitStack() as stack:
        p2p, team = (stack.enter_context((out / name).open("w", encoding="utf-8")) for name in ("p2p.txt", "team.txt"))
        for line in plain_lines(files):
            try:
                record = read(json.loads(line.removeprefix("\ufeff")))
            except (ValueError, KeyError, TypeError, AttributeError, IndexError):
                bad += 1
                continue
            data = record["data"]
            key = tuple(data.values())[:4]
            if key not in seen:
                seen.add(key)
                (team if "tid" in data else p2p).write(encode(record) + "\n")
    click.echo(f"{bad} lines dropped", err=True)


def plain_lines(files: Sequence[Path]) -> Iterator[str]:
    for path in files:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
            yield from lines


def plain_yunxin(record: Record) -> Record:
    data, kind = record["data"], int(record["type"])
    if kind not in YUNXIN_TYPES:
        raise ValueError(kind)
    team = "tid" in data
    sender, target = (data["accid"], data["tid"]) if team else (data["from"], data["to"])
    made = plain_data(data["msgid"], data["createTime"], team=team, sender=sender, target=target)
    made["clientType"] = int(data["clientType"])
    if data.get("ext"):
        made["ext"] = data["ext"]
    if kind == 0:
        made["body"] = data["body"]
    for key in OTHER_KEYS:
        if key in data:
            made[key] = data[key].lower() if key == "accid2" else data[key]
    return {"type": kind, "data": made}


def plain_data(msgid: Any, time: Any, *, team: bool, sender: str, target: Any) -> Record:
    """The key fields, first and in one order, so that the first four values are the key."""
    number, when = int(msgid), int(time)
    if when < SECONDS_END:
        when *= 1000
    if team:
        return {"msgid": number, "accid": sender.lower(), "tid": int(target), "createTime": when}
    return {"msgid": number, "from": sender.lower(), "to": target.lower(), "createTime": when}


def plain_easemob(record: Record) -> Record:
    payload, chat = record["payload"], record["chat_type"]
    if chat not in ("chat", "groupchat") or payload.get("ack_message_id") or payload.get("edit_message_id"):
        raise ValueError(chat)
    team, sender, target = chat == "groupchat", payload["from"], payload["to"]
    made = plain_data(record["msg_id"], record["timestamp"], team=team, sender=sender, target=target)
    made["clientType"] = UNKNOWN_CLIENT
    ext = payload.get("ext")
    if ext and ext != "{}":
        made["ext"] = ext if isinstance(ext, str) else compact(ext)
    kind, content = plain_body(payload["bodies"][0])
    return {"type": kind, "data": made | content}


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def plain_body(body: Record) -> tuple[int, Record]:
    word = "combined" if body.get("subType") == "sub_combine" else body.get("type")
    if word == "txt":
        return 0, {"body": body["msg"]}
    if word == "loc":
        place = {"title": body.get("addr", ""), "lng": str(body["lng"]), "lat": str(body["lat"])}
        return 4, {"attach": compact(place)}
    if word in PLAIN_MEDIA:
        return PLAIN_MEDIA[word], {"attach": compact(plain_media(body))}
    kind = {"custom": "custom", "cmd": "command", "combined": "combined"}.get(str(word), "unknown")
    return 100, {"attach": {"v": 1, "kind": kind, "src": "easemob", "raw": body}}


def plain_media(body: Record) -> Record:
    media = {"url": body["url"]}
    name = body.get("filename")
    if name:
        media["name"] = name
        if "." in name:
            media["ext"] = name.rpartition(".")[2]
    if "length" in body:
        media["dur"] = round(body["length"] * 1000)
    if "size" in body and body["type"] in ("img", "video"):
        media |= {"w": body["size"]["width"], "h": body["size"]["height"]}
    kept = (("size", "file_length"), ("secret", "secret"))
    return media | {new: body[old] for new, old in kept if old in body}


PLAIN_MEDIA = {"img": 1, "audio": 2, "voice": 2, "video": 3, "file": 6}

# --- duckdb --------------------------------------------------------------------------------------------
#
# Tried on 200,000 and a million Yunxin messages, as times of the way below: row_number over the whole table
# 1.9, arg_min 1.8, DELETE of the late ones 2, GROUP BY all four keys 1.0-1.2, COPY .. PARTITION_BY 2.4, two
# parses and no table 2.8, lines put together as text without the nulls 1.4-1.8, no insertion order 1.1, both
# COPYs at once 1.0-1.1. For Easemob's bodies: one json_transform of all, or ->> for each word: 1.0.
#
# `place` is numbered while reading. A table's rowid is no substitute: with two threads it is not input order, even
# with preserve_insertion_order, as soon as files are longer than one read buffer (seen in 2.0.0: in a million
# messages the later of two conflicting records was kept about a hundred times).

DUCKDB_YUNXIN = f"""
    SELECT kind, msgid, lower(coalesce(accid, "from")) AS sender, lower("to") AS receiver, tid,
        createTime AS sent, clientType AS client, nullif(ext, '') AS ext, body, attach,
        lower(accid2) AS accid2, tinfo, place
    FROM (SELECT "type" AS kind, unnest(data), row_number() OVER () AS place
        FROM read_json(FILES, format = 'newline_delimited',
        ignore_errors = true, columns = {{"type": 'INTEGER', "data": 'STRUCT(msgid BIGINT, "from" VARCHAR,
            "to" VARCHAR, accid VARCHAR, tid BIGINT, createTime BIGINT, clientType INTEGER, ext VARCHAR,
            body VARCHAR, attach JSON, accid2 VARCHAR, tinfo JSON)'}}))
    WHERE kind IN {YUNXIN_TYPES} AND client IS NOT NULL"""


def duckdb_string(fields: str) -> str:
    """SQL for an object as a string that holds JSON, itself a JSON value."""
    return f"to_json(CAST(to_json({{{fields}}}) AS VARCHAR))"


def duckdb_media(*fields: str) -> str:
    always = "name: m.filename, url: m.url, ext: suffix, size: m.file_length, secret: m.secret"
    return duckdb_string(", ".join((always, *fields)))


BOX = "w: m.size.width, h: m.size.height"
SPAN = "dur: CAST(m.length * 1000 AS BIGINT)"

# One look at a body takes its words; only what is no text is opened as a whole.
DUCKDB_EASEMOB = f"""
    SELECT CASE word WHEN 'txt' THEN 0 WHEN 'img' THEN 1 WHEN 'audio' THEN 2 WHEN 'voice' THEN 2
            WHEN 'video' THEN 3 WHEN 'loc' THEN 4 WHEN 'file' THEN 6 ELSE 100 END AS kind,
        msgid, sender, CASE WHEN team THEN NULL ELSE target END AS receiver,
        CASE WHEN team THEN try_cast(target AS BIGINT) END AS tid, sent, {UNKNOWN_CLIENT} AS client, ext,
        CASE WHEN word = 'txt' THEN words[3] END AS body,
        CASE WHEN word = 'txt' THEN NULL
            WHEN word = 'img' THEN {duckdb_media(BOX)}
            WHEN word IN ('audio', 'voice') THEN {duckdb_media(SPAN)}
            WHEN word = 'video' THEN {duckdb_media(SPAN, BOX)}
            WHEN word = 'file' THEN {duckdb_media()}
            WHEN word = 'loc' THEN {duckdb_string("title: coalesce(m.addr, ''), lng: m.lng, lat: m.lat")}
            ELSE to_json({{v: 1, kind: CASE word WHEN 'custom' THEN 'custom' WHEN 'cmd' THEN 'command'
                WHEN 'combined' THEN 'combined' ELSE 'unknown' END, src: 'easemob', raw: item}})
            END AS attach,
        NULL AS accid2, NULL AS tinfo, place
    FROM (SELECT *, CASE WHEN contains(m.filename, '.') THEN split_part(m.filename, '.', -1) END AS suffix
    FROM (SELECT *, CASE WHEN word <> 'txt' THEN json_transform(item, '{{
            "url": "VARCHAR", "filename": "VARCHAR", "file_length": "BIGINT", "length": "DOUBLE",
            "size": {{"width": "BIGINT", "height": "BIGINT"}}, "secret": "VARCHAR",
            "lat": "VARCHAR", "lng": "VARCHAR", "addr": "VARCHAR"}}') END AS m
    FROM (SELECT *, CASE words[2] WHEN 'sub_combine' THEN 'combined' ELSE coalesce(words[1], '') END AS word
    FROM (SELECT try_cast(msg_id AS BIGINT) AS msgid, lower(payload."from") AS sender,
            lower(payload."to") AS target, chat_type = 'groupchat' AS team, "timestamp" AS sent,
            nullif(nullif(payload.ext ->> '$', '{{}}'), '') AS ext, payload.bodies[1] AS item,
            json_extract_string(item, ['$.type', '$.subType', '$.msg']) AS words,
            row_number() OVER () AS place
        FROM read_json(FILES, format = 'newline_delimited', ignore_errors = true, columns = {{
            msg_id: 'VARCHAR', "timestamp": 'BIGINT', chat_type: 'VARCHAR', payload: 'STRUCT("from" VARCHAR,
            "to" VARCHAR, ext JSON, bodies JSON[], ack_message_id VARCHAR, edit_message_id VARCHAR)'}})
        WHERE chat_type IN ('chat', 'groupchat') AND item IS NOT NULL
            AND payload.ack_message_id IS NULL AND payload.edit_message_id IS NULL))))"""

DUCKDB_STEPS = (
    f"""CREATE TEMP TABLE message AS
        SELECT * REPLACE (CASE WHEN sent < {SECONDS_END} THEN sent * 1000 ELSE sent END AS sent) FROM (SOURCE)
        WHERE msgid > 0 AND sent > 0 AND sender <> '' AND (tid IS NULL) <> (receiver IS NULL)""",
    """CREATE TEMP TABLE late AS SELECT place FROM message
        WHERE msgid IN (SELECT msgid FROM message GROUP BY msgid HAVING count(*) > 1)
        QUALIFY row_number() OVER (PARTITION BY msgid, sender, receiver, tid, sent ORDER BY place) > 1""",
    """COPY (SELECT kind AS "type", {'msgid': msgid, 'from': sender, 'to': receiver, 'createTime': sent,
            'clientType': client, 'ext': ext, 'body': body, 'attach': attach} AS data
        FROM message WHERE tid IS NULL AND place NOT IN (FROM late)) TO 'OUT/p2p.txt' (FORMAT json)""",
    """COPY (SELECT kind AS "type", {'msgid': msgid, 'accid': sender, 'tid': tid, 'createTime': sent,
            'clientType': client, 'ext': ext, 'body': body, 'attach': attach, 'accid2': accid2,
            'tinfo': tinfo} AS data
        FROM message WHERE tid IS NOT NULL AND place NOT IN (FROM late)) TO 'OUT/team.txt' (FORMAT json)""",
)


def run_duckdb(vendor: str, files: Sequence[Path], out: Path, jobs: int) -> None:
    """Lines keep null fields, as that is the fastest."""
    import duckdb

    source = {"yunxin": DUCKDB_YUNXIN, "easemob": DUCKDB_EASEMOB}[vendor]
    with closing(duckdb.connect(config={"threads": jobs, "memory_limit": "8GB"})) as base:
        base.execute(f"SET temp_directory = '{out}/spill'")
        for step in DUCKDB_STEPS:
            base.execute(filled(step.replace("SOURCE", source), FILES=sql_list(files), OUT=str(out)))


def filled(text: str, **words: str) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def sql_list(files: Sequence[Path]) -> str:
    return f"[{', '.join(f'{str(path)!r}' for path in files)}]"


# --- chdb ----------------------------------------------------------------------------------------------
#
# Tried likewise: JSONEachRow 1.4 (and it loses the good line that follows a cut one), ORDER BY .. LIMIT 1 BY
# 1.5, two parses and no table 1.8, a table of finished lines 1.0, types without Nullable 1.0-1.2.

TEXT, WHOLE = "Nullable(String)", "Nullable(Int64)"
CHDB_YUNXIN_SHAPE = (
    f"type Nullable(Int32), data Tuple(msgid {WHOLE}, `from` {TEXT}, `to` {TEXT}, accid {TEXT}, tid {WHOLE}, "
    f"createTime {WHOLE}, clientType {WHOLE}, ext {TEXT}, body {TEXT}, attach {TEXT}, accid2 {TEXT}, "
    f"tinfo {TEXT})"
)
CHDB_YUNXIN = f"""
    SELECT assumeNotNull(r.type) AS kind, assumeNotNull(r.data.msgid) AS msgid,
        r.data.tid IS NOT NULL AS team, lower(ifNull(coalesce(r.data.accid, r.data.`from`), '')) AS sender,
        if(team, toString(r.data.tid), lower(ifNull(r.data.`to`, ''))) AS target,
        assumeNotNull(r.data.createTime) AS sent, assumeNotNull(r.data.clientType) AS client,
        ifNull(r.data.ext, '') AS ext, r.data.body AS body,
        if(kind = 100 AND startsWith(r.data.attach, '{{'), r.data.attach, toJSONString(r.data.attach))
            AS attach, lower(r.data.accid2) AS accid2, r.data.tinfo AS tinfo, file, place
    FROM (SELECT JSONExtract(line, 'Tuple({CHDB_YUNXIN_SHAPE})') AS r, _file AS file, _row_number AS place
        FROM LINES)
    WHERE r.type IN {YUNXIN_TYPES} AND r.data.msgid > 0 AND r.data.createTime > 0 AND r.data.clientType > 0
        AND (r.data.tid IS NULL) <> (r.data.`to` IS NULL)"""

CHDB_EASEMOB_SHAPE = (
    f"msg_id {TEXT}, timestamp {WHOLE}, chat_type String, payload Tuple(`from` {TEXT}, `to` {TEXT}, "
    f"ext {TEXT}, bodies Array(String), ack_message_id String, edit_message_id String)"
)
CHDB_BODY_SHAPE = (
    f"type String, subType String, msg String, url String, filename {TEXT}, file_length {WHOLE}, "
    f"length Nullable(Float64), size Tuple(width {WHOLE}, height {WHOLE}), secret {TEXT}, "
    f"lat {TEXT}, lng {TEXT}, addr String"
)


def chdb_field(name: str, value: str) -> str:
    """SQL for one more field of a JSON object, or for nothing where the value is null."""
    return f"""if(isNull({value}), '', concat(',"{name}":', assumeNotNull(toJSONString({value}))))"""


CHDB_MEDIA = ", ".join(
    (
        """'{"url":', toJSONString(b.url)""",
        chdb_field("name", "b.filename"),
        """if(position(b.filename, '.') > 0, concat(',"ext":',
            toJSONString(splitByChar('.', assumeNotNull(b.filename))[-1])), '')""",
        chdb_field("size", "b.file_length"),
        chdb_field("dur", "toInt64(b.length * 1000)"),
        chdb_field("w", "b.size.width"),
        chdb_field("h", "b.size.height"),
        chdb_field("secret", "b.secret"),
        "'}'",
    )
)
CHDB_EASEMOB = f"""
    SELECT transform(word, ['txt', 'img', 'audio', 'voice', 'video', 'loc', 'file'],
            [0, 1, 2, 2, 3, 4, 6], 100) AS kind,
        msgid, team, sender, target, sent, {UNKNOWN_CLIENT} AS client, ext, if(kind = 0, b.msg, NULL) AS body,
        multiIf(kind = 0, NULL,
            kind = 100, concat('{{"v":1,"kind":"', transform(word, ['custom', 'cmd', 'combined'],
                ['custom', 'command', 'combined'], 'unknown'), '","src":"easemob","raw":', item, '}}'),
            kind = 4, toJSONString(concat('{{"title":', toJSONString(b.addr), ',"lng":', toJSONString(b.lng),
                ',"lat":', toJSONString(b.lat), '}}')),
            toJSONString(concat({CHDB_MEDIA}))) AS attach,
        CAST(NULL, '{TEXT}') AS accid2, CAST(NULL, '{TEXT}') AS tinfo, file, place
    FROM (SELECT *, JSONExtract(item, 'Tuple({CHDB_BODY_SHAPE})') AS b,
        if(b.subType = 'sub_combine', 'combined', b.type) AS word
    FROM (SELECT assumeNotNull(toInt64OrNull(r.msg_id)) AS msgid, r.chat_type = 'groupchat' AS team,
            lower(ifNull(r.payload.`from`, '')) AS sender, lower(ifNull(r.payload.`to`, '')) AS target,
            assumeNotNull(r.timestamp) AS sent, r.payload.bodies[1] AS item, file, place,
            if(r.payload.ext = '{{}}', '', ifNull(r.payload.ext, '')) AS ext
        FROM (SELECT JSONExtract(line, 'Tuple({CHDB_EASEMOB_SHAPE})') AS r, _file AS file,
            _row_number AS place FROM LINES)
        WHERE r.chat_type IN ('chat', 'groupchat') AND r.payload.ack_message_id = '' AND r.timestamp > 0
            AND r.payload.edit_message_id = '' AND item <> '' AND toInt64OrNull(r.msg_id) > 0))"""

CHDB_LINE = """concat('{"type":', toString(kind), ',"data":{"msgid":', toString(msgid),
    if(team, concat(',"accid":', toJSONString(sender), ',"tid":', target),
        concat(',"from":', toJSONString(sender), ',"to":', toJSONString(target))),
    ',"createTime":', toString(sent), ',"clientType":', toString(client),
    if(ext = '', '', concat(',"ext":', toJSONString(ext))),
    if(isNull(body), '', concat(',"body":', assumeNotNull(toJSONString(body)))),
    if(isNull(attach), '', concat(',"attach":', assumeNotNull(attach))),
    if(isNull(accid2), '', concat(',"accid2":', assumeNotNull(toJSONString(accid2)))),
    if(isNull(tinfo), '', concat(',"tinfo":', assumeNotNull(tinfo))), '}}')"""

CHDB_STEPS = (
    f"""CREATE TABLE message ENGINE = Memory AS
        SELECT * REPLACE (if(sent < {SECONDS_END}, sent * 1000, sent) AS sent)
        FROM (SOURCE) WHERE sender <> '' AND target <> ''""",
    """CREATE TABLE late ENGINE = Memory AS SELECT file, place FROM (SELECT file, place, row_number()
            OVER (PARTITION BY msgid, sender, target, team, sent ORDER BY file, place) AS turn FROM message
        WHERE msgid IN (SELECT msgid FROM message GROUP BY msgid HAVING count() > 1)) WHERE turn > 1""",
    f"""INSERT INTO FUNCTION file('OUT/p2p.txt', 'LineAsString', 'line String')
        SELECT {CHDB_LINE} FROM message WHERE NOT team AND (file, place) NOT IN late""",
    f"""INSERT INTO FUNCTION file('OUT/team.txt', 'LineAsString', 'line String')
        SELECT {CHDB_LINE} FROM message WHERE team AND (file, place) NOT IN late""",
)


def run_chdb(vendor: str, files: Sequence[Path], out: Path, jobs: int) -> None:
    """Lines are read as text, as only then a cut line does not take the next one with it."""
    from chdb import session

    names = ",".join(path.name for path in files)
    lines = f"file('{files[0].parent}/{{{names}}}', 'LineAsString', 'line String')"
    source = {"yunxin": CHDB_YUNXIN, "easemob": CHDB_EASEMOB}[vendor]
    open_session: Any = session.Session  # not typed
    with closing(open_session(str(out / "spill"))) as base:
        for step in CHDB_STEPS:
            query = filled(step.replace("SOURCE", source), LINES=lines, OUT=str(out))
            base.query(f"{query} SETTINGS max_threads = {jobs}")


# --- command -------------------------------------------------------------------------------------------

CONTENDERS: dict[str, Callable[[str, Sequence[Path], Path, int], None]] = {
    "plain": run_plain,
    "duckdb": run_duckdb,
    "chdb": run_chdb,
}


def make_durable(out: Path) -> None:
    for path in (*out.glob("*.txt"), out):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


@click.command(help=__doc__.split("\n")[0])
@click.argument("name", type=click.Choice(list(CONTENDERS)))
@click.argument("vendor", type=click.Choice(["yunxin", "easemob"]))
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Threads.")
def main(name: str, vendor: str, folder: Path, *, out: Path, jobs: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    CONTENDERS[name](vendor, sorted(folder.resolve().iterdir()), out.resolve(), jobs)
    make_durable(out)


if __name__ == "__main__":
    main()
