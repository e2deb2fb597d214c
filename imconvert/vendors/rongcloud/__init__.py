"""RongCloud (融云): hourly logs and posts of its message routing as source. Reference: rongcloud.md."""

from imconvert.vendors.contract import Setting, Survey, Vendor
from imconvert.vendors.rongcloud import lines, messages, records
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
)  # fmt: skip

VENDOR = Vendor(
    name=records.VENDOR,
    title="RongCloud 融云",
    looks_like=records.looks_like,
    reader=messages.reader,
    settings=SETTINGS,
    shortcut=shortcut,
    shape=shape,
    more_shapes=more_shapes,
    peek=lines.peek,
    survey=Survey(messages.look, messages.reader, shortcut),
    redact=lines.redacted,
    own_keys=True,
)
