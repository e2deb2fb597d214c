"""Easemob (环信): history files, webhook posts and old JSON dumps as source, import requests as target. Reference:
easemob.md."""

from imconvert.vendors import requests
from imconvert.vendors.contract import Arrange, Documents, Setting, Target, Vendor, rest_in
from imconvert.vendors.easemob import (
    forms,
    lists,
    mentions,
    messages,
    order,
    people_choices,
    provisioning,
    rules,
    said,
    target,
)
from imconvert.vendors.easemob.shape import more_shapes, shape
from imconvert.vendors.easemob.shortcut import shortcut
from imconvert.vendors.people import source as people
from imconvert.vendors.people.writing import provisions

SETTINGS = (
    Setting("easemob.commands", "custom", ("custom", "skip"),
            "what a transparent command (cmd) becomes: a custom message, or nothing"),
    Setting("easemob.incoming", "keep", ("keep", "skip"),
            "what the receiver's copy of a message (direction incoming) becomes: the message, should it be the only "
            "copy; or nothing"),
    Setting("easemob.fold", "reject", ("reject", "merge"),
            "what to do with user ids that differ only in case, as target"),
    Setting("easemob.escape", "reject", ("reject", "escape"),
            "what to do with characters that a user id can't have: reject the id, or write them as _x40"),
    Setting("easemob.user_bytes", "64", "number", "longest user id in bytes"),
    Setting("easemob.mark", "imconvert", "text",
            "the key in ext for the source id, the client and what has no field; none leaves all of it out"),
    Setting("easemob.size_limit", "5120", "number", "most bytes of body and ext together, as compact JSON"),
    Setting("easemob.size_margin", "120", "number", "bytes of that limit that stay free"),
    Setting("easemob.long_text", "split", ("split", "file", "reject"),
            "a text that is too long: cut into several messages, a file, or a reject"),
    Setting("easemob.long_content", "reject", ("reject", "file"),
            "any other content that is too large: a reject, or a file with its JSON"),
    Setting("easemob.file_limit", "10485760", "number", "bytes of an attachment from which on a notice is given"),
    Setting("easemob.need_download", "omit", ("omit", "true", "false"),
            "whether the vendor fetches attachments from their URLs and keeps them (for 7 days, unless you pay)"),
    Setting("easemob.is_ack_read", "omit", ("omit", "true", "false"),
            "whether conversations count as read; only older documents have the field"),
    Setting("easemob.voices", "audio", ("audio", "file"),
            "a voice in a format that not all clients play: a voice all the same, or a file"),
    Setting("easemob.voice_formats", "amr,mp3", "text", "suffixes of the formats that all clients play"),
    Setting("easemob.notices", "custom", ("custom", "skip"),
            "what a group notice becomes: a custom message, or nothing"),
    Setting("easemob.custom_event", "custom", "text", "customEvent of the app's own custom messages"),
    Setting("easemob.event_length", "32", "number", "longest customEvent in characters"),
    Setting("easemob.custom_exts", "16", "number", "most entries of customExts"),
    Setting("easemob.group_created", "none", "moment",
            "when the groups are created, in ms since 1970: earlier messages are moved behind it, in their order"),
)  # fmt: skip

TARGET = Target(
    name="easemob",
    streams=("p2p", "team"),
    suffix=".ndjson",
    account_rule=rules.account,
    group_rule=rules.group,
    writer=target.writer,
    read_key=requests.read_key,
    digest_of=target.digest_of,
    with_msgid=requests.with_msgid,
    tombstone=target.tombstone,
    put_text=None,
    merge_fold=lambda settings: settings["easemob.fold"] == "merge",
    line_forms=forms.line_forms,
    plain_account=forms.PLAIN,
    arrange=Arrange(order.finisher, order.still, order.blockers),
    account_rules=rules.account_rules,
)

TITLE = "Easemob 环信"

VENDOR = Vendor(
    name="easemob",
    title=TITLE,
    looks_like=messages.looks_like,
    reader=messages.reader,
    documents=Documents(("entities",)),
    settings=SETTINGS,
    shortcut=shortcut,
    shape=shape,
    more_shapes=more_shapes,
    rest=rest_in("imconvert.vendors.easemob.rest"),
    target=TARGET,
    people=people.source(TARGET.name, TITLE, lists.shelf, people_choices.SETTINGS),
    provisions=provisions(TARGET, provisioning.CONTENTS),
    mentions=mentions.MENTIONS,
    said=said.said,
)
