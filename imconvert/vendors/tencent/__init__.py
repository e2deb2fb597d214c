"""Tencent Cloud IM (腾讯云即时通信 IM): history files and recorded callbacks as source; import calls as target.
Reference: tencent.md."""

from imconvert.vendors.contract import Arrange, Documents, Target, Vendor, rest_in
from imconvert.vendors.people import source as people
from imconvert.vendors.people.writing import provisions
from imconvert.vendors.tencent import (
    choices,
    forms,
    lines,
    lists,
    mentions,
    messages,
    order,
    people_choices,
    provisioning,
    requests,
    rules,
    said,
)
from imconvert.vendors.tencent.shape import shape

TARGET = Target(
    name="tencent",
    streams=requests.STREAMS,
    suffix=".ndjson",
    account_rule=rules.account,
    group_rule=rules.group,
    writer=requests.writer,
    read_key=lines.read_key,
    digest_of=lines.digest_of,
    with_msgid=lines.with_msgid,
    tombstone=lines.tombstone,
    put_text=None,
    merge_fold=lambda settings: False,
    line_forms=forms.line_forms,
    plain_account=forms.PLAIN,
    arrange=Arrange(order.finisher, order.still, order.blockers, bundle=order.bundle),
)

TITLE = "Tencent Cloud IM 腾讯云"

VENDOR = Vendor(
    name="tencent",
    title=TITLE,
    looks_like=messages.looks_like,
    reader=messages.reader,
    documents=Documents(("MsgList", "RspMsgList"), by_line=True, reader=messages.document_reader),
    settings=choices.SETTINGS,
    target=TARGET,
    people=people.source(TARGET.name, TITLE, lists.shelf, people_choices.SETTINGS),
    provisions=provisions(TARGET, provisioning.CONTENTS),
    mentions=mentions.MENTIONS,
    said=said.said,
    shape=shape,
    own_keys=True,
    name_of=messages.name_of,
    rest=rest_in("imconvert.vendors.tencent.rest"),
)
