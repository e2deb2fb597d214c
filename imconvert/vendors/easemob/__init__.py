"""Easemob (环信): history files, webhook posts and old JSON dumps as source. Reference: easemob.md."""

from imconvert.vendors.contract import Documents, Setting, Vendor, rest_in
from imconvert.vendors.easemob import messages
from imconvert.vendors.easemob.shape import more_shapes, shape
from imconvert.vendors.easemob.shortcut import shortcut

SETTINGS = (
    Setting("easemob.commands", "custom", ("custom", "skip"),
            "what a transparent command (cmd) becomes: a custom message, or nothing"),
    Setting("easemob.incoming", "keep", ("keep", "skip"),
            "what the receiver's copy of a message (direction incoming) becomes: the message, should it be the only "
            "copy; or nothing"),
)  # fmt: skip

VENDOR = Vendor(
    name="easemob",
    title="Easemob 环信",
    looks_like=messages.looks_like,
    reader=messages.reader,
    documents=Documents(("entities",)),
    settings=SETTINGS,
    shortcut=shortcut,
    shape=shape,
    more_shapes=more_shapes,
    rest=rest_in("imconvert.vendors.easemob.rest"),
)
