"""Easemob (环信): history files and old JSON dumps as source. Reference: easemob.md."""

from imconvert.vendors.contract import Documents, Setting, Vendor
from imconvert.vendors.easemob import messages
from imconvert.vendors.easemob.shape import shape
from imconvert.vendors.easemob.shortcut import shortcut

SETTINGS = (
    Setting("easemob.commands", "custom", ("custom", "skip"),
            "what a transparent command (cmd) becomes: a custom message, or nothing"),
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
)
