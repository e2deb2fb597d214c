"""Tencent Cloud IM (腾讯云即时通信 IM): history files and recorded callbacks as source. Reference: tencent.md."""

from imconvert.vendors.contract import Documents, Setting, Vendor
from imconvert.vendors.tencent import messages
from imconvert.vendors.tencent.shape import shape

SETTINGS = (
    Setting("tencent.order", "counter", ("counter", "imported", "none"),
            "milliseconds that keep the order inside of a second: MsgSeq modulo 1000; or its millionth part, as "
            "imported messages have it; or none"),
    Setting("tencent.recalled", "drop", ("drop", "mark", "keep"),
            "what a recalled message becomes: nothing, a message with a mark in its extension, or a message"),
    Setting("tencent.topics", "group", ("group", "topic"),
            "where a topic's message goes: into the topic's group, or into a group of its own (which needs a map)"),
)  # fmt: skip

VENDOR = Vendor(
    name="tencent",
    title="Tencent Cloud IM 腾讯云",
    looks_like=messages.looks_like,
    reader=messages.reader,
    documents=Documents(("MsgList", "RspMsgList"), by_line=True, reader=messages.document_reader),
    settings=SETTINGS,
    shape=shape,
    own_keys=True,
    name_of=messages.name_of,
)
