"""What RongCloud's documents leave open about people and groups, or what is a matter of taste (rongcloud.md §4.2)."""

from imconvert.vendors.contract import Setting

SETTINGS = (
    Setting("rongcloud.block_batch", "20", "number", "blocked users of a user in one call"),
    Setting("rongcloud.hosted_groups", "no", ("no", "yes"),
            "whether groups are hosted (a paid feature): with owner, admins, profile and rules; or plain ones"),
    Setting("rongcloud.member_batch", "1000", "number", "members of a group in one call"),
    Setting("rongcloud.gag_batch", "20", "number", "members that may not write in one call"),
)  # fmt: skip
