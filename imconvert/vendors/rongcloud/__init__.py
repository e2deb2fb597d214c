"""RongCloud (融云): hourly logs and posts of its message routing as source, its clients' local databases as target.
Reference: rongcloud.md."""

from imconvert.vendors.contract import Arrange, Blocker, Packages, Setting, Survey, Target, Vendor, rest_in
from imconvert.vendors.device import packing
from imconvert.vendors.people import source as people
from imconvert.vendors.people.writing import provisions
from imconvert.vendors.rongcloud import (
    bundle,
    lines,
    lists,
    mentions,
    messages,
    people_choices,
    provisioning,
    records,
    rules,
)
from imconvert.vendors.rongcloud.shape import more_shapes, shape
from imconvert.vendors.rongcloud.shortcut import shortcut

SETTINGS = (
    Setting("rongcloud.zone", "auto", ("auto", "+08:00", "+00:00"),
            "time zone of dateTime: as the log's two times show it, else +08:00; or this one"),
    Setting("rongcloud.hour_names", "check", ("check", "ignore"),
            "whether the hour in a file's name has to fit its messages"),
    Setting("rongcloud.other_groups", "team", ("team", "skip"),
            "what discussion groups and ultra groups become: teams, or nothing"),
    Setting("rongcloud.replies", "custom", ("custom", "text"),
            "what a reply becomes: a custom message, or a text with the quoted message in ext"),
    Setting("rongcloud.tips", "custom", ("custom", "text"),
            "what a grey tip (RC:InfoNtf) becomes: a custom message, or a text"),
    Setting("rongcloud.group_notices", "notice", ("notice", "custom"),
            "what RC:GrpNtf becomes: team notices where it tells enough, or always custom messages"),
    Setting("rongcloud.commands", "custom", ("custom", "skip"),
            "what a command becomes: a custom message, or nothing"),
    Setting("rongcloud.signals", "skip", ("skip", "custom"),
            "what signalling (calls, receipts, typing) becomes: nothing, or a custom message"),
    Setting("rongcloud.batch", "500", "number", "messages in one call of batchInsertMessage, as target"),
    Setting("rongcloud.content", "text", ("text", "object"),
            "how the content of a message is written: as JSON text, as the SDK's own JSON has it, or as an object"),
    Setting("rongcloud.custom_class", "imconvert:raw", "text",
            "the class for other vendors' content, which the app has to register"),
    Setting("rongcloud.notices", "notice", ("notice", "skip"),
            "what happened in a group: RC:GrpNtf where the vendor has an operation for it, else the custom class; or "
            "nothing"),
    Setting("rongcloud.size_limit", "131072", "number", "bytes of a message's content that are refused"),
)  # fmt: skip

TARGET = Target(
    name=records.VENDOR,
    streams=packing.STREAMS,
    suffix=".ndjson",
    account_rule=rules.account,
    group_rule=rules.group,
    writer=bundle.writer,
    read_key=packing.read_key,
    digest_of=bundle.digest_of,
    with_msgid=bundle.with_msgid,
    tombstone=bundle.tombstone,
    put_text=None,
    merge_fold=lambda settings: False,
    arrange=Arrange(
        packing.finisher,
        packing.still,
        lambda settings: tuple(Blocker("IMC-3253", stream) for stream in packing.STREAMS),
    ),
    packages=Packages(
        copies=lambda line: packing.copies_of(line, bundle.SDK.names),
        most=lambda settings: int(settings["rongcloud.batch"]),
    ),
)

TITLE = "RongCloud 融云"

VENDOR = Vendor(
    name=records.VENDOR,
    title=TITLE,
    looks_like=records.looks_like,
    reader=messages.reader,
    settings=SETTINGS,
    target=TARGET,
    people=people.source(TARGET.name, TITLE, lists.shelf, people_choices.SETTINGS),
    provisions=provisions(TARGET, provisioning.CONTENTS),
    mentions=mentions.MENTIONS,
    shortcut=shortcut,
    shape=shape,
    more_shapes=more_shapes,
    peek=lines.peek,
    survey=Survey(messages.look, messages.reader, shortcut),
    redact=lines.redacted,
    own_keys=True,
    rest=rest_in("imconvert.vendors.rongcloud.rest"),
)
