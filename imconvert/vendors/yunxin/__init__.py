"""NetEase Yunxin (网易云信): import lines as source and as target; message copies and answers of history queries as
source. Reference: yunxin.md."""

from imconvert.vendors.contract import Feed, Setting, Target, Vendor, rest_in
from imconvert.vendors.people import source as people
from imconvert.vendors.people.writing import provisions
from imconvert.vendors.yunxin import (
    formats,
    forms,
    import_lines,
    lists,
    mentions,
    people_choices,
    provisioning,
    rules,
    said,
)
from imconvert.vendors.yunxin.shape import more_shapes, shape
from imconvert.vendors.yunxin.shortcut import shortcut

SETTINGS = (
    Setting("yunxin.custom_attach", "object", ("object", "string"),
            "how the content of a custom message (type 100) is written"),
    Setting("yunxin.tip", "custom", ("custom", "text", "reject"),
            "what a tip (type 10) becomes: a custom message, a text, or a reject"),
    Setting("yunxin.fold", "reject", ("reject", "merge"),
            "what to do with account ids that differ only in case"),
    Setting("yunxin.attach_limit", "5000", "number",
            "longest attach in characters; longer ones are rejected"),
    Setting("yunxin.conversation", "none", "text",
            "whose messages answers of history queries (v1) hold that don't say so: ACCID,ACCID or TID"),
    Setting("yunxin.calls", "custom", ("custom", "skip"),
            "what a call in message copies becomes: a custom message, or nothing"),
    Setting("yunxin.super_team", "team", ("team", "skip"),
            "what a super team's message in message copies becomes: a team's message, or nothing"),
    Setting("yunxin.team_name", "custom", ("custom", "keep"),
            "a team's new name in a notification: custom message if nothing else changed; or kept as key 3 of tinfo"),
    Setting("yunxin.mute_flag", "mute", "text",
            "the key that says in a notification of the mute list whether somebody was muted (1) or unmuted (0)"),
)  # fmt: skip

FEED = Feed(
    begin=b'{"code":200,"data":[',
    between=b",",
    end=b"]}",
    media_type="application/json; charset=utf-8",
    trouble=lambda code: b'{"code":%d,"data":[]}' % code,
)
"""The increment feed: Yunxin GETs it and takes each element as an import record (yunxin.md §2)."""

TARGET = Target(
    name="yunxin",
    streams=("p2p", "team"),
    suffix=".txt",
    account_rule=rules.account,
    group_rule=rules.group,
    writer=import_lines.writer,
    read_key=import_lines.read_key,
    digest_of=import_lines.digest_of,
    with_msgid=import_lines.with_msgid,
    tombstone=import_lines.tombstone,
    put_text=import_lines.put_text,
    merge_fold=lambda settings: settings["yunxin.fold"] == "merge",
    line_forms=forms.line_forms,
    plain_account=rules.PLAIN_ACCOUNT,
    feed=FEED,
)

TITLE = "NetEase Yunxin 网易云信"

VENDOR = Vendor(
    name="yunxin",
    title=TITLE,
    looks_like=formats.looks_like,
    reader=formats.reader,
    documents=formats.DOCUMENTS,
    settings=SETTINGS,
    shortcut=shortcut,
    shape=shape,
    more_shapes=more_shapes,
    target=TARGET,
    people=people.source(TARGET.name, TITLE, lists.shelf, people_choices.SETTINGS),
    provisions=provisions(TARGET, provisioning.CONTENTS),
    mentions=mentions.mentions,
    said=said.said,
    rest=rest_in("imconvert.vendors.yunxin.rest"),
)
