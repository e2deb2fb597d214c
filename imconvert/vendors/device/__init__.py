"""Users' devices as target: packages that Easemob's SDK imports into its local database (easemob.md §7).

They are the way around what no server call imports: groups older than their creation at the vendor, and history that
is older than the server keeps. RongCloud's packages are made alike; what is theirs alone lies in its folder.
"""

from imconvert.vendors.contract import Arrange, Packages, Target
from imconvert.vendors.device import choices, easemob, packing
from imconvert.vendors.easemob import rules

SETTINGS = choices.SETTINGS

TARGET = Target(
    name="device",
    streams=packing.STREAMS,
    suffix=".ndjson",
    account_rule=rules.account,
    group_rule=rules.group,
    writer=easemob.writer,
    read_key=packing.read_key,
    digest_of=easemob.digest_of,
    with_msgid=easemob.with_msgid,
    tombstone=easemob.tombstone,
    put_text=None,
    merge_fold=lambda settings: settings["easemob.fold"] == "merge",
    arrange=Arrange(packing.finisher, packing.still),
    packages=Packages(
        copies=lambda line: packing.copies_of(line, easemob.SDK.names),
        most=lambda settings: int(settings["device.batch"]),
    ),
    account_rules=rules.account_rules,
)
