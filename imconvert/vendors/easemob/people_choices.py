"""What Easemob's documents leave open about people and groups, or what is a matter of taste (easemob.md §4)."""

from imconvert.vendors.contract import Setting

SETTINGS = (
    Setting("easemob.account_batch", "60", "number", "users in one call"),
    Setting("easemob.contacts", "two-way", ("two-way", "one-way"),
            "whether an import of contacts makes both contacts of each other, so that each pair is sent once"),
    Setting("easemob.contact_batch", "10", "number", "contacts of a user in one call"),
    Setting("easemob.block_batch", "100", "number", "blocked users of a user in one call"),
    Setting("easemob.most_blocks", "500", "number", "blocked users of a user from which on a notice is given"),
    Setting("easemob.group_ids", "vendor", ("vendor", "own"),
            "groups get ids of the vendor's, or keep their own, which the vendor has to activate"),
    Setting("easemob.member_batch", "100", "number", "members of a group in one call"),
    Setting("easemob.ask_members", "no", ("no", "yes"),
            "whether groups that ask whom they invite do so while they are filled, too"),
    Setting("easemob.card_key", "nickName", "text", "the attribute of a member that is the name in the group"),
)  # fmt: skip
